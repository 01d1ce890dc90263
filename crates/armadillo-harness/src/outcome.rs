//! How a test ended.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Debug;
use std::iter::successors;

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, TestError};
use crate::trace::Trace;

/// What a test body came to, in the process that ran it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It returned.
    Passed,
    /// It returned an error.
    Failed(Failure),
    /// It asked to be skipped; the reason.
    Skipped(String),
    /// It could not find out what it was to find out; why.
    Inconclusive(String),
}

/// Why a test did not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// It still ran when the run was interrupted.
    Interrupted,
    /// The process that ran it died: a signal, an abort, a stack overflow, an exit.
    Crashed,
    /// It printed more than the limit.
    TooMuchOutput,
    /// A checker found something it left behind.
    Leaked,
    /// A server it used ended by itself while it ran.
    ServerCrashed,
    /// A sanitizer of a server it used reported a fault while it ran.
    Sanitizer,
    /// The harness or the deployment could not do its part.
    Error,
    /// It could not find out what it was to find out: nothing is known to be wrong, and nothing to be right.
    Inconclusive,
}

/// The verdict over one attempt of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
        /// What there is to say about it: the panic's message, the error with its causes, the signal.
        message: String,
        /// Where it happened, as far as that is known.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        traces: Vec<Trace>,
    },
}

impl Verdict {
    /// Not passed, in this way, for this reason.
    pub(crate) fn failed(kind: FailureKind, failure: impl Into<Failure>) -> Self {
        let Failure { message, traces } = failure.into();
        Self::Failed {
            kind,
            message,
            traces,
        }
    }

    /// Over a test that the harness could not run; why.
    pub(crate) fn error(message: String) -> Self {
        Self::failed(FailureKind::Error, message)
    }

    /// Whether it counts as a failure.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }

    /// Whether the test could not find out what it was to find out.
    #[must_use]
    pub fn is_inconclusive(&self) -> bool {
        let kind = FailureKind::Inconclusive;
        matches!(self, Self::Failed { kind: found, .. } if *found == kind)
    }
}

/// The error of a test that could not find out what it was to find out. A test that returns it, or an error that has it
/// among its causes, ends as inconclusive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Inconclusive(Cow<'static, str>);

impl Inconclusive {
    /// For this reason.
    #[must_use]
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(reason.into())
    }

    /// For this reason, as a constant.
    #[must_use]
    pub const fn because(reason: &'static str) -> Self {
        Self(Cow::Borrowed(reason))
    }
}

/// What a test, a fixture or a helper of theirs returns when it uses `?` on errors of several kinds. A failure then says
/// where the `?` is.
pub type TestResult<T = ()> = Result<T, TestError>;

/// What a test may return: `()`, or a `Result` of it.
#[diagnostic::on_unimplemented(
    message = "a test must return `()` or `Result<(), E>`, not `{Self}`",
    label = "not a valid return type for a test",
    note = "use `TestResult` for tests with `?`; the error type `E` must implement `Debug`"
)]
pub trait IntoOutcome {
    /// What it comes to.
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Outcome {
        Outcome::Passed
    }
}

impl<T: IntoOutcome, E: Debug> IntoOutcome for Result<T, E> {
    fn into_outcome(self) -> Outcome {
        match self {
            Ok(value) => value.into_outcome(),
            Err(error) => Outcome::Failed(format!("{error:#?}").into()),
        }
    }
}

/// What a test comes to that returned this error.
#[must_use]
pub fn of_error(error: &(dyn Error + 'static)) -> Outcome {
    if is_inconclusive(error) {
        return Outcome::Inconclusive(error_chain(error));
    }
    Outcome::Failed(error_chain(error).into())
}

/// What something comes to that ended with this error: as [`of_error`] says, with the place.
pub(crate) fn of_test_error(error: &TestError) -> Outcome {
    if is_inconclusive(&**error) {
        return Outcome::Inconclusive(error_chain(&**error));
    }
    Outcome::Failed(error.failure())
}

fn is_inconclusive(error: &(dyn Error + 'static)) -> bool {
    chain(Some(error)).any(|cause| cause.is::<Inconclusive>())
}

/// An error and the chain of its sources, a line each. That one of them is [`Inconclusive`] is no line: what has it as its
/// source says why.
#[must_use]
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let causes = chain(error.source());
    for cause in causes.filter(|cause| !cause.is::<Inconclusive>()) {
        let cause_text = cause.to_string();
        // Some errors repeat their source in their own message; saying it twice helps nobody.
        if !text.ends_with(&cause_text) {
            text.push_str("\n  caused by: ");
            text.push_str(&cause_text);
        }
    }
    text
}

/// An error and its causes.
fn chain<'e>(
    error: Option<&'e (dyn Error + 'static)>,
) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    successors(error, |error| (*error).source())
}

/// How the value a test returned becomes an outcome, chosen by method resolution where the type is known: an error
/// that has a chain of sources is shown by its chain, any other by its `Debug` form. One that knows its place says it.
#[doc(hidden)]
pub mod returned {
    use std::error::Error;

    use super::{IntoOutcome, Outcome, TestError, of_error, of_test_error};

    /// Shows errors with their places.
    pub struct ByPlace;

    /// Shows errors by their chain.
    pub struct ByChain;

    /// Shows errors by `Debug`.
    pub struct ByDebug;

    /// Applies to a `Result` whose error is an `Error`, or becomes one.
    pub trait HasChain {
        /// The way.
        fn way(&self) -> ByChain {
            ByChain
        }
    }

    impl<T, E: Into<Box<dyn Error + Send + Sync>>> HasChain for Result<T, E> {}

    /// Applies to a `Result` whose error knows its place.
    pub trait HasPlace {
        /// The way.
        fn way(&self) -> ByPlace {
            ByPlace
        }
    }

    impl<T> HasPlace for Result<T, TestError> {}

    /// Applies to everything, with lower priority.
    pub trait HasDebug {
        /// The way.
        fn way(&self) -> ByDebug {
            ByDebug
        }
    }

    impl<T> HasDebug for &T {}

    impl ByChain {
        /// The outcome of a test that returned this.
        pub fn outcome<T, E>(self, returned: Result<T, E>) -> Outcome
        where
            T: IntoOutcome,
            E: Into<Box<dyn Error + Send + Sync>>,
        {
            match returned {
                Ok(value) => value.into_outcome(),
                Err(error) => of_error(&*error.into()),
            }
        }
    }

    impl ByPlace {
        /// The outcome of a test that returned this.
        pub fn outcome<T: IntoOutcome>(self, returned: Result<T, TestError>) -> Outcome {
            match returned {
                Ok(value) => value.into_outcome(),
                Err(error) => of_test_error(&error),
            }
        }
    }

    impl ByDebug {
        /// The outcome of a test that returned this.
        pub fn outcome<T: IntoOutcome>(self, returned: T) -> Outcome {
            returned.into_outcome()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::returned::{HasChain as _, HasDebug as _, HasPlace as _};
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot load")]
    struct Load(#[source] std::io::Error);

    #[derive(Debug)]
    #[expect(dead_code, reason = "it is there to be seen in its Debug form")]
    struct Plain(u8);

    fn denied() -> std::io::Error {
        std::io::Error::from(std::io::ErrorKind::PermissionDenied)
    }

    macro_rules! outcome {
        ($returned:expr) => {{
            let returned = $returned;
            (&returned).way().outcome(returned)
        }};
    }

    fn message(outcome: Outcome) -> String {
        match outcome {
            Outcome::Failed(failure) => failure.message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_error_is_shown_with_its_causes_and_anything_else_by_debug() {
        assert_eq!(outcome!(()), Outcome::Passed);
        assert_eq!(outcome!(TestResult::Ok(())), Outcome::Passed);
        let chain = "cannot load\n  caused by: permission denied";
        let typed: Result<(), Load> = Err(Load(denied()));
        assert_eq!(message(outcome!(typed)), chain);
        let boxed: TestResult = Err(Load(denied()).into());
        assert_eq!(message(outcome!(boxed)), chain);
        let text: Result<(), String> = Err("no luck".into());
        assert_eq!(message(outcome!(text)), "no luck");
        let plain: Result<(), Plain> = Err(Plain(7));
        assert_eq!(message(outcome!(plain)), "Plain(\n    7,\n)");
    }

    #[test]
    fn an_error_with_that_cause_is_inconclusive() {
        static WHY: Inconclusive = Inconclusive::because("not enough was observed");
        #[derive(Debug, thiserror::Error)]
        #[error("only 3 of 7 count")]
        struct TooFew(#[source] &'static Inconclusive);
        #[derive(Debug, thiserror::Error)]
        #[error("no proof")]
        struct NoProof(#[source] TooFew);

        let typed: Result<(), NoProof> = Err(NoProof(TooFew(&WHY)));
        let said = "no proof\n  caused by: only 3 of 7 count";
        assert_eq!(outcome!(typed), Outcome::Inconclusive(said.into()));
        let boxed: TestResult = Err(Inconclusive::new("nobody came").into());
        assert_eq!(outcome!(boxed), Outcome::Inconclusive("nobody came".into()));
    }

    #[test]
    fn a_cause_that_was_said_is_not_said_again() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer: {0}")]
        struct Outer(#[source] std::io::Error);
        assert_eq!(error_chain(&Outer(denied())), "outer: permission denied");
    }
}
