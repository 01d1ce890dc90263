//! Runner to worker and back: one JSON object a line.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::daemon::Grant;
use crate::event::{Shown, Times};
use crate::failure::Failure;
use crate::flags::FlagValues;
use crate::outcome::Outcome;
use crate::trace::Trace;

/// From the runner to a worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToWorker {
    /// Run this test. Nothing else runs, and nothing waits.
    Run(Box<Assignment>),
    /// Run this test when those sent before it have ended, if the worker goes on then: see [`Report::goes_on`].
    RunNext(Box<Assignment>),
    /// Begin no test that was sent with [`ToWorker::RunNext`] and has not begun; answered with [`FromWorker::TakenBack`].
    TakeBack,
    /// Say where a test is.
    Where {
        /// The number of its assignment.
        sequence: u64,
        /// Its time is up: if it is at no `.await`, its thread may be interrupted.
        time_is_up: bool,
    },
    /// The time of this test is up and the evidence is taken: drop its body if it can be dropped, and tear down.
    Cancel {
        /// The number of its assignment.
        sequence: u64,
    },
    /// Tear down fixtures that are kept; answered with [`FromWorker::FixturesGone`].
    DropFixtures {
        /// Those kept for the deployment with this id; without one, all.
        deployment: Option<String>,
    },
}

/// From a worker to the runner.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromWorker {
    /// The first message: who is speaking.
    Hello {
        /// [`super::VERSION`].
        version: u32,
        /// The number the worker was given.
        worker: u32,
        /// Its process id.
        pid: u32,
    },
    /// A test that was sent ahead begins.
    Begins {
        /// The number of its assignment.
        sequence: u64,
    },
    /// No test that was sent ahead and has not begun by now will begin.
    TakenBack,
    /// The running test has entered this phase.
    Phase(Phase),
    /// Where a test is, as far as it can be told; nothing after it has ended.
    At {
        /// The number of its assignment.
        sequence: u64,
        /// As the question said.
        time_is_up: bool,
        /// Where it waits or blocks; several places if it waits for several things at once.
        traces: Vec<Trace>,
    },
    /// A test ended. Its output is complete when the mark with this sequence number has come through the pipe.
    Done(Box<Report>),
    /// The fixtures that were to be torn down are.
    FixturesGone {
        /// What went wrong while they were.
        complaints: Vec<String>,
    },
}

/// The phases of a test; each has a clock of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Fixtures are set up.
    SetUp,
    /// The body runs.
    Body,
    /// Fixtures are torn down.
    TearDown,
}

/// One attempt of a test, for the process that runs it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Assignment {
    /// Grows with each assignment of a worker; its output ends with the mark of this number.
    pub sequence: u64,
    /// The test's name.
    pub test: String,
    /// 1 for the first.
    pub attempt: u32,
    /// The seed of this test: the run's, mixed with its name. The same for every attempt.
    pub seed: u64,
    /// The run's own seed: what `--seed` takes to make this one again.
    pub run_seed: u64,
    /// How many rounds a test plays that has rounds, if the run says so.
    pub rounds: Option<u32>,
    /// The test's temporary directory. It is made when the test asks for it.
    pub temporary_directory: PathBuf,
    /// Where attachments go. It may not exist yet.
    pub attachments: PathBuf,
    /// Whether time limits hold (they do not under a debugger).
    pub limits: bool,
    /// How long each phase may take, as far as it is limited: what the waits of a test take their deadlines from.
    #[serde(default)]
    pub phase_limits: PhaseLimits,
    /// Whether a test that fails leaves its fixtures as they are, for a person to look at.
    #[serde(default)]
    pub keep_if_failed: bool,
    /// What the run's time limits are multiplied with.
    pub timeout_factor: f64,
    /// What the test's lease is for, in the order of its needs; empty for a test that needs no deployment.
    pub leases: Vec<Grant>,
    /// What was said of the flags of the suite.
    #[serde(default, skip_serializing_if = "FlagValues::is_empty")]
    pub flags: FlagValues,
}

/// The time limits of a test's phases, in milliseconds; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseLimits {
    /// Fixtures set up.
    pub set_up: Option<u64>,
    /// The body.
    pub body: Option<u64>,
    /// Fixtures torn down.
    pub tear_down: Option<u64>,
}

/// How a test ended, as the process that ran it saw it. Whether that is a failure is not decided there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It returned, or asked to be skipped or counted as inconclusive.
    Returned(Outcome),
    /// Its body panicked.
    Panicked(Failure),
    /// A fixture could not be set up; why.
    SetUp(Failure),
    /// It was told that its time was up; in which phase, in words.
    TimeUp(String),
    /// The harness could not do its part; why.
    Impossible(String),
}

/// What a worker says of an attempt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The number of the assignment.
    pub sequence: u64,
    /// How the test ended.
    pub end: End,
    /// What went wrong in its teardown.
    pub complaints: Vec<Failure>,
    /// Whether its fixtures were left as they are.
    #[serde(default)]
    pub kept: bool,
    /// How long each phase took, and all of it.
    pub times: Times,
    /// What the test changed in its process, if anything: the worker is retired for it.
    pub changed: Option<String>,
    /// Whether the test knew its directories, and may have made them.
    #[serde(default)]
    pub knew_directories: bool,
    /// Whether the worker begins the tests that were sent ahead. If not, it begins none of them, not even those that arrive
    /// later, until it is sent one with [`ToWorker::Run`].
    #[serde(default)]
    pub goes_on: bool,
    /// The deployments that its process keeps fixtures for, to be torn down before they stop.
    pub keeps: Vec<String>,
    /// What the test showed of itself.
    #[serde(default, skip_serializing_if = "Shown::is_empty")]
    pub shown: Shown,
}
