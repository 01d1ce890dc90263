//! What the first event says of the plan: the tests, which part of all this is, and how many deployments they share.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::clock::Origin;
use crate::history::Recorded;
use crate::needs::{LeaseMode, Need};

/// A part of the selected tests; other machines run the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShardOf {
    /// Which one, from 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
    /// How tests were distributed: `topology`, `duration`, `hash` or `count`.
    pub by: String,
    /// How many tests would run in all of them together.
    pub tests: u32,
    /// The same for all shards that fit together: a hash of which test is in which.
    pub plan: String,
}

/// The tests of one topology; other jobs run those of the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TopologyOf {
    /// The topology, as `--topology` takes it.
    pub topology: String,
    /// All topologies of the selected tests of the executable.
    pub all: BTreeSet<String>,
}

/// A run that is part of another: nextest has started a process for this test alone, or a command has run several executables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "PartOfRun")
)]
pub struct Part {
    /// The clock of these events: that of the machine, so that those of all parts can be put in order.
    pub clock: Origin,
    /// What it is a part of: the name of the directory that the runs of all parts are in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Which repetition of the test it is, from 0, if nextest repeats tests (`--stress-count`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repetition: Option<u32>,
    /// Whether nextest tries the test again if it fails.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_follow: bool,
    /// How many tests nextest runs at once, if it is nextest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
    /// Whether its deployments are those of a daemon that it shares with other parts, and whose log lies beside its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shares_daemon: bool,
    /// How many tests run at once in all parts together, if these are executables that run at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// How many tests it ignores. The events that say so are among its first.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub ignored: u32,
}

/// How many deployments of a topology tests may share at the same time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlannedCopies {
    /// By topology, as text; those that are not named are started once.
    pub of: BTreeMap<String, u32>,
    /// Why so many.
    pub why: CopiesReason,
    /// The memory in MiB, if more were wanted and did not fit into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_room_in_mib: Option<u64>,
}

/// Why there are so many copies of deployments. Times are in microseconds from the run's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CopiesReason {
    /// Somebody said so.
    Said {
        /// How many.
        copies: u32,
    },
    /// No durations of these tests are known.
    NothingRecorded,
    /// No test waits for another because of a deployment.
    NobodyWaits,
    /// More would not end the run sooner by more than their starts cost.
    DoesNotPay,
    /// With them the run ends sooner.
    Pays {
        /// When it ends.
        ends_us: u64,
        /// When it would end with one of each.
        instead_of_us: u64,
    },
    /// With more the run would end sooner, but they do not fit.
    WouldPay {
        /// When it would end.
        ends_us: u64,
        /// When it ends.
        instead_of_us: u64,
    },
}

/// A test as planned.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlannedTest {
    /// Its name.
    pub test: String,
    /// Its source file and line: `tests/suite/main.rs:12`.
    pub place: String,
    /// Its markers, written out.
    pub markers: Vec<String>,
    /// The deployments it needs, in the order of its arguments; none for a test that needs no deployment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Need>,
    /// How earlier runs of it ended: `failed 3 of 120 runs before (known flaky: 2.5 %)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<String>,
    /// How often earlier runs of it failed, recently and before; present once enough runs are recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Recorded>,
    /// How long it took in earlier runs, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_us: Option<u64>,
    /// In a report of several runs: the run that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Box<TestOrigin>>,
}

/// The run that a test is of: that of its own executable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TestOrigin {
    /// The package.
    pub package: String,
    /// The test binary's crate.
    pub binary: String,
    /// The test's name there.
    pub test: String,
    /// The seed of that run.
    pub seed: u64,
    /// The arguments that it was given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
}

impl TestOrigin {
    /// The executable, for people and as the name of a suite: `package::binary`.
    #[must_use]
    pub fn executable(&self) -> String {
        format!("{}::{}", self.package, self.binary)
    }

    /// The test's id across executables: `package::binary$name`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}${}", self.executable(), self.test)
    }
}

impl PlannedTest {
    /// The topologies it needs, as text; `None` for a test that needs no deployment.
    #[must_use]
    pub fn topologies(&self) -> Option<String> {
        let texts: Vec<String> = (self.needs.iter())
            .map(|need| need.topology.to_string())
            .collect();
        (!texts.is_empty()).then(|| texts.join(" + "))
    }

    /// The kinds of lease that are not shared, in the order of its needs.
    pub fn special_modes(&self) -> impl Iterator<Item = LeaseMode> + '_ {
        let modes = self.needs.iter().map(|need| need.mode);
        modes.filter(|mode| *mode != LeaseMode::Shared)
    }
}
