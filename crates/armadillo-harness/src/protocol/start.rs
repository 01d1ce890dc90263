//! What a runner and the daemon it starts say to each other first, each on one line of a pipe.

use std::collections::BTreeSet;
use std::path::PathBuf;

use armadillo_orchestrator::{CorePolicy, Programs, Secret, Settings};
use serde::{Deserialize, Serialize};

use crate::checking::Policies;

/// What a daemon lives as long as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifeline {
    /// The process that started it, which holds the other end of its standard input.
    Runner,
    /// A process whose tests share the daemon: nextest's, cargo's, or that of a command which runs several executables.
    Process {
        /// Its process id.
        pid: u32,
        /// When it started, in clock ticks since the machine's boot: no other process of that id has the same.
        start_time: u64,
        /// How long deployments may take to stop when it has ended, in milliseconds.
        patience_ms: u64,
    },
    /// Runs that come one after the other: it ends when there was none for so long.
    Idle {
        /// How long, in milliseconds; each run may say otherwise.
        limit_ms: u64,
    },
}

/// What a runner tells the daemon it starts, on its standard input's first line.
#[derive(Debug, Serialize, Deserialize)]
pub struct Start {
    /// [`super::VERSION`].
    pub version: u32,
    /// What it lives as long as.
    pub lifeline: Lifeline,
    /// The run's directory for events, logs and server files.
    pub directory: PathBuf,
    /// The directory of the run of nextest, if the daemon is shared by its tests.
    pub group: Option<PathBuf>,
    /// The run's id.
    pub run: String,
    /// The runner's process id. A shared daemon has no runner: it is that of the process which started it.
    pub runner: u32,
    /// What proves that events come from the runner.
    #[serde(with = "armadillo_orchestrator::secret::on_the_wire")]
    pub journal: Secret,
    /// When the run began.
    pub origin: crate::clock::Origin,
    /// The working directory of the workers: the package's, under cargo.
    pub working_directory: PathBuf,
    /// The settings systems see.
    pub settings: Settings,
    /// The programs of systems and of the roles that have their own.
    pub programs: Programs,
    /// What is done about what checkers find on a deployment that nobody uses.
    pub checkers: Policies,
    /// Memory that deployments may use together, in MiB.
    pub memory_mib: u64,
    /// Whether the deployments of other runs count, too: the limit is what was free, and nobody has set it for this run.
    pub shares_memory: bool,
    /// The environment of the workers is the runner's; these variables are taken out of it.
    pub hidden_variables: Vec<String>,
    /// Whether deployments that failed somebody are left running for a person to look at.
    pub keep_on_failure: bool,
    /// What every time limit is multiplied with.
    pub timeout_factor: f64,
    /// Whether the run may have a control group of its own.
    pub cgroup: bool,
    /// What is done with the cores of servers.
    pub cores: CorePolicy,
    /// The roles whose servers are recorded.
    pub record: BTreeSet<String>,
    /// How often the statistics of deployments are sampled, in milliseconds; `None`: not at all.
    pub sample_every_ms: Option<u64>,
}

impl Start {
    /// Whether the daemon is for clients that come one after the other, and outlives the one that started it.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.lifeline != Lifeline::Runner
    }
}

/// What the daemon answers on its standard output when it is there.
#[derive(Debug, Serialize, Deserialize)]
pub struct Started {
    /// The daemon's process id.
    pub pid: u32,
    /// Its socket.
    pub socket: PathBuf,
    /// The run's private directory, for sockets, secrets and temporary directories.
    pub run_dir: PathBuf,
    /// The protections against orphans that are active.
    pub protections: Vec<String>,
    /// What an earlier run had left and was swept.
    pub swept: Vec<String>,
}
