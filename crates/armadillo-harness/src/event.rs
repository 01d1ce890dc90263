//! The events of a run: the only thing any report ever sees. `events.jsonl` holds one [`Event`] a line, and every
//! report can be rebuilt from that file alone.

mod again;
mod isolation;
mod machine;
mod planned;
mod repetitions;
mod shown;

use std::collections::BTreeMap;

use armadillo_orchestrator::versions::Origin;
use armadillo_orchestrator::{Notice, ServerKey, Topology};
use serde::{Deserialize, Serialize};

use crate::clock::Origin as Clock;
use crate::commit::Commit;
use crate::needs::LeaseMode;
use crate::outcome::Verdict;
use crate::trace::Trace;

pub use again::{Again, FileMark};
pub use isolation::TestIsolation;
pub use machine::MachineSample;
pub use planned::{
    CopiesReason, Part, PlannedCopies, PlannedTest, ShardOf, TestOrigin, TopologyOf,
};
pub use repetitions::Repetitions;
pub use shown::{Shown, Stretch, Tone};

/// The version of the format; grows when an old reader would misunderstand.
pub const VERSION: u32 = 1;

/// One immutable record of something that happened in a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Event {
    /// [`VERSION`].
    pub v: u32,
    /// Microseconds since the run started, on the monotonic clock.
    pub us: u64,
    /// What happened.
    pub kind: EventKind,
}

/// What can happen.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The first event: what the run is about to do.
    RunStarted(RunStarted),
    /// A test that was selected but will not run, and why.
    TestIgnored {
        /// The test's name.
        test: String,
        /// Why.
        reason: String,
    },
    /// A test is handed to a worker (or to a thread of the runner).
    TestStarted {
        /// The test's name.
        test: String,
        /// 1 for the first.
        attempt: u32,
        /// The worker; `None` when the runner itself runs it.
        worker: Option<u32>,
        /// The lease it holds.
        lease: Option<String>,
        /// The deployments of that lease.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        deployments: Vec<String>,
    },
    /// An attempt of a test ended.
    TestFinished(TestFinished),
    /// A test runs for longer than tests are expected to; it goes on.
    TestSlow {
        /// The test.
        test: String,
        /// Which attempt, from 1.
        attempt: u32,
        /// How long it has run, in microseconds.
        for_us: u64,
        /// Where it is, if that is known.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        traces: Vec<Trace>,
    },
    /// How often all tests together have run so far, in a run that repeats them until one fails or for a time.
    Repeating(Repetitions),
    /// How often each test ran in it. Its other events are of one of its repetitions only: the first that failed, or the last.
    Repeated {
        /// By the test's name.
        tests: BTreeMap<String, Repetitions>,
    },
    /// An attempt of a test does not count, and will be made again: what it met was none of its doing.
    TestPutBack {
        /// The test's name.
        test: String,
        /// 1 for the first.
        attempt: u32,
        /// Why.
        why: String,
    },
    /// The first event of a daemon that several processes share: the log is not that of one run.
    DaemonStarted {
        /// Its process id.
        pid: u32,
        /// The clock of these events: that of the machine.
        clock: Clock,
    },
    /// A worker process was started.
    WorkerStarted {
        /// Its number.
        worker: u32,
        /// Its process id.
        pid: u32,
    },
    /// A worker process ended or was retired.
    WorkerEnded {
        /// Its number.
        worker: u32,
        /// Why: `end of run`, `killed: time limit`, `signal 6 (SIGABRT)`, `changed its working directory`.
        why: String,
    },
    /// How busy the machine was since the sample before.
    MachineSampled(MachineSample),
    /// A deployment is being started.
    DeploymentStarting {
        /// Its id.
        deployment: String,
        /// Its complete topology.
        topology: Topology,
        /// Why it is started.
        reason: StartReason,
    },
    /// Something a deployment says while it lives: a server started, reached a stage, ended; an operation; a warning.
    Deployment {
        /// Its id.
        deployment: String,
        /// What it says.
        notice: Notice,
    },
    /// A deployment serves leases from now on.
    DeploymentReady {
        /// Its id.
        deployment: String,
        /// Microseconds from the start of its first server.
        took_us: u64,
    },
    /// A deployment could not be started.
    DeploymentFailed {
        /// Its id.
        deployment: String,
        /// Why.
        error: String,
    },
    /// A deployment was repaired in place after an exclusive lease, a failure or a leak.
    DeploymentRepaired {
        /// Its id.
        deployment: String,
        /// What was done.
        what: String,
        /// How long it took, in microseconds.
        #[serde(default)]
        took_us: u64,
    },
    /// A deployment is given up and will be replaced if it is still needed.
    DeploymentRecycled {
        /// Its id.
        deployment: String,
        /// Why.
        reason: String,
    },
    /// A deployment's servers are gone.
    DeploymentStopped {
        /// Its id.
        deployment: String,
        /// What was not as it should be when it stopped.
        complaints: Vec<String>,
        /// Whether others needed its memory or its share of the cores: if tests need it later, another is started.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        evicted: bool,
    },
    /// The files of the run cannot be written any more: their disk is full.
    FilesIncomplete {
        /// The run's directory.
        directory: String,
        /// What the operating system said.
        error: String,
    },
    /// A lease was granted.
    LeaseGranted {
        /// Its id: what the names of what the test creates carry.
        lease: String,
        /// The test.
        test: String,
        /// The deployments it is for, and how.
        on: Vec<Use>,
        /// How long the test waited for it, in microseconds.
        waited_us: u64,
    },
    /// A lease ended.
    LeaseReleased {
        /// Its id.
        lease: String,
    },
    /// Something a person should know that is no verdict.
    Warning {
        /// What.
        text: String,
    },
    /// The last event.
    RunFinished {
        /// The exit code the runner will end with.
        exit_code: u8,
        /// Why it ended early, if it did: `interrupted`, `the run's time limit`, `3 tests failed`.
        ended_early: Option<String>,
    },
}

/// Why a deployment is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StartReason {
    /// The first of its topology.
    First,
    /// In place of one that was recycled.
    Recycle,
    /// For one test alone.
    Fresh,
    /// The same, with servers that the test starts itself.
    Unstarted,
    /// Beside another of its topology, as `--copies` says.
    Copy,
    /// It is not: another process has started it before, and this run uses it, too.
    Shared,
    /// It is not: its servers are somebody else's.
    Attached,
}

/// What the run is about to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunStarted {
    /// The run's id: 8 hexadecimal digits.
    pub run: String,
    /// Seconds since 1970.
    pub unix_time: u64,
    /// And milliseconds.
    #[serde(default)]
    pub unix_millis: u32,
    /// The version of Armadillo.
    pub armadillo: String,
    /// The test binary's crate.
    pub binary: String,
    /// The package of the tests.
    pub package: String,
    /// The arguments it was given.
    pub args: Vec<String>,
    /// The seed of everything random in the run.
    pub seed: u64,
    /// How many tests run at once.
    pub workers: u32,
    /// `workers`, `process` or `none`.
    pub isolation: String,
    /// Every selected test that will run, in the order of the plan.
    pub tests: Vec<PlannedTest>,
    /// How many tests were filtered out.
    pub filtered_out: u32,
    /// The programs that will be used, by the system's name; `mydb (NAME)` for one that topologies name for a role.
    pub programs: BTreeMap<String, ProgramInfo>,
    /// The protections against orphans that are active: `subreaper`, `parent-death signal`, ...
    pub protections: Vec<String>,
    /// Where the run's files are.
    pub directory: Option<String>,
    /// What `--copies` came to, if anything was said of copies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies: Option<PlannedCopies>,
    /// Which shard of the selected tests these are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<ShardOf>,
    /// Which topology the tests are of, if `--topology` selects one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topology: Option<Box<TopologyOf>>,
    /// The command that is run instead of tests, as it was typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Which part of a run of nextest it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// When it is expected to end, in microseconds from its start, if the durations of its tests are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_us: Option<u64>,
    /// The commit that the tests are of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// What it takes to run these tests again as they ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Box<Again>>,
}

impl RunStarted {
    /// The executable, for people and as the name of a suite: `package::binary`; `armadillo`, if there is none or there are several.
    #[must_use]
    pub fn executable(&self) -> String {
        match self.binary.as_str() {
            "" => "armadillo".to_owned(),
            binary => format!("{}::{binary}", self.package),
        }
    }
}

/// One deployment of a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Use {
    /// The deployment.
    pub deployment: String,
    /// How it is used.
    pub mode: LeaseMode,
}

/// A program that will be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProgramInfo {
    /// The path, or the name of the applet.
    pub program: String,
    /// What it says of itself.
    pub version: String,
    /// Set for a stand-in: what it is shown as in headers, summaries and reports.
    pub stand_in: Option<String>,
    /// Why it is not the program that was found or named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// For a program of the user's cache: what it was made from, and its content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// An attempt of a test ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TestFinished {
    /// The test's name.
    pub test: String,
    /// 1 for the first.
    pub attempt: u32,
    /// Which repetition it was of, from 1, if the test ran again and again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repetition: Option<u64>,
    /// Whether another attempt follows.
    pub retried: bool,
    /// What this attempt had for itself that the first one had not.
    #[serde(default)]
    pub isolation: TestIsolation,
    /// The verdict.
    pub verdict: Verdict,
    /// Microseconds of each phase.
    pub times: Times,
    /// What it printed.
    pub output: Captured,
    /// The worker.
    pub worker: Option<u32>,
    /// The deployments it used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deployments: Vec<String>,
    /// Who else used its deployments; by name for a test that did not pass.
    #[serde(default, skip_serializing_if = "Company::is_empty")]
    pub company: Company,
    /// For a test that did not pass: what its servers logged in its time, by deployment and server.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub server_logs: BTreeMap<String, BTreeMap<ServerKey, LogExcerpt>>,
    /// For a test that did not pass: the directory with everything that was collected.
    pub artifacts: Option<String>,
    /// What it showed of itself.
    #[serde(default, skip_serializing_if = "Shown::is_empty")]
    pub shown: Shown,
}

/// Who else used the deployments of a test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Company {
    /// Whether another test used a deployment at the same time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_shared: bool,
    /// The tests whose time on a deployment overlapped with this one's.
    #[serde(default, skip_serializing_if = "Names::is_empty")]
    pub shared_with: Names,
    /// The tests that had ended there before this one began, since the deployment was last seen to be clean.
    #[serde(default, skip_serializing_if = "Names::is_empty")]
    pub before: Names,
}

/// The names of tests: the first few of them, so that what is recorded grows with the tests and not with their pairs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Names {
    /// Those that are named, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named: Vec<String>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u32,
}

impl Company {
    /// Whether nobody else used them.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.is_shared && self.shared_with.is_empty() && self.before.is_empty()
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Names {
    /// How many are named.
    const NAMED: usize = 10;

    /// The first of these, and how many more there are.
    #[must_use]
    pub fn of<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let all: std::collections::BTreeSet<&str> = names.into_iter().collect();
        let more = all.len().saturating_sub(Self::NAMED);
        Self {
            named: all
                .into_iter()
                .take(Self::NAMED)
                .map(str::to_owned)
                .collect(),
            more: u32::try_from(more).unwrap_or(u32::MAX),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.named.is_empty()
    }
}

impl std::fmt::Display for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.named.join(", "))?;
        match self.more {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// How long an attempt took, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Times {
    /// Fixtures set up.
    pub set_up: u64,
    /// The body.
    pub body: u64,
    /// Fixtures torn down.
    pub tear_down: u64,
    /// From its beginning to its end as its process measured it; of an attempt whose process did not report, as the runner did.
    pub total: u64,
}

/// What a test printed on stdout and stderr, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Captured {
    /// How many bytes it printed.
    pub bytes: u64,
    /// The text; empty for a test that passed, unless output is shown for those too. Bytes that are not UTF-8 are
    /// replaced.
    pub text: String,
    /// How many bytes in the middle are left out of `text`.
    pub omitted: u64,
}

/// The lines of a server's log that say most of what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogExcerpt {
    /// The grave ones first, then the last ones; each as a person reads it.
    pub lines: Vec<String>,
    /// How many lines there are in all.
    pub of: usize,
}
