//! What a failure is made of: what there is to say, and where it happened.

use std::error::Error;
use std::fmt;
use std::ops::Deref;
use std::panic::Location;

use serde::{Deserialize, Serialize};

use crate::outcome::error_chain;
use crate::trace::{Origin, Trace, What};

/// Why something did not go as it should, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Failure {
    /// What there is to say about it: the panic's message, the error with its causes, the signal.
    pub message: String,
    /// Where it happened, as far as that is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub traces: Vec<Trace>,
}

impl Failure {
    /// The same with other words.
    #[must_use]
    pub(crate) fn said(self, words: impl FnOnce(&str) -> String) -> Self {
        Self {
            message: words(&self.message),
            traces: self.traces,
        }
    }
}

impl<S: Into<String>> From<S> for Failure {
    fn from(message: S) -> Self {
        Self {
            message: message.into(),
            traces: Vec::new(),
        }
    }
}

/// The message, and the first place.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let places = self.traces.iter().filter_map(|trace| trace.place.as_ref());
        places
            .take(1)
            .try_for_each(|place| write!(f, " (at {place})"))
    }
}

/// Any error, and where `?` met it first: what tests, fixtures and their helpers return.
///
/// Every error converts into it with `?`, and so do strings. It is no [`Error`] itself, as with `anyhow`; it dereferences to
/// the one it holds. Helpers that return [`TestResult`](crate::outcome::TestResult) keep the place of the `?` inside them.
pub struct TestError {
    error: Box<dyn Error + Send + Sync>,
    at: At,
}

/// Where `?` met an error.
enum At {
    // Boxed, because results are moved more often than they fail.
    Origin(Box<Origin>),
    Known(Vec<Trace>),
}

impl TestError {
    /// What a test comes to that returns it: message and place.
    pub(crate) fn failure(&self) -> Failure {
        Failure {
            message: error_chain(&*self.error),
            traces: match &self.at {
                At::Origin(origin) => vec![origin.resolve(What::Failed)],
                At::Known(traces) => traces.clone(),
            },
        }
    }

    /// Of what failed elsewhere.
    pub(crate) fn of(failure: Failure) -> Self {
        Self {
            error: failure.message.into(),
            at: At::Known(failure.traces),
        }
    }

    /// The error without its place.
    #[must_use]
    pub fn into_inner(self) -> Box<dyn Error + Send + Sync> {
        self.error
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for TestError {
    #[track_caller]
    fn from(error: E) -> Self {
        Self {
            error: error.into(),
            at: At::Origin(Box::new(Origin::at(Some(Location::caller())))),
        }
    }
}

impl Deref for TestError {
    type Target = dyn Error + Send + Sync + 'static;

    fn deref(&self) -> &Self::Target {
        &*self.error
    }
}

impl fmt::Display for TestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// With its causes and its place: what `unwrap` shows.
impl fmt::Debug for TestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.failure().fmt(f)
    }
}
