//! Scripts: which tests run, on which copies of their deployments, and in which order they begin and end.
//!
//! `armadillo replay` writes one from the events of a run, and `--script` runs it. A script is JSON:
//!
//! ```json
//! {"script": 1, "of": "4c0243f9", "steps": [
//!   {"begin": "net::writes", "on": ["tally-1"]},
//!   {"begin": "net::reads", "on": ["tally-1"]},
//!   {"end": "net::writes"},
//!   {"begin": "net::breaks", "on": ["tally-2"]}
//! ]}
//! ```
//!
//! A test begins when everything above it has happened. A test that takes less time than it did may have ended before those that
//! were to begin beside it; nothing waits for a test to go on. `on` has a word for each deployment that the test needs: tests
//! with the same word there share a deployment, those with different words never do.

mod player;
mod read;

use serde::{Deserialize, Serialize};

pub(crate) use player::{Move, Player};
pub(crate) use read::read;
pub use read::{ScriptError, WrongScript};

/// The version of the format.
pub const VERSION: u32 = 1;

/// What a run is to repeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// The version of the format.
    pub script: u32,
    /// The run that it repeats.
    pub of: String,
    /// What happens, in this order.
    pub steps: Vec<Step>,
}

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Step {
    /// A test begins.
    Begin {
        /// Its name; `name#2` is a repetition of `name`.
        begin: String,
        /// Which copy of each of its deployments it has, in the order of its needs.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        on: Vec<String>,
    },
    /// A test ends.
    End {
        /// Its name.
        end: String,
    },
}

impl Script {
    /// The tests that it begins, and where, in their order.
    pub fn begins(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.steps.iter().filter_map(|step| match step {
            Step::Begin { begin, on } => Some((begin.as_str(), on.as_slice())),
            Step::End { .. } => None,
        })
    }
}

/// The name that a test was given in the source: without the number of a repetition.
#[must_use]
pub fn declared_name(name: &str) -> &str {
    match name.rsplit_once('#') {
        Some((declared, number)) if number.parse::<u32>().is_ok() => declared,
        _ => name,
    }
}
