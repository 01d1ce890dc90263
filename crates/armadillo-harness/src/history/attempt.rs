//! One attempt at a test, as it is remembered.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::outcome::{FailureKind, Verdict};

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It passed.
    Passed,
    /// It failed, and nothing followed.
    Failed(FailureKind),
    /// It failed, and the test was tried again.
    Retried(FailureKind),
}

/// Whether other tests used the deployments of a test while it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Company {
    /// None did.
    Alone,
    /// Some did.
    Shared,
}

/// An attempt at a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Attempt {
    /// When it ended, in milliseconds since 1970.
    pub(super) at_ms: u64,
    /// The number of its run in the history.
    pub(super) run: u32,
    pub(super) outcome: Outcome,
    pub(super) took_us: u64,
    /// Nothing for a test without deployments.
    pub(super) company: Option<Company>,
}

/// How long something took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Took {
    pub(super) at_ms: u64,
    pub(super) run: u32,
    pub(super) us: u64,
}

/// How the file calls each kind of failure: as everything else that is written for programs.
const KINDS: [(FailureKind, &str); 12] = [
    (FailureKind::Failed, "failed"),
    (FailureKind::SetUp, "set_up"),
    (FailureKind::TearDown, "tear_down"),
    (FailureKind::TimedOut, "timed_out"),
    (FailureKind::Interrupted, "interrupted"),
    (FailureKind::Crashed, "crashed"),
    (FailureKind::TooMuchOutput, "too_much_output"),
    (FailureKind::Leaked, "leaked"),
    (FailureKind::ServerCrashed, "server_crashed"),
    (FailureKind::Sanitizer, "sanitizer"),
    (FailureKind::Error, "error"),
    (FailureKind::Inconclusive, "inconclusive"),
];

/// What stands behind the kind of a failure after which the test was tried again.
const AGAIN: &str = "+";

impl Outcome {
    /// What a verdict says of the test; `None` if it says nothing.
    pub(crate) fn of(verdict: &Verdict, retried: bool) -> Option<Self> {
        match verdict {
            Verdict::Passed => Some(Self::Passed),
            Verdict::Skipped { .. } => None,
            Verdict::Failed { kind, .. } => match kind {
                FailureKind::Interrupted | FailureKind::Inconclusive => None,
                kind if retried => Some(Self::Retried(*kind)),
                kind => Some(Self::Failed(*kind)),
            },
        }
    }

    /// The kind of the failure, if it is one.
    pub(super) fn kind(self) -> Option<FailureKind> {
        match self {
            Self::Passed => None,
            Self::Failed(kind) | Self::Retried(kind) => Some(kind),
        }
    }

    fn read(text: &str) -> Option<Self> {
        if text == "passed" {
            return Some(Self::Passed);
        }
        let (name, again) = match text.strip_suffix(AGAIN) {
            Some(name) => (name, true),
            None => (text, false),
        };
        let (kind, _) = KINDS.iter().find(|(_, known)| *known == name)?;
        Some(if again {
            Self::Retried(*kind)
        } else {
            Self::Failed(*kind)
        })
    }
}

/// As files for programs name it: `timed_out`.
#[must_use]
pub fn kind_for_programs(kind: FailureKind) -> &'static str {
    let known = KINDS.iter().find(|(known, _)| *known == kind);
    known.map_or("failed", |(_, name)| name)
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::Failed(kind) => f.write_str(kind_for_programs(*kind)),
            Self::Retried(kind) => write!(f, "{}{AGAIN}", kind_for_programs(*kind)),
        }
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Retried(_) => serializer.collect_str(self),
            Self::Passed => serializer.serialize_str("passed"),
            Self::Failed(kind) => serializer.serialize_str(kind_for_programs(*kind)),
        }
    }
}

impl<'de> Deserialize<'de> for Outcome {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Outcome;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("how an attempt ended")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Outcome, E> {
                Outcome::read(text)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_read_as_they_are_written() {
        for (kind, name) in KINDS {
            let elsewhere = serde_json::to_string(&kind).unwrap();
            assert_eq!(elsewhere, format!("{name:?}"), "as results.json calls it");
            for outcome in [
                Outcome::Passed,
                Outcome::Failed(kind),
                Outcome::Retried(kind),
            ] {
                let text = serde_json::to_string(&outcome).unwrap();
                assert_eq!(text, format!("{:?}", outcome.to_string()));
                assert_eq!(serde_json::from_str::<Outcome>(&text).unwrap(), outcome);
            }
        }
        for wrong in ["\"\"", "\"passed+\"", "\"failed++\"", "\"lost\"", "1"] {
            assert!(serde_json::from_str::<Outcome>(wrong).is_err(), "{wrong}");
        }
    }
}
