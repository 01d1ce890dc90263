//! How a test ended.

use serde::{Deserialize, Serialize};

/// What a test body came to, in the process that ran it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It returned.
    Passed,
    /// It panicked or returned an error; the message.
    Failed(String),
    /// It asked to be skipped; the reason.
    Skipped(String),
}

/// Why a test did not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Its body panicked or returned an error.
    Failed,
    /// A fixture could not be set up.
    SetUp,
    /// A fixture could not be torn down.
    TearDown,
    /// It did not end in time.
    TimedOut,
    /// The process that ran it died: a signal, an abort, a stack overflow, an exit.
    Crashed,
    /// It printed more than the limit.
    TooMuchOutput,
    /// A checker found something it left behind.
    Leaked,
    /// A server it used ended by itself while it ran.
    ServerCrashed,
    /// The harness or the deployment could not do its part.
    Error,
}

/// The verdict over one attempt of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It passed.
    Passed,
    /// It asked, at run time, to be skipped.
    Skipped {
        /// Why.
        reason: String,
    },
    /// It did not pass.
    Failed {
        /// How.
        kind: FailureKind,
        /// What there is to say about it: the panic's message and place, the error, the signal.
        message: String,
    },
}

impl Verdict {
    /// Whether it counts as a failure.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }
}
