//! What the page is given: a run as one value. Times are in microseconds from the run's start; what refers to another
//! thing names its place in that thing's list.

use armadillo_orchestrator::{Figure, Stage};
use serde::Serialize;

use super::mark::Mark;
use crate::event::{MachineSample, ProgramInfo, StartReason, TestIsolation, Tone};
use crate::needs::LeaseMode;

/// A run.
#[derive(Debug, Serialize)]
pub(super) struct ReportData {
    pub(super) run: RunData,
    /// What is not known of the run, a sentence each.
    pub(super) missing: Vec<String>,
    pub(super) topologies: Vec<String>,
    pub(super) tests: Vec<TestData>,
    pub(super) deployments: Vec<DeploymentData>,
    pub(super) workers: Vec<WorkerData>,
    pub(super) marks: Vec<Mark>,
    pub(super) warnings: Vec<(u64, String)>,
    /// How busy the machine was, at these times.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) machine: Vec<(u64, MachineSample)>,
}

/// What the run was about to do, and how it ended.
#[derive(Debug, Serialize)]
pub(super) struct RunData {
    pub(super) id: String,
    pub(super) unix_time: u64,
    /// The run's start, in microseconds since 1970.
    pub(super) epoch: i64,
    pub(super) armadillo: String,
    pub(super) executable: String,
    pub(super) args: Vec<String>,
    /// As text: a browser's numbers have 53 bits.
    pub(super) seed: String,
    pub(super) workers: u32,
    pub(super) isolation: String,
    pub(super) filtered_out: u32,
    pub(super) programs: Vec<(String, ProgramInfo)>,
    pub(super) duration: u64,
    /// Whether it goes on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) live: bool,
    /// `None`: it was killed, or goes on.
    pub(super) exit_code: Option<u8>,
    pub(super) early: Option<String>,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Passed,
    Flaky,
    Failed,
    Inconclusive,
    Skipped,
    Ignored,
    Running,
    NotRun,
}

/// A test.
#[derive(Debug, Serialize)]
pub(super) struct TestData {
    pub(super) name: String,
    pub(super) status: Status,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) place: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) markers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) topology: Option<usize>,
    /// Why it was ignored or skipped.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) reason: String,
    /// What its attempts tell together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retries: Option<&'static str>,
    /// The command that runs it again, if it did not simply pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) again: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) attempts: Vec<AttemptData>,
}

/// An attempt of a test.
#[derive(Debug, Serialize)]
pub(super) struct AttemptData {
    pub(super) no: u32,
    pub(super) from: u64,
    pub(super) to: u64,
    /// Set-up, body, tear-down.
    pub(super) phases: [u64; 3],
    /// `passed`, `skipped`, `running`, or what kind of failure.
    pub(super) verdict: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) traces: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) worker: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) deployments: Vec<usize>,
    #[serde(skip_serializing_if = "is_as_declared")]
    pub(super) isolation: TestIsolation,
    /// How long it waited for its lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) waited: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) shared_with: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) before: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) output: String,
    /// How many bytes it printed, if not all of them are here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) printed: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) logs: Vec<LogData>,
    /// The directory with what was collected, below that of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) files: Option<String>,
    /// What it showed of itself: lane, text, from, to, tone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) shown: Vec<(String, String, u64, u64, Tone)>,
    /// How many more stretches it showed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shown_more: Option<u32>,
}

fn is_as_declared(isolation: &TestIsolation) -> bool {
    *isolation == TestIsolation::AsDeclared
}

/// What a server logged in the time of a test.
#[derive(Debug, Serialize)]
pub(super) struct LogData {
    pub(super) deployment: String,
    pub(super) server: String,
    pub(super) of: usize,
    pub(super) lines: Vec<String>,
}

/// A worker process.
#[derive(Debug, Serialize)]
pub(super) struct WorkerData {
    pub(super) no: u32,
    pub(super) pid: u32,
    pub(super) from: u64,
    pub(super) to: Option<u64>,
    pub(super) why: String,
}

/// A deployment.
#[derive(Debug, Serialize)]
pub(super) struct DeploymentData {
    pub(super) id: String,
    pub(super) topology: usize,
    pub(super) system: String,
    pub(super) reason: Option<StartReason>,
    pub(super) from: u64,
    pub(super) ready: Option<u64>,
    pub(super) took: Option<u64>,
    pub(super) stopped: Option<u64>,
    pub(super) failed: Option<String>,
    pub(super) recycled: Option<(u64, String)>,
    pub(super) complaints: Vec<String>,
    /// From, to, what was done.
    pub(super) repairs: Vec<(u64, u64, String)>,
    pub(super) servers: Vec<ServerData>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) operations: Vec<OperationData>,
    pub(super) leaders: Vec<GroupData>,
    pub(super) leases: Vec<LeaseData>,
    pub(super) marks: Vec<Mark>,
    pub(super) curves: Vec<CurveData>,
    /// The moments of the samples.
    pub(super) sampled: Vec<u64>,
}

/// A server.
#[derive(Debug, Serialize)]
pub(super) struct ServerData {
    pub(super) name: String,
    pub(super) processes: Vec<ProcessData>,
    /// What, when ordered, when seen, why it failed.
    pub(super) operations: Vec<(String, u64, u64, Option<String>)>,
}

/// A process of a server.
#[derive(Debug, Serialize)]
pub(super) struct ProcessData {
    pub(super) pid: Option<u32>,
    pub(super) from: u64,
    pub(super) stages: Vec<(u64, Stage)>,
    /// `None`: the log does not tell.
    pub(super) exit: Option<ExitData>,
}

/// The end of a process.
#[derive(Debug, Serialize)]
pub(super) struct ExitData {
    pub(super) at: u64,
    pub(super) how: String,
    pub(super) expected: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) log: Vec<String>,
}

/// An operation on the whole.
#[derive(Debug, Serialize)]
pub(super) struct OperationData {
    pub(super) name: String,
    pub(super) from: u64,
    pub(super) to: Option<u64>,
    /// How it ended, in words.
    pub(super) outcome: String,
    pub(super) failed: bool,
    pub(super) steps: Vec<StepData>,
}

/// A step of an operation.
#[derive(Debug, Serialize)]
pub(super) struct StepData {
    pub(super) what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) server: Option<String>,
    pub(super) from: u64,
    pub(super) to: u64,
    /// How it ended, in words.
    pub(super) outcome: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) failed: bool,
}

/// The leaders of a group.
#[derive(Debug, Serialize)]
pub(super) struct GroupData {
    pub(super) name: String,
    pub(super) entries: Vec<LeaderData>,
}

/// A change of the leader: it happened after `after` and was seen at `seen`.
#[derive(Debug, Serialize)]
pub(super) struct LeaderData {
    pub(super) after: Option<u64>,
    pub(super) seen: u64,
    pub(super) leader: Option<String>,
    pub(super) term: Option<u64>,
}

/// A lease on a deployment.
#[derive(Debug, Serialize)]
pub(super) struct LeaseData {
    pub(super) test: usize,
    pub(super) from: u64,
    pub(super) to: Option<u64>,
    pub(super) waited: u64,
    pub(super) mode: LeaseMode,
}

/// A figure of each server, at the moments when it was read.
#[derive(Debug, Serialize)]
pub(super) struct CurveData {
    pub(super) figure: Figure,
    /// Whether it is a total that only grows.
    pub(super) total: bool,
    /// By server, in the order of the servers.
    pub(super) values: Vec<Vec<Option<f64>>>,
}
