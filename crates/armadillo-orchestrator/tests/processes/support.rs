//! What the scenarios share.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use armadillo_orchestrator::process::{Ledger, Processes, proc_fs};
use armadillo_orchestrator::{
    Deadline, Deployment, Local, Notice, Poll, Program, Programs, ServerKey, StartError,
    StartRequest, Topology,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::system::Row;

/// Longer than anything here takes on the slowest machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A test: its name and what it does, in a process of its own.
pub(crate) type Scenario = (&'static str, fn());

/// Runs one scenario by name.
pub(crate) fn run(scenarios: &[Scenario], name: &str) -> ExitCode {
    match scenarios.iter().find(|(known, _)| *known == name) {
        Some((_, scenario)) => {
            scenario();
            ExitCode::SUCCESS
        }
        None => ExitCode::FAILURE,
    }
}

/// Runs a future as the daemon would: on this thread.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// A process table in a directory of its own, and what is needed to start deployments with it.
pub(crate) struct Ground {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) processes: Processes,
    notices: tokio::sync::mpsc::UnboundedSender<(String, Notice)>,
    heard: UnboundedReceiver<(String, Notice)>,
}

impl Ground {
    /// Must be called within a runtime.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&directory.path().join("ledger")).unwrap();
        // A run of its own: other scenarios run at the same time, and look for what carries their marker.
        let run_id = armadillo_orchestrator::random::hex::<4>().unwrap();
        let processes = Processes::install(&run_id, ledger).unwrap();
        let (notices, heard) = unbounded_channel();
        Self {
            directory,
            processes,
            notices,
            heard,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) async fn start(&self, topology: &Topology) -> Result<Arc<Deployment>, StartError> {
        self.start_within(topology, LIMIT).await
    }

    pub(crate) async fn start_within(
        &self,
        topology: &Topology,
        limit: Duration,
    ) -> Result<Arc<Deployment>, StartError> {
        self.start_program(own_program(), topology, limit).await
    }

    pub(crate) async fn start_program(
        &self,
        program: Program,
        topology: &Topology,
        limit: Duration,
    ) -> Result<Arc<Deployment>, StartError> {
        let request = self.request(program, topology, limit);
        let back_end = Arc::new(Local::new(self.processes.clone()));
        Deployment::start(back_end, request, self.notices.clone()).await
    }

    /// A deployment with places, of which nothing runs.
    pub(crate) async fn place(&self, topology: &Topology) -> Arc<Deployment> {
        let request = self.request(own_program(), topology, LIMIT);
        let back_end = Arc::new(Local::new(self.processes.clone()));
        let placed = Deployment::place(back_end, request, self.notices.clone()).await;
        placed.unwrap()
    }

    fn request(&self, program: Program, topology: &Topology, limit: Duration) -> StartRequest {
        let mut programs = Programs::default();
        programs.add("row", None, program);
        StartRequest {
            id: "row-1".into(),
            system: &Row,
            topology: topology.clone(),
            settings: Default::default(),
            programs,
            directory: self.path().join("servers"),
            secrets: Some(self.path().join("secrets")),
            share: None,
            deadline: Deadline::after(limit),
        }
    }

    /// What was noticed since the last time.
    pub(crate) fn heard(&mut self) -> Vec<Notice> {
        std::iter::from_fn(|| self.heard.try_recv().ok())
            .map(|(_, notice)| notice)
            .collect()
    }
}

/// This executable, as the program of the system under test.
pub(crate) fn own_program() -> Program {
    Program {
        path: "/proc/self/exe".into(),
        leading_args: Vec::new(),
        version: None,
        title: "row".into(),
        stand_in: false,
        note: None,
        origin: None,
        sanitizers: Default::default(),
        features: Default::default(),
    }
}

/// A row of servers whose identity is proven that way, with words on their command lines.
pub(crate) fn row(shape: &str, nodes: u32, options: &[(&str, &str)]) -> Topology {
    Topology {
        system: "row".into(),
        shape: shape.into(),
        params: BTreeMap::from([("nodes".to_owned(), nodes)]),
        words: Default::default(),
        options: options
            .iter()
            .map(|(server, word)| ((*server).to_owned(), (*word).to_owned()))
            .collect(),
        binaries: BTreeMap::new(),
        data: None,
    }
}

pub(crate) fn key(number: u32) -> ServerKey {
    ServerKey::numbered("node", number)
}

pub(crate) fn pid_of(deployment: &Deployment, server: &ServerKey) -> u32 {
    deployment.servers()[server].pid.unwrap()
}

pub(crate) fn is_alive(pid: u32) -> bool {
    proc_fs::stat(pid).is_some_and(|stat| !stat.is_zombie())
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Deadline::after(LIMIT);
    let mut poll = Poll::new(Duration::from_millis(1), Duration::from_millis(20));
    while !so() {
        assert!(!deadline.passed(), "never so: {what}");
        poll.pause(deadline).await;
    }
}

/// The living processes below this one that are servers and do nothing but sleep.
pub(crate) fn sleepers(run: &str) -> Vec<u32> {
    armadillo_orchestrator::process::tree::marked(run)
        .into_iter()
        .map(|stat| stat.pid)
        .filter(|pid| {
            std::fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.ends_with(b"serve\0sleep\0"))
        })
        .collect()
}

/// Reads a stream to its end, on a thread.
pub(crate) fn collect(stream: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            stream.read_to_end(&mut bytes).unwrap();
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Lets a moment pass before the next look at a child.
#[expect(clippy::disallowed_methods, reason = "std has no wait with a deadline")]
pub(crate) fn nap() {
    std::thread::sleep(Duration::from_millis(2));
}

/// The directory of a server.
pub(crate) fn directory_of(ground: &Ground, server: &ServerKey) -> PathBuf {
    ground.path().join("servers").join(server.as_str())
}
