//! What is said to the daemon and answered by it. The requests themselves are in [`endpoints`](super::endpoints).
//!
//! Errors are a [`Problem`] with a fitting status.

use std::collections::BTreeMap;
use std::path::PathBuf;

use armadillo_orchestrator::deployment::ExpectationId;
use armadillo_orchestrator::{
    Exit, ExitExpectation, Health, Programs, Secret, ServerKey, Settings, Topology, View,
};
use serde::{Deserialize, Serialize};

pub use super::findings::Findings;
pub use super::state::{DeploymentState, DeploymentStatus, Status};
use crate::checking::Policies;
use crate::event::Company;
use crate::needs::LeaseMode;

/// A deployment that is kept for a person to look at.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Kept {
    /// Its id.
    pub deployment: String,
    /// Its complete topology, as text.
    pub topology: String,
    /// Its servers.
    pub servers: Vec<KeptServer>,
    /// Why the lines may not work, if something is known.
    pub problem: Option<String>,
}

/// A server that is kept.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeptServer {
    /// Its key.
    pub server: ServerKey,
    /// Its role.
    pub role: String,
    /// What it does: `running`, `stopped`, `crashed`, ...
    pub phase: String,
    /// Where clients reach it, by port name.
    pub reach: BTreeMap<String, String>,
    /// Lines for a shell that reach it.
    pub lines: Vec<String>,
    /// Its data and its log.
    pub directory: PathBuf,
}

/// A client is there: a process that runs tests.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Join {
    /// How many tests it runs at once, at most.
    pub slots: u32,
    /// Set by a run that has the daemon to itself: how long that is to stay up afterwards, in milliseconds. What is there was
    /// another run's, and is looked at before tests get it.
    #[serde(default)]
    pub stays_ms: Option<u64>,
    /// How many slots all clients have together, if they share them: the daemon then decides how many tests run at once, those without
    /// deployments included.
    #[serde(default)]
    pub shared_slots: Option<u32>,
}

/// A client is known. If its process ends, it has left.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Joined {
    /// Its number.
    pub client: u64,
    /// How many events there are: what happens from now on begins with this number.
    pub events: usize,
    /// The events that say which deployments there are.
    pub deployments: Vec<crate::event::Event>,
}

/// Tests that a client wants to run, in this order.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Wishes {
    /// The topologies they need.
    pub topologies: Vec<Offer>,
    /// The tests.
    pub tests: Vec<Wish>,
    /// Whether a deployment of each topology is needed until the client leaves, whatever tests it names.
    #[serde(default)]
    pub keep: bool,
    /// What their servers are started with; `None`: what the daemon was told when it was started.
    #[serde(default)]
    pub conditions: Option<Conditions>,
}

/// What the servers of a deployment are started with, beside its topology. Clients of one daemon share a deployment only if
/// theirs are equal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Conditions {
    /// The settings systems see.
    pub settings: Settings,
    /// The programs of systems and of the roles that have their own.
    pub programs: Programs,
    /// What tells the content of each program's file from another: a file that was replaced is another program.
    #[serde(default)]
    pub contents: BTreeMap<PathBuf, String>,
    /// The builds of applets among the programs: one that the daemon's executable has in the same build is the same program.
    #[serde(default)]
    pub builds: BTreeMap<String, String>,
}

/// A topology that tests need.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Offer {
    /// The complete topology.
    pub topology: Topology,
    /// How many deployments of it may be shared between tests at the same time; at least one.
    pub copies: u32,
    /// Equal topologies with different numbers are deployments of their own. A client that says which test runs on which copy names
    /// the topology once for each copy, with a number for each.
    #[serde(default)]
    pub apart: u32,
}

/// A test that a client wants to run.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Wish {
    /// The client's number for it.
    pub ticket: u64,
    /// Its name.
    pub test: String,
    /// What it needs: places in [`Wishes::topologies`], with the kind of lease.
    pub needs: Vec<(usize, LeaseMode)>,
    /// How long it is thought to take, in microseconds.
    pub expected_us: u64,
    /// Whether the client has something to prepare between the grant and the beginning, and asks then whether it may begin.
    pub begins_later: bool,
    /// Whether it is granted only after a [`Free`] with its ticket. Deployments start and stay for it all the same, so a client can
    /// decide in which order its tests begin.
    #[serde(default)]
    pub held: bool,
    /// Whether its leases are no events: one of very many that are alike.
    #[serde(default)]
    pub quiet: bool,
}

/// A wish that was held may be granted from now on.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Free {
    /// Its ticket.
    pub ticket: u64,
}

/// A client is ready to run one more test.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ready {
    /// The client's number for this request: another one each time.
    pub poll: u32,
    /// Whether the answer may wait until something can run; otherwise it comes at once.
    pub wait: bool,
    /// Whether the client also has tests that need no deployment and waits for a slot for them. Only clients that share their slots
    /// ask for those.
    #[serde(default)]
    pub plain: bool,
}

/// A client does not wait at a poll any more. The request that waits there is answered, perhaps with a lease.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DropPoll {
    /// The number of the request that waits; it may be on its way yet.
    pub poll: u32,
}

/// What a client is to do next.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Next {
    /// Run this test.
    Run {
        /// Its ticket.
        ticket: u64,
        /// The lease, once for each of its deployments, in the order of the test's needs.
        leases: Vec<Grant>,
    },
    /// This test cannot run.
    Refused {
        /// Its ticket.
        ticket: u64,
        /// Why.
        error: String,
    },
    /// Tear down the fixtures kept for this deployment.
    DropFixtures {
        /// The deployment.
        deployment: String,
    },
    /// Run tests that need no deployment. The slot is the client's until it says that it does not need it any more.
    Plain,
    /// Nothing can run now.
    Nothing,
}

/// The fixtures that a client kept for a deployment are gone.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FixturesGone {
    /// The deployment.
    pub deployment: String,
}

/// Whether a test may begin.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Begin {
    /// If not, its deployments are not as they were when it was granted them: the lease is gone, and the test waits again.
    pub go: bool,
}

/// A lease, for one of its deployments.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Grant {
    /// Its id: 8 hexadecimal digits, part of the name of everything the test creates; the same for all its deployments.
    pub lease: String,
    /// What proves that a request comes from the holder.
    #[serde(with = "armadillo_orchestrator::secret::on_the_wire")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub token: Secret,
    /// Its kind.
    pub mode: LeaseMode,
    /// The deployment.
    pub view: View,
    /// The daemon's socket.
    pub socket: PathBuf,
}

/// The end of a lease.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Release {
    /// When the test really began, in microseconds since the run's start: a moment after it was granted.
    pub began_us: u64,
    /// Whether the test's own process could still tear its fixtures down; if not, what it left is purged.
    pub torn_down: bool,
    /// Why the deployments are not to be trusted as they are, if so: `the test timed out`.
    pub suspect: Option<String>,
    /// Whether the test failed: its servers' logs are wanted.
    pub failed: bool,
    /// What is done about what checkers find.
    pub checkers: Policies,
    /// The deployments that the client keeps fixtures for.
    pub keeps: Vec<String>,
    /// What is wished for if the test failed, or fails for what is found now.
    pub retry: Option<Retry>,
}

/// Another attempt of a test.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Retry {
    /// The client's number for it.
    pub ticket: u64,
    /// The kinds of lease, in the order of the test's needs.
    pub modes: Vec<LeaseMode>,
}

/// What was found when a lease ended.
#[derive(Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Released {
    /// By deployment.
    pub on: BTreeMap<String, Findings>,
    /// For a failed test: who else used its deployments.
    #[serde(default)]
    pub company: Company,
    /// Whether the test failed and its retry waits now.
    #[serde(default)]
    pub again: bool,
    /// Whether the attempt does not count, and waits again: it failed, and a server had ended before it began.
    #[serde(default)]
    pub void: bool,
}

/// A fault or an operation on one server. Only leases on a deployment of one's own may.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Operate {
    /// The server.
    pub server: ServerKey,
    /// What to do.
    pub operation: armadillo_orchestrator::Operation,
    /// How long it may take, in milliseconds.
    pub limit_ms: u64,
}

/// A declaration of how a server will exit. Only leases on a deployment of one's own may.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Expect {
    /// The server.
    pub server: ServerKey,
    /// How.
    pub expectation: ExitExpectation,
}

/// An exit that was declared.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Expected {
    /// Its number.
    pub expectation: ExpectationId,
}

/// A wait for an exit that was declared.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SeeExit {
    /// Its number.
    pub expectation: ExpectationId,
    /// How long it may take, in milliseconds.
    pub limit_ms: u64,
}

/// The exit of a server.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SeenExit {
    /// How it ended.
    pub exit: Exit,
}

/// A start of every server that does not run. Only leases on a deployment of one's own may.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StartAll {
    /// How long it may take, in milliseconds.
    pub limit_ms: u64,
}

/// A start of a server that is meant to end by itself before it is ready. Only leases on a deployment of one's own may.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FailStart {
    /// The server.
    pub server: ServerKey,
    /// How long it may take, in milliseconds.
    pub limit_ms: u64,
}

/// A look at the deployment's health once it differs from the version known.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HealthAfter {
    /// The version known; 0 for none.
    pub after: u64,
    /// How long to wait for another, in milliseconds; then the newest is the answer.
    pub limit_ms: u64,
}

/// A look at who leads, and the log of who led.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Leaders {
    /// How long the look may take, in milliseconds.
    pub limit_ms: u64,
}

/// Health with its version.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VersionedHealth {
    /// Grows with every change.
    pub version: u64,
    /// The health.
    pub health: Health,
}

/// A fixture kept per deployment is needed.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Claim {
    /// The fixture's type.
    pub fixture: String,
}

/// Who sets a deployment's fixture up.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Claimed {
    /// The asking process, which must settle it.
    Yours,
    /// It is there; its serialised value.
    Ready(serde_json::Value),
    /// Its set-up failed, in another test.
    Failed(String),
}

/// The outcome of a fixture's set-up.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Settle {
    /// The fixture's type.
    pub fixture: String,
    /// Its serialised value, or why it could not be made.
    pub outcome: Result<serde_json::Value, String>,
}

/// A request to collect evidence on the deployment of a lease.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Collect {
    /// The directory it goes to.
    pub directory: PathBuf,
    /// How long it may take, in milliseconds.
    pub limit_ms: u64,
}

/// What was collected.
#[derive(Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Collected {
    /// Files, relative to the directory.
    pub files: Vec<String>,
    /// What could not be had, and why.
    pub missing: Vec<String>,
}

/// A worker is wanted.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StartWorker {
    /// Its number.
    pub worker: u32,
    /// The named pipe for its stdout and stderr.
    pub output: PathBuf,
    /// The runner's socket.
    pub socket: PathBuf,
    /// What marks the end of a test's output.
    pub nonce: String,
    /// Whether each test gets a thread of its own.
    pub thread_per_test: bool,
}

/// A worker was started.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorkerStarted {
    /// Its process id.
    pub pid: u32,
}

/// A worker is to end: by itself within the limit, else with all it started.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndWorker {
    /// How long it may take by itself, in milliseconds; 0 kills it at once.
    pub limit_ms: u64,
}

/// How a worker ended.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorkerExit {
    /// `exit code 0`, `signal 6 (SIGABRT)`.
    pub how: String,
    /// Whether it ended with exit code 0.
    pub clean: bool,
    /// Whether it was killed because it had not ended by itself.
    pub killed: bool,
}

/// Why a request was refused.
#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[error("{error}")]
pub struct Problem {
    /// What was wrong.
    pub error: String,
}
