//! Flags of a suite's own, declared in code by [`flags!`](crate::flags) and read in tests, fixtures and hooks.
//!
//! The runner reads what was said of them as it reads its own settings. Each test gets the values with its assignment, so they are the
//! same in every process that runs tests.

mod value;

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::OnceLock;

pub use value::{FlagText, FlagValue, Without};

/// Values by the flag's name; a flag that nobody set is not among them.
pub type FlagValues = BTreeMap<String, Vec<String>>;

/// A flag, as it is declared.
#[derive(Clone, Copy, Debug)]
pub struct FlagDeclaration {
    /// The long name without dashes: `orders`.
    pub name: &'static str,
    /// The paragraph for `--help`.
    pub help: &'static str,
    /// What the value is called in `--help`; empty for a switch.
    pub value: &'static str,
    /// Whether it may be given several times.
    pub repeats: bool,
    /// The value if nobody sets it, as one would write it; `None` for no value.
    pub default: Option<&'static str>,
    /// The type, as the declaration writes it.
    pub type_name: &'static str,
    /// The source file.
    pub file: &'static str,
    /// The line.
    pub line: u32,
    /// Whether values can be read; otherwise why not.
    pub check: fn(&[String]) -> Result<(), String>,
}

inventory::collect!(FlagDeclaration);

/// A flag of a suite. [`flags!`](crate::flags) makes it.
#[derive(Debug)]
pub struct SuiteFlag<T> {
    declaration: FlagDeclaration,
    value: PhantomData<fn() -> T>,
}

/// What was said of the flags in this process.
static VALUES: OnceLock<FlagValues> = OnceLock::new();

/// Remembers what was said. A process belongs to one run, so it is said once.
pub(crate) fn settle(values: &FlagValues) {
    VALUES.get_or_init(|| values.clone());
}

/// What was said, for another process of the run.
pub(crate) fn settled() -> FlagValues {
    VALUES.get().cloned().unwrap_or_default()
}

impl<T: FlagValue> SuiteFlag<T> {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(declaration: FlagDeclaration) -> Self {
        Self {
            declaration,
            value: PhantomData,
        }
    }

    /// Its value: from the command line, the environment or `armadillo.toml`; otherwise its default. Outside of a run, for example in a
    /// unit test, it has the default, and with a main function of one's own until `armadillo::trials` has been called.
    ///
    /// # Panics
    /// When the value cannot be read. A run checks all of them before it starts.
    #[must_use]
    pub fn get(&self) -> T {
        let said = VALUES
            .get()
            .and_then(|said| said.get(self.declaration.name));
        let read = match said {
            Some(values) => T::read(values),
            None => T::read(&self.declaration.default_values()),
        };
        match read {
            Ok(value) => value,
            Err(why) => panic!("the flag --{}: {why}", self.declaration.name),
        }
    }
}

impl FlagDeclaration {
    /// All of this executable, by file, and by name within one declaration.
    #[must_use]
    pub fn registered() -> Vec<Self> {
        let mut all: Vec<Self> = inventory::iter::<Self>().copied().collect();
        all.sort_unstable_by_key(|flag| (flag.file, flag.line, flag.name));
        all
    }

    /// Where it is declared: `tests/suite/main.rs:12`.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }

    /// The values if nobody sets it.
    pub(crate) fn default_values(&self) -> Vec<String> {
        self.default.map(str::to_owned).into_iter().collect()
    }
}

/// The name of a flag's constant as one writes it on a command line: `MAX_ORDERS` is `max-orders`.
///
/// # Panics
/// When it is not ASCII, at compile time.
#[doc(hidden)]
#[must_use]
pub const fn flag_name<const N: usize>(constant: &str) -> [u8; N] {
    let (from, mut name, mut i) = (constant.as_bytes(), [0; N], 0);
    while i < N {
        name[i] = match from[i] {
            b'_' => b'-',
            other if other.is_ascii() => other.to_ascii_lowercase(),
            _ => panic!("the name of a flag has only ASCII letters, digits and `_`"),
        };
        i += 1;
    }
    name
}

/// The text of [`flag_name`].
///
/// # Panics
/// When it is none, at compile time.
#[doc(hidden)]
#[must_use]
pub const fn as_text(name: &'static [u8]) -> &'static str {
    match std::str::from_utf8(name) {
        Ok(name) => name,
        Err(_) => panic!("the name of a flag has ASCII letters only"),
    }
}

/// The default of a flag of type `T`, of which the declaration says this.
///
/// # Panics
/// When it needs one and has none, at compile time.
#[doc(hidden)]
#[must_use]
pub const fn default_of<T: FlagValue>(said: Option<&'static str>) -> Option<&'static str> {
    match (said, T::WITHOUT) {
        (Some(said), _) => Some(said),
        (None, Without::Nothing) => None,
        (None, Without::Value(value)) => Some(value),
        (None, Without::Default) => {
            panic!("a flag needs a default, unless its type is `bool`, `Option<_>` or `Vec<_>`")
        }
    }
}

/// Declares flags of a suite:
///
/// ```
/// armadillo_harness::flags! {
///     /// How many orders a load test sends.
///     pub static ORDERS: u32 = 100;
///     /// Only these shops.
///     pub static ONLY_SHOPS: Vec<String>;
/// }
/// assert_eq!(ORDERS.get(), 100);
/// ```
///
/// The flags are `--orders` and `--only-shops`. Their documentation is the text in `--help`, and the default is a literal, as one
/// would write it on the command line: a duration is `"30s"`. A `bool`, an `Option<_>` and a `Vec<_>` need none.
#[macro_export]
macro_rules! flags {
    ($(
        $(#[doc = $help:literal])+
        $visibility:vis static $name:ident : $type:ty $(= $default:literal)? ;
    )*) => {$(
        $(#[doc = $help])+
        $visibility static $name: $crate::flags::SuiteFlag<$type> = {
            const NAME: [u8; stringify!($name).len()] = $crate::flags::flag_name(stringify!($name));
            const DECLARATION: $crate::flags::FlagDeclaration = $crate::flags::FlagDeclaration {
                name: $crate::flags::as_text(&NAME),
                help: concat!($($help, "\n"),+),
                value: <$type as $crate::flags::FlagValue>::PLACEHOLDER,
                repeats: <$type as $crate::flags::FlagValue>::REPEATS,
                default: $crate::flags::default_of::<$type>(
                    $crate::flags!(@default $($default)?)
                ),
                type_name: stringify!($type),
                file: file!(),
                line: line!(),
                check: |values| <$type as $crate::flags::FlagValue>::read(values).map(drop),
            };
            $crate::inventory::submit! { DECLARATION }
            $crate::flags::SuiteFlag::new(DECLARATION)
        };
    )*};
    (@default) => { None };
    (@default $default:literal) => { Some(concat!($default)) };
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;

    crate::flags! {
        /// How many orders
        /// a test sends.
        static SENT_ORDERS: u32 = 100;
        /// A shift.
        static SHIFT: i8 = -3;
        /// A pause.
        static PAUSE: Duration = "1m30s";
        /// A file.
        static PRICES: Option<PathBuf>;
        /// Some shops.
        static SHOPS: Vec<String>;
        /// A switch.
        static OFFLINE: bool;
    }

    #[test]
    fn a_flag_has_its_default_where_nothing_was_said() {
        assert_eq!((SENT_ORDERS.get(), SHIFT.get()), (100, -3));
        assert_eq!(PAUSE.get(), Duration::from_secs(90));
        assert_eq!(
            (PRICES.get(), SHOPS.get(), OFFLINE.get()),
            (None, vec![], false)
        );
    }

    /// In a declaration it is said at compile time.
    #[test]
    #[should_panic = "only ASCII letters"]
    fn a_name_that_not_every_keyboard_has_is_refused() {
        let _: [u8; 7] = flag_name("GRÖSSE");
    }

    #[test]
    fn a_declaration_says_what_help_needs() {
        let all = FlagDeclaration::registered();
        let found = all.iter().find(|flag| flag.name == "sent-orders").unwrap();
        assert_eq!(found.help, " How many orders\n a test sends.\n");
        assert_eq!((found.value, found.default), ("N", Some("100")));
        let said = |flag: &FlagDeclaration, text: &str| (flag.check)(&[text.to_owned()]);
        assert_eq!(said(found, "7"), Ok(()));
        assert!(said(found, "many").unwrap_err().contains("`many`"));
        let offline = all.iter().find(|flag| flag.name == "offline").unwrap();
        assert_eq!((offline.value, offline.default), ("", Some("false")));
    }
}
