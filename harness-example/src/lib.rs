//! The application under test: an inventory that keeps the counts of articles in a store.
//!
//! It is what your own crate would be: it knows nothing of Armadillo. What it needs of a database is the trait [`Store`];
//! the tests in `tests/suite` run it on several.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::num::ParseIntError;
use std::path::Path;
use std::str::FromStr;

/// Whatever went wrong in a store.
pub type StoreError = Box<dyn Error + Send + Sync>;

/// What the inventory needs of a database: to read a count, and to write it if nobody else has meanwhile.
pub trait Store: Send + Sync {
    /// The count of an article, if there is one.
    fn read(&self, article: &str)
    -> impl Future<Output = Result<Option<Stock>, StoreError>> + Send;

    /// Writes the count of an article if its revision is still `seen` (`None`: if there is no such article). The answer
    /// is whether it was written; `false` means that somebody else was faster.
    fn write(
        &self,
        article: &str,
        count: u64,
        seen: Option<&str>,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// A count as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stock {
    /// How many there are.
    pub count: u64,
    /// What the store calls this version of the count.
    pub revision: String,
}

/// Counts of articles. Any number of processes may use one store at once: nothing is sold twice.
#[derive(Clone, Debug)]
pub struct Inventory<S>(S);

impl<S: Store> Inventory<S> {
    /// The inventory in this store.
    pub fn new(store: S) -> Self {
        Self(store)
    }

    /// How many there are of an article; 0 of one that nobody knows.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn count(&self, article: &str) -> Result<u64, StoreError> {
        Ok(self.0.read(article).await?.map_or(0, |stock| stock.count))
    }

    /// Adds what was delivered. The answer is how many there are now.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn add(&self, delivery: &Order) -> Result<u64, StoreError> {
        loop {
            let stock = self.0.read(&delivery.article).await?;
            let count = stock.as_ref().map_or(0, |stock| stock.count) + delivery.count;
            let seen = stock.as_ref().map(|stock| stock.revision.as_str());
            if self.0.write(&delivery.article, count, seen).await? {
                return Ok(count);
            }
        }
    }

    /// Takes what was ordered, all of it or nothing. The answer is how many are left.
    ///
    /// # Errors
    /// [`TakeError::OutOfStock`] if there are fewer; otherwise those of the store.
    pub async fn take(&self, order: &Order) -> Result<u64, TakeError> {
        loop {
            let stock = self.0.read(&order.article).await?;
            let count = stock.as_ref().map_or(0, |stock| stock.count);
            let Some(left) = count.checked_sub(order.count) else {
                return Err(TakeError::OutOfStock { left: count });
            };
            let seen = stock.as_ref().map(|stock| stock.revision.as_str());
            if self.0.write(&order.article, left, seen).await? {
                return Ok(left);
            }
        }
    }
}

/// Why an order was not filled.
#[derive(Debug)]
pub enum TakeError {
    /// There are not enough.
    OutOfStock {
        /// How many there are.
        left: u64,
    },
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for TakeError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for TakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfStock { left } => write!(f, "out of stock: {left} left"),
            Self::Store(error) => write!(f, "the store failed: {error}"),
        }
    }
}

impl Error for TakeError {}

/// Some of an article: `3 apples`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    count: u64,
    article: String,
}

impl Order {
    /// So many of this article.
    ///
    /// # Panics
    /// When there is nothing in it: a mistake of the caller, not of a customer.
    #[must_use]
    pub fn new(count: u64, article: &str) -> Self {
        assert!(count > 0, "an order of nothing");
        Self {
            count,
            article: article.to_owned(),
        }
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Of what.
    #[must_use]
    pub fn article(&self) -> &str {
        &self.article
    }
}

/// Why a text is no order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderError {
    /// It is not two words.
    Shape,
    /// It does not begin with a number.
    Count(ParseIntError),
    /// It orders nothing.
    Nothing,
}

impl fmt::Display for OrderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape => f.write_str("an order is a number and an article: `3 apples`"),
            Self::Count(error) => write!(f, "how many? {error}"),
            Self::Nothing => f.write_str("an order of nothing"),
        }
    }
}

impl Error for OrderError {}

impl FromStr for Order {
    type Err = OrderError;

    fn from_str(text: &str) -> Result<Self, OrderError> {
        let (count, article) = text.trim().split_once(' ').ok_or(OrderError::Shape)?;
        let article = article.trim();
        if article.contains(' ') {
            return Err(OrderError::Shape);
        }
        match count.parse().map_err(OrderError::Count)? {
            0 => Err(OrderError::Nothing),
            count => Ok(Self::new(count, article)),
        }
    }
}

/// What an article costs, in cents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prices(BTreeMap<String, u64>);

impl Prices {
    /// Reads lines such as `apples 35`.
    ///
    /// # Errors
    /// The first line that is not one.
    pub fn parse(text: &str) -> Result<Self, String> {
        let line = |line: &str| {
            let (article, cents) = line.split_once(' ')?;
            Some((article.to_owned(), cents.trim().parse().ok()?))
        };
        let prices = text
            .lines()
            .map(|text| line(text).ok_or_else(|| format!("no price: `{text}`")));
        prices.collect::<Result<_, _>>().map(Self)
    }

    /// Reads a file of such lines.
    ///
    /// # Errors
    /// When the file cannot be read, or is not a list of prices.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Ok(Self::parse(&std::fs::read_to_string(path)?)?)
    }

    /// What an order costs; `None` for an article that is not sold.
    #[must_use]
    pub fn of(&self, order: &Order) -> Option<u64> {
        Some(self.0.get(order.article())? * order.count())
    }
}
