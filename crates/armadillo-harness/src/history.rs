//! What earlier runs were like: how tests ended and how long they took, on which commit, alone or in company; how long deployments
//! took. One file of lines, to which every run adds its own: what a run writes depends on nothing that another has written, so runs
//! may end at the same moment, and files are put together by putting one behind the other.

mod attempt;
mod bounds;
mod file;
mod known;
mod lines;
mod odds;
mod open;
mod record;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::commit::Commit;

use attempt::{Attempt, Took};
pub use attempt::{Company, Outcome, kind_for_programs};
pub(crate) use file::{Old, append, read};
pub use known::{Ended, Known, Part, Says, Streak, TestRun, percent};
pub use odds::{Failures, Odds, Recorded};
pub use open::{OpenError, Opened, open};

/// Its name, next to the runs.
pub(crate) const FILE: &str = "history.jsonl";

/// Nothing takes longer, in microseconds: a week. Whatever a file says, sums of durations have room.
const LONGEST_US: u64 = 7 * 24 * 3600 * 1_000_000;

/// How much a new duration counts against all earlier ones together.
const WEIGHT: f64 = 0.3;

/// What is known of earlier runs.
#[derive(Clone, Debug, Default)]
pub struct History {
    runs: Vec<Run>,
    numbers: HashMap<String, u32>,
    /// By test id and topology as text, which is empty for a test without deployments; the oldest first.
    tests: BTreeMap<String, BTreeMap<String, Vec<Attempt>>>,
    /// By complete topology, as text.
    topologies: BTreeMap<String, Topology>,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    id: String,
    /// The commit that its tests were of.
    commit: Option<Commit>,
}

/// What is known of the deployments of a topology, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Topology {
    starts: Vec<Took>,
    repairs: Vec<Took>,
}

impl History {
    /// How long this test (by id) takes.
    #[must_use]
    pub fn test(&self, id: &str) -> Option<Duration> {
        let mut passed: Vec<(u64, u64)> = (self.tests.get(id)?.values().flatten())
            .filter(|attempt| attempt.outcome == Outcome::Passed)
            .map(|attempt| (attempt.at_ms, attempt.took_us))
            .collect();
        passed.sort_unstable();
        average(passed.into_iter().map(|(_, us)| us))
    }

    /// Whether a run has ever said how this test (by id) ended.
    #[must_use]
    pub fn knows(&self, id: &str) -> bool {
        self.tests.contains_key(id)
    }

    /// Whether this test (by id) failed when it last ran.
    #[must_use]
    pub fn failed_last(&self, id: &str) -> bool {
        self.known(id).is_some_and(|known| known.failed_last())
    }

    /// How long the start of this topology (as text) takes.
    #[must_use]
    pub fn start(&self, topology: &str) -> Option<Duration> {
        average(
            self.topologies
                .get(topology)?
                .starts
                .iter()
                .map(|took| took.us),
        )
    }

    /// How long it takes to put a deployment of this topology (as text) in order, after a test had it alone.
    #[must_use]
    pub fn repair(&self, topology: &str) -> Option<Duration> {
        average(
            self.topologies
                .get(topology)?
                .repairs
                .iter()
                .map(|took| took.us),
        )
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tests.is_empty() && self.topologies.is_empty()
    }

    /// What is known without what a run has found out.
    pub(crate) fn without(mut self, run: &str) -> Self {
        if let Some(number) = self.numbers.get(run).copied() {
            for attempts in self.tests.values_mut().flat_map(|test| test.values_mut()) {
                attempts.retain(|attempt| attempt.run != number);
            }
            for topology in self.topologies.values_mut() {
                topology.starts.retain(|took| took.run != number);
                topology.repairs.retain(|took| took.run != number);
            }
        }
        self
    }

    /// The ids of all tests, in their order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.tests.keys().map(String::as_str)
    }

    /// The number of a run, which is new if nobody has named it.
    fn run(&mut self, id: &str) -> u32 {
        if let Some(known) = self.numbers.get(id) {
            return *known;
        }
        let number = u32::try_from(self.runs.len()).unwrap_or(u32::MAX);
        self.runs.push(Run {
            id: id.to_owned(),
            commit: None,
        });
        self.numbers.insert(id.to_owned(), number);
        number
    }

    fn attempts_of(&mut self, test: &str, on: &str) -> &mut Vec<Attempt> {
        let of_test = self.tests.entry(test.to_owned()).or_default();
        of_test.entry(on.to_owned()).or_default()
    }
}

/// The exponential average of durations in microseconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "an average; 2^53 µs are 285 years"
)]
fn average(all: impl Iterator<Item = u64>) -> Option<Duration> {
    let mut all = all.map(|us| us.min(LONGEST_US));
    let first = all.next()? as f64;
    let us = all.fold(first, |average, us| {
        average + WEIGHT * (us as f64 - average)
    });
    Some(Duration::try_from_secs_f64(us / 1e6).unwrap_or_default())
}
