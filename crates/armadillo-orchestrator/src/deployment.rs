//! One running instance of a topology: started, watched, judged, operated and ended.

mod cleanup;
mod evidence;
mod exits;
mod expectations;
mod failing;
#[cfg(test)]
mod fake;
mod gates;
mod leaders;
mod logs;
mod observe;
mod operate;
mod prove;
mod ready_message;
mod request;
mod start;
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
use crate::server::ServerKey;
use crate::system::System;
use crate::view::View;

pub use evidence::EvidenceReport;
pub use exits::Crash;
pub use expectations::{ExitExpectation, ExpectationError, ExpectationId};
pub use failing::{FailedStart, NotFailed};
pub use gates::{BadPlan, check_plan};
pub use logs::LogMarks;
pub use observe::NotGood;
pub use operate::{Done, Operation, OperationError};
pub use request::{Failure, Problem, StartError, StartRequest};
pub use status::{Phase, ServerStatus};
pub use stop::{StopOutcome, StopReport};

use status::Server;

/// A deployment. Dropping it kills whatever of it still runs; [`stop`](Self::stop) it first.
///
/// Its methods that wait are to be polled on the thread that may start processes.
pub struct Deployment {
    system: &'static dyn System,
    view: View,
    back_end: Arc<dyn BackEnd>,
    site: Box<dyn Site>,
    servers: BTreeMap<ServerKey, Server>,
    notices: Notices,
    board: observe::Observations,
    leaders: leaders::LeadershipKeeper,
    /// Where the servers have their directories.
    directory: PathBuf,
    crashes: Mutex<Vec<(Instant, Crash)>>,
    /// The servers of whose logs it was said that they are cut, or cannot be.
    said_of_logs: Mutex<BTreeSet<ServerKey>>,
    expectations: expectations::Expectations,
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
