#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "shared by several binaries that are tests as a whole"
)]
//! Real etcd clusters for the tests of this crate, one at a time: a process has one process table.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use armadillo_etcd::{EtcdClient, EtcdSystem, EtcdTopology, GROUP};
use armadillo_orchestrator::process::Ledger;
use armadillo_orchestrator::{
    Answers, Deadline, Deployment, Health, Local, Operation, Processes, Program, Programs,
    ServerKey, Settings, StartRequest, System, View, random,
};
use tokio::sync::mpsc::unbounded_channel;

/// Everything here takes well under a second; this is for a machine that does much else.
pub const LIMIT: Duration = Duration::from_secs(30);

/// The variable that makes a missing etcd an error.
const REQUIRE: &str = "ARMADILLO_REQUIRE_ETCD";

/// Whoever runs a cluster.
static TURN: Mutex<()> = Mutex::new(());

/// A cluster that runs.
pub struct Cluster {
    pub deployment: Arc<Deployment>,
    /// A client without a prefix.
    pub client: EtcdClient,
    /// From the start of the first member until all were ready and the whole good.
    pub start_took: Duration,
}

/// Runs `test` on a cluster of its own, and stops that. Without etcd it says so and returns nothing.
///
/// # Panics
/// When the cluster does not start or does not stop as it should, when a member crashes, or when etcd is missing
/// although it is required.
pub fn with_cluster<T>(topology: EtcdTopology, test: impl AsyncFnOnce(&Cluster) -> T) -> Option<T> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let program = match Program::find(&EtcdSystem, &settings(), &mut Answers::default()) {
        Ok(program) => program,
        Err(missing) if std::env::var_os(REQUIRE).is_none() => {
            eprintln!("skipped: {missing}");
            return None;
        }
        Err(missing) => panic!("{REQUIRE} is set, and there is {missing}"),
    };
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let cluster = start(topology, program, directory.path()).await;
        let outcome = test(&cluster).await;
        let crashes = cluster.deployment.crashes();
        assert!(crashes.is_empty(), "{crashes:?}");
        let report = cluster.deployment.stop(LIMIT).await;
        assert_eq!(report.complaints(), Vec::<String>::new());
        Some(outcome)
    })
}

fn settings() -> Settings {
    let mut settings = Settings::default();
    if let Ok(path) = std::env::var("ARMADILLO_ETCD") {
        settings.set("etcd", vec![path]);
    }
    settings
}

async fn start(topology: EtcdTopology, program: Program, directory: &Path) -> Cluster {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let run = random::hex::<4>().unwrap();
    let ledger = Ledger::open(&directory.join("ledger")).unwrap();
    let processes = Processes::install(&run, ledger).unwrap();
    let wish = topology.topology().to_topology();
    let topology = EtcdSystem.complete(&wish, &settings()).unwrap();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut programs = Programs::default();
    programs.add(EtcdSystem.name(), None, program);
    let request = StartRequest {
        id: format!("{}-{run}{number}", topology.label()),
        system: &EtcdSystem,
        topology,
        settings: settings(),
        programs,
        directory: directory.join("servers"),
        secrets: None,
        share: None,
        deadline: Deadline::after(LIMIT),
    };
    let (notices, _) = unbounded_channel();
    let begun = Instant::now();
    let deployment = Deployment::start(Arc::new(Local::new(processes)), request, notices)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    Cluster {
        start_took: begun.elapsed(),
        client: EtcdClient::without_prefix(deployment.view()),
        deployment,
    }
}

impl Cluster {
    pub fn view(&self) -> &View {
        self.deployment.view()
    }

    pub fn members(&self) -> Vec<ServerKey> {
        self.client.servers()
    }

    /// Does something to a member and says what it took.
    pub async fn operate(&self, server: &ServerKey, operation: Operation) -> Duration {
        let done = self
            .deployment
            .operate(server, operation, LIMIT)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        done.took
    }

    /// Waits until the health is as wished.
    pub async fn wait(&self, what: &str, holds: impl Fn(&Health) -> bool) -> Health {
        let deadline = Deadline::after(LIMIT);
        let mut version = 0;
        loop {
            let (now, health) = self.deployment.wait_for_health(version, deadline).await;
            if holds(&health) {
                return health;
            }
            assert!(!deadline.passed(), "{what}: it did not happen:\n{health}");
            version = now;
        }
    }

    pub async fn wait_good(&self) -> Health {
        self.deployment
            .wait_good(LIMIT)
            .await
            .unwrap_or_else(|error| panic!("{error}\n{}", error.health))
    }

    /// The leader and its term.
    pub async fn leader(&self) -> (ServerKey, u64) {
        let health = self
            .wait("a leader", |health| health.leader(GROUP).is_some())
            .await;
        (health.leader(GROUP).unwrap().clone(), health.terms[GROUP])
    }
}

/// A number from the environment.
pub fn number_from_env(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name}={text:?} is not a number")),
        Err(_) => default,
    }
}
