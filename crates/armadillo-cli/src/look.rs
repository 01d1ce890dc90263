//! How the servers of a deployment are, at one moment: as data, for tables and for programs.

use std::collections::BTreeMap;
use std::time::Duration;

use armadillo_harness::fixture::{LeaseError, Orchestrator};
use armadillo_orchestrator::process::proc_fs;
use armadillo_orchestrator::{Health, ServerKey, State};
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
}

/// A server.
#[derive(Debug, Serialize)]
pub(crate) struct Server {
    /// `dbserver-1`.
    pub(crate) name: String,
    /// `dbserver`.
    pub(crate) role: String,
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
    let server = |(key, place): (&ServerKey, &armadillo_orchestrator::Place)| {
        let process = processes.get(key);
        let pid = process.and_then(|process| process.pid);
        let usage = pid.and_then(proc_fs::usage);
        let ports = place.reach.keys();
        Server {
            name: key.to_string(),
            role: place.role.clone(),
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
