//! Exits: noticed by one watcher for each process, and judged.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Deployment;
use super::status::{Phase, Server};
use crate::backend::Running;
use crate::deadline::Deadline;
use crate::notice::Notice;
use crate::process::Exit;
use crate::server::ServerKey;
use crate::system::ExitMeaning;

/// How many of the last lines of a log a crash is reported with.
pub(super) const LAST_LINES: usize = 20;

/// How soon a server on its way out is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The directory for what is found about crashes, beside those of the servers.
pub const CRASHES: &str = "crashes";

/// A server that ended by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crash {
    /// The server.
    pub server: ServerKey,
    /// The process id it had.
    pub pid: Option<u32>,
    /// How it ended.
    pub exit: Exit,
    /// The same in words, with what the system says of it.
    pub text: String,
    /// The last lines it logged.
    pub log: Vec<String>,
}

impl Deployment {
    /// Waits for the end of a server's process, in a task that ends with the deployment.
    pub(super) fn watch(self: &Arc<Self>, server: &Server, running: Arc<dyn Running>) {
        let deployment = Arc::downgrade(self);
        let key = server.plan.key.clone();
        let watcher = tokio::spawn(async move {
            let exit = running.exited().await;
            if let Some(deployment) = deployment.upgrade() {
                deployment.note_exit(&key, running.as_ref(), exit);
            }
        });
        server.watched_by(watcher.abort_handle());
    }

    /// Waits until the exits that are under way are noted, or turn out to be none. A server's connections break a moment before its exit is
    /// told: whoever has seen the one must find the other.
    pub async fn note_exits(&self, deadline: impl Into<Deadline> + Send) {
        let deadline = deadline.into();
        let mut changes = self.changes();
        let ending = |server: &Server| server.running().is_some_and(|running| running.is_ending());
        while self.servers.values().any(ending) && !deadline.passed() {
            // The end of a process is a change. That one is there after all, as those that somebody else started may be, is none.
            let again = deadline.within(LOOK_AGAIN);
            if let Some(Err(_)) = again.bound(changes.changed()).await {
                return;
            }
        }
    }

    /// Whether every server that is part of it runs.
    #[must_use]
    pub fn all_run(&self) -> bool {
        self.parts().all(|server| server.phase() == Phase::Running)
    }

    /// Whether every server runs with a valid certificate, if it has one, and none is on its way out; and whether the proxy
    /// of its links does.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let all_run = self.parts().all(|server| {
            let running = server.running();
            server.phase() == Phase::Running && running.is_some_and(|running| !running.is_ending())
        });
        all_run && self.spoilt_certificates().is_empty() && self.links_work()
    }

    fn note_exit(self: &Arc<Self>, key: &ServerKey, running: &dyn Running, exit: Exit) {
        // Reading its log takes a while, in which tests begin.
        let noticed = Instant::now();
        let Some(server) = self.servers.get(key) else {
            return;
        };
        let text = running
            .exit_in_words(exit)
            .unwrap_or_else(|| self.describe(server, exit));
        // Whoever starts a server judges its end until it is ready: it may be started again.
        let is_starting = server.phase() == Phase::Starting;
        let expectation = self.expectations.note_exit(key, exit, &text);
        let meant = expectation.is_some_and(|expectation| expectation.is_met_by(exit));
        let expected = meant || server.will_end_expectedly();
        let directory = self.directory.join(CRASHES);
        if let Some(autopsy) = running.look_into_end(exit, expected, &directory) {
            self.spawn_autopsy(noticed, autopsy);
        }
        let log = if expected {
            Vec::new()
        } else {
            self.last_words(key, server.log_from(), LAST_LINES)
        };
        if !expected && !is_starting {
            let text = match expectation {
                Some(expectation) => format!("{text}, but was expected to {expectation}"),
                None => text.clone(),
            };
            self.remember_crash(server, running.pid(), exit, text, &log, noticed);
        }
        server.ended(exit, &text, meant);
        self.notices.send(Notice::ServerExited {
            server: key.clone(),
            exit: text,
            expected,
            log,
        });
        self.changed();
    }

    /// Adds to the crashes of this deployment.
    pub(super) fn remember_crash(
        &self,
        server: &Server,
        pid: Option<u32>,
        exit: Exit,
        text: String,
        log: &[String],
        noticed: Instant,
    ) {
        let crash = Crash {
            server: server.plan.key.clone(),
            pid,
            exit,
            text,
            log: log.to_vec(),
        };
        self.crashes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((noticed, crash));
    }

    /// What the system says of an exit. A signal speaks for itself.
    pub(super) fn meaning(&self, server: &Server, exit: Exit) -> ExitMeaning {
        match exit.code {
            Some(code) => self.system.exit_meaning(server.plan.role, code),
            None => ExitMeaning::Unknown,
        }
    }

    /// An exit in words.
    pub(super) fn describe(&self, server: &Server, exit: Exit) -> String {
        match self.meaning(server, exit) {
            ExitMeaning::Config(text)
            | ExitMeaning::Transient(text)
            | ExitMeaning::Failure(text) => format!("{exit}: {text}"),
            ExitMeaning::Clean | ExitMeaning::Unknown => exit.to_string(),
        }
    }
}
