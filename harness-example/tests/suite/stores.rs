//! Fixtures of our own, one for each database that the application can use: a type that says what it is made from. A
//! fixture that is made from others needs what they need: [`Documents`] brings its test to a single server, [`Keys`] to
//! an etcd cluster.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use armadillo::etcd::Expected;
use armadillo::prelude::*;
use harness_example::{Stock, Store, StoreError};
use serde_json::{Value, json};

/// A collection of ArangoDB, with a document for each article.
#[derive(Clone)]
pub(crate) struct Documents(Collection);

/// The type that a function with this attribute returns is a fixture, and its arguments are the fixtures it is made from.
#[armadillo::fixture]
fn documents(collection: Collection) -> Documents {
    Documents(collection)
}

impl Store for Documents {
    async fn read(&self, article: &str) -> Result<Option<Stock>, StoreError> {
        let Some(document) = self.0.get::<Value>(article).await? else {
            return Ok(None);
        };
        Ok(Some(Stock {
            count: document["count"].as_u64().ok_or("no count")?,
            revision: document["_rev"].as_str().ok_or("no revision")?.to_owned(),
        }))
    }

    async fn write(
        &self,
        article: &str,
        count: u64,
        seen: Option<&str>,
    ) -> Result<bool, StoreError> {
        let document = json!({ "_key": article, "count": count });
        let written = match seen {
            None => self.0.insert(&document).await,
            Some(revision) => self.0.replace(article, &document).if_match(revision).await,
        };
        match written {
            Ok(_) => Ok(true),
            Err(error) if error.is_conflict() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Keys of etcd, one for each article.
#[derive(Clone)]
pub(crate) struct Keys(EtcdClient);

#[armadillo::fixture]
fn keys(client: EtcdClient) -> Keys {
    Keys(client)
}

impl Store for Keys {
    async fn read(&self, article: &str) -> Result<Option<Stock>, StoreError> {
        let Some(found) = self.0.get(article).await? else {
            return Ok(None);
        };
        Ok(Some(Stock {
            count: found.text().parse()?,
            revision: found.mod_revision.to_string(),
        }))
    }

    async fn write(
        &self,
        article: &str,
        count: u64,
        seen: Option<&str>,
    ) -> Result<bool, StoreError> {
        let expected = match seen {
            None => Expected::Absent,
            Some(revision) => Expected::Revision(revision.parse()?),
        };
        let swapped = self
            .0
            .compare_and_swap(article, &expected, count.to_string())
            .await?;
        Ok(swapped.is_done())
    }
}

/// No database at all.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<BTreeMap<String, (u64, u64)>>>);

/// A fixture written out, as the attribute does it for functions.
impl Fixture for Memory {
    type From = ();

    async fn setup(_: &TestContext, (): ()) -> Result<Self, TestError> {
        Ok(Self::default())
    }
}

impl Store for Memory {
    async fn read(&self, article: &str) -> Result<Option<Stock>, StoreError> {
        let articles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(articles.get(article).map(|(count, revision)| Stock {
            count: *count,
            revision: revision.to_string(),
        }))
    }

    async fn write(
        &self,
        article: &str,
        count: u64,
        seen: Option<&str>,
    ) -> Result<bool, StoreError> {
        let mut articles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let revision = articles.get(article).map(|(_, revision)| *revision);
        if revision.map(|revision| revision.to_string()).as_deref() != seen {
            return Ok(false);
        }
        let revision = revision.unwrap_or(0) + 1;
        articles.insert(article.to_owned(), (count, revision));
        Ok(true)
    }
}
