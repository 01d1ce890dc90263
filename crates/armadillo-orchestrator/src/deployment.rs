//! One running instance of a topology: started, watched, judged, operated and ended.

mod autopsies;
mod certificates;
mod cleanup;
mod disk;
mod evidence;
mod existing_data;
mod exits;
mod expectations;
mod failing;
#[cfg(test)]
mod fake;
mod gates;
mod keys;
mod leaders;
mod links;
mod logs;
mod loud;
mod membership;
mod observe;
mod operate;
mod operations;
mod prepare;
mod programs;
mod prove;
mod ready_message;
mod reports;
mod request;
mod spawn;
mod start;
mod statistics;
mod status;
mod stop;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use crate::backend::{BackEnd, Site};
use crate::notice::Notices;
use crate::process::proc_fs;
use crate::server::ServerKey;
use crate::system::System;
use crate::view::View;

pub use evidence::EvidenceReport;
pub use existing_data::DataError;
pub use exits::{CRASHES, Crash};
pub use expectations::{ExitExpectation, ExpectationError, ExpectationId};
pub use failing::{FailedStart, NotFailed};
pub use gates::{BadPlan, check_plan};
pub use keys::KeyError;
pub use logs::LogMarks;
pub use membership::MembershipFailure;
pub use observe::NotGood;
pub use operate::{Done, Operation, OperationError};
pub use operations::OperationRefused;
pub use request::{Failure, Problem, StartError, StartRequest};
pub use status::{Phase, ServerProcess, ServerStatus};
pub use stop::{StopOutcome, StopReport};

use status::Server;

/// A deployment. Dropping it kills whatever of it still runs; [`stop`](Self::stop) it first.
///
/// Its methods that wait are to be polled on the thread that may start processes.
pub struct Deployment {
    system: &'static dyn System,
    view: View,
    /// The same as tests see it, where they reach it at other addresses.
    outer_view: Option<View>,
    back_end: Arc<dyn BackEnd>,
    site: Box<dyn Site>,
    servers: BTreeMap<ServerKey, Server>,
    notices: Notices,
    board: observe::Observations,
    leaders: leaders::LeadershipKeeper,
    /// Where the servers have their directories.
    directory: PathBuf,
    crashes: Mutex<Vec<(Instant, Crash)>>,
    autopsies: autopsies::Autopsies,
    /// The servers that show clients a certificate that is not valid.
    spoilt: Mutex<BTreeSet<ServerKey>>,
    /// The servers of whose logs it was said that they are cut, or cannot be.
    said_of_logs: Mutex<BTreeSet<ServerKey>>,
    /// How far the servers' logs were searched for what is to be told.
    loud: Mutex<loud::Loud>,
    expectations: expectations::Expectations,
    operations: operations::Operations,
    /// Counts exits, starts, stages and operations: whoever waits for one of them wakes up.
    changes: watch::Sender<u64>,
    ended: AtomicBool,
}

impl Deployment {
    /// Its id, unique among all runs.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.view.deployment
    }

    /// What is known of it wherever it is used.
    #[must_use]
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The same as its tests see it: they reach it through the proxy of its links, where its clients do.
    #[must_use]
    pub fn outer_view(&self) -> &View {
        self.outer_view.as_ref().unwrap_or(&self.view)
    }

    /// The system it is an instance of.
    #[must_use]
    pub fn system(&self) -> &'static dyn System {
        self.system
    }

    /// Every planned server's process.
    #[must_use]
    pub fn servers(&self) -> BTreeMap<ServerKey, ServerStatus> {
        self.servers
            .iter()
            .map(|(key, server)| (key.clone(), server.status.borrow().clone()))
            .collect()
    }

    /// The same of those that are part of the deployment or run, as the operating system sees it.
    #[must_use]
    pub fn processes(&self) -> BTreeMap<ServerKey, ServerProcess> {
        let known = self.servers().into_iter();
        let known = known.filter(|(key, status)| self.is_part(key) || status.phase.is_alive());
        let processes = known.map(|(key, status)| {
            let program = self.servers.get(&key).and_then(Server::served_by);
            let process = ServerProcess {
                phase: status.phase,
                pid: status.pid,
                up_for: status.pid.and_then(proc_fs::age),
                version: program.and_then(|program| program.version),
            };
            (key, process)
        });
        processes.collect()
    }

    /// The processes of a server, itself first; none if it does not run.
    #[must_use]
    pub fn pids(&self, server: &ServerKey) -> Vec<u32> {
        let running = self.servers.get(server).and_then(Server::running);
        let processes = running.map(|running| running.processes());
        let processes = processes.unwrap_or_default();
        processes.iter().map(|stat| stat.pid).collect()
    }

    /// Every server that ended by itself, in the order it happened.
    #[must_use]
    pub fn crashes(&self) -> Vec<Crash> {
        let dated = self.dated_crashes().into_iter();
        dated.map(|(_, crash)| crash).collect()
    }

    /// The same, each with the moment in which it was noticed.
    #[must_use]
    pub fn dated_crashes(&self) -> Vec<(Instant, Crash)> {
        self.crashes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A counter that grows with every exit, start, stage and operation, for those who wait for one.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn is_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Kills every server without waiting, for when there is no time.
    pub fn kill_now(&self) {
        self.ended.store(true, Ordering::SeqCst);
        for server in self.servers.values() {
            if let Some(running) = server.running() {
                server.expect_exit(true);
                running.kill_now();
            }
        }
        if let Some(proxy) = self.site.links() {
            proxy.kill_now();
        }
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        self.kill_now();
        self.site.remove_secrets();
    }
}

impl std::fmt::Debug for Deployment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deployment")
            .field("id", &self.id())
            .field("servers", &self.servers())
            .finish_non_exhaustive()
    }
}
