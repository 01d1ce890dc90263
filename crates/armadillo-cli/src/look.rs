//! How the servers of a deployment are, at one moment: as data, for tables and for programs.

use std::collections::BTreeMap;
use std::time::Duration;

use armadillo_harness::fixture::{LeaseError, Orchestrator};
use armadillo_harness::session::Session;
use armadillo_orchestrator::process::proc_fs;
use armadillo_orchestrator::{Health, OperationStatus, ServerKey, State, StepState};
use serde::Serialize;

/// A deployment.
#[derive(Debug, Serialize)]
pub(crate) struct Deployment {
    /// Its name in its run: `etcd`, and for the second of the same system `etcd-2`.
    pub(crate) name: String,
    /// Its id, unique among all runs.
    pub(crate) id: String,
    /// `etcd`, `arangodb`.
    pub(crate) system: String,
    /// Its complete topology.
    pub(crate) topology: String,
    /// Whether all of it is as it should be.
    pub(crate) healthy: bool,
    /// What is wrong with the whole although each server is good.
    pub(crate) complaints: Vec<String>,
    /// Its servers.
    pub(crate) servers: Vec<Server>,
    /// The operation on the whole that is in progress.
    pub(crate) operation: Option<Operation>,
}

/// An operation that is in progress.
#[derive(Debug, Serialize)]
pub(crate) struct Operation {
    /// Its number.
    pub(crate) id: u32,
    /// What it is called.
    pub(crate) name: String,
    /// What it does now.
    pub(crate) doing: String,
    /// How many of its steps have ended.
    pub(crate) done: usize,
    /// How many steps it has.
    pub(crate) steps: usize,
}

impl Operation {
    /// As a line of text.
    pub(crate) fn in_words(&self) -> String {
        let Self { name, doing, .. } = self;
        let number = (self.done + 1).min(self.steps);
        format!(
            "{name}: step {number} of {}: {doing} (`armadillo cancel` stops it where it is safe)",
            self.steps
        )
    }

    fn of(status: &OperationStatus) -> Option<Self> {
        if status.has_ended() {
            return None;
        }
        let mut steps = status.steps.iter();
        let has_ended =
            |state: &StepState| !matches!(state, StepState::Planned | StepState::Running);
        let doing = steps.find(|(_, state)| !has_ended(state));
        let ended = status.steps.iter().filter(|(_, state)| has_ended(state));
        Some(Self {
            id: status.id.0,
            name: status.name.clone(),
            doing: doing.map_or_else(|| "ending".to_owned(), |(step, _)| step.to_string()),
            done: ended.count(),
            steps: status.steps.len(),
        })
    }
}

/// A server.
#[derive(Debug, Serialize)]
pub(crate) struct Server {
    /// `dbserver-1`.
    pub(crate) name: String,
    /// `dbserver`.
    pub(crate) role: String,
    /// What it runs: `3.6.16`; if it has said one.
    pub(crate) version: Option<String>,
    /// `running`, `stopped`, `paused`, ...
    pub(crate) state: String,
    /// While it runs.
    pub(crate) pid: Option<u32>,
    /// Resident memory.
    pub(crate) memory_bytes: Option<u64>,
    /// How long its process has run.
    pub(crate) up_seconds: Option<u64>,
    /// `good`, or what is wrong.
    pub(crate) health: String,
    /// The groups that it leads.
    pub(crate) leads: Vec<String>,
    /// Where clients reach it, by the name of the port: `127.0.0.1:4711`.
    pub(crate) endpoints: BTreeMap<String, String>,
}

/// Looks at a deployment.
///
/// # Errors
/// When the daemon does not answer, or the lease has ended.
pub(crate) async fn at(name: String, deployment: &Orchestrator) -> Result<Deployment, LeaseError> {
    let view = deployment.view();
    let health = deployment.health().await?;
    let processes = deployment.processes().await?;
    let operations = Session::operations(deployment).await?;
    let server = |(key, place): (&ServerKey, &armadillo_orchestrator::Place)| {
        let process = processes.get(key);
        let pid = process.and_then(|process| process.pid);
        let usage = pid.and_then(proc_fs::usage);
        let ports = place.reach.keys();
        Server {
            name: key.to_string(),
            role: place.role.clone(),
            version: process.and_then(|process| process.version.clone()),
            state: process.map_or_else(String::new, |process| process.phase.to_string()),
            pid,
            memory_bytes: usage.map(|usage| usage.memory_bytes),
            up_seconds: process
                .and_then(|process| process.up_for)
                .map(|time: Duration| time.as_secs()),
            health: in_words(&health, key),
            leads: led_by(&health, key),
            endpoints: ports
                .filter_map(|port| Some((port.clone(), view.reach(key, port)?.to_owned())))
                .collect(),
        }
    };
    Ok(Deployment {
        name,
        id: view.deployment.clone(),
        system: view.topology.system.clone(),
        topology: view.topology.to_string(),
        healthy: health.is_good(),
        servers: view.servers().map(server).collect(),
        complaints: health.complaints.clone(),
        operation: operations.iter().find_map(Operation::of),
    })
}

fn in_words(health: &Health, key: &ServerKey) -> String {
    match health.servers.get(key) {
        Some((State::Good, _)) => "good".to_owned(),
        Some((_, why)) => why.clone(),
        None => String::new(),
    }
}

fn led_by(health: &Health, key: &ServerKey) -> Vec<String> {
    let leaders = health.leaders.iter();
    let own = leaders.filter(|(_, leader)| leader.as_ref() == Some(key));
    own.map(|(group, _)| group.clone()).collect()
}
