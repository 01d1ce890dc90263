//! The log of who led: kept for as long as the deployment lives, by every look at it, and by looks of its own.

use crate::duration::millis;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::task::AbortHandle;

use super::Deployment;
use crate::deadline::Deadline;
use crate::health::Health;
use crate::leadership::{LeadershipLog, Look};
use crate::notice::Notice;
use crate::poll::Poll;

/// The file of the log, in the directory of the deployment and with what is collected of it: one JSON object a line.
pub(super) const FILE: &str = "leaders.jsonl";

/// How soon after an exit, a start or an operation it is looked, and how often while nothing happens.
const RHYTHM: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// How long one look may take. It is not cut short by the rhythm: a slow answer is an answer.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

/// The log, and what it takes to keep it.
pub(super) struct LeadershipKeeper {
    kept: Mutex<Kept>,
    file: PathBuf,
}

#[derive(Default)]
struct Kept {
    log: LeadershipLog,
    /// When the newest look began.
    last_began_ms: Option<u64>,
    /// The task that looks; it ends with the deployment.
    looker: Option<AbortHandle>,
    /// Whether it was said that the file cannot be written.
    complained: bool,
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(looker) = &self.looker {
            looker.abort();
        }
    }
}

impl LeadershipKeeper {
    pub(super) fn new(directory: &std::path::Path) -> Self {
        Self {
            kept: Mutex::default(),
            file: directory.join(FILE),
        }
    }

    fn kept<T>(&self, act: impl FnOnce(&mut Kept) -> T) -> T {
        act(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Everything so far.
    pub(super) fn log(&self) -> LeadershipLog {
        self.kept(|kept| kept.log.clone())
    }

    /// Adds what a look has shown that began then; returns what is new. A look that began before the newest one is late.
    fn saw(&self, health: &Health, began_ms: u64) -> LeadershipLog {
        self.kept(|kept| {
            if kept.last_began_ms.is_some_and(|newest| began_ms < newest) {
                return LeadershipLog::default();
            }
            let look = Look {
                before_ms: kept.last_began_ms.replace(began_ms),
                ended_ms: now_ms(),
            };
            kept.log.saw(health, look)
        })
    }

    fn write(&self, new: &LeadershipLog) -> std::io::Result<()> {
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.file)?
            .write_all(new.to_lines().as_bytes())
    }
}

impl Deployment {
    /// Who led which group when, as far as anybody has looked: see
    /// [`LeadershipEntry`](crate::LeadershipEntry).
    #[must_use]
    pub fn leadership_log(&self) -> LeadershipLog {
        self.leaders.log()
    }

    /// Takes note of who leads. Every look ends here.
    pub(super) fn note_leaders(&self, health: &Health, began_ms: u64) {
        let new = self.leaders.saw(health, began_ms);
        if new.entries().is_empty() {
            return;
        }
        if let Err(error) = self.leaders.write(&new)
            && !self
                .leaders
                .kept(|kept| std::mem::replace(&mut kept.complained, true))
        {
            let file = self.leaders.file.display();
            self.notices.warn(format!("cannot write {file}: {error}"));
        }
        for entry in new.entries() {
            self.notices.send(Notice::Leader(entry.clone()));
        }
    }

    /// Looks from now on, also while nobody asks: once a second, and soon after each event. A deployment without groups that
    /// have leaders is left in peace.
    pub(super) fn keep_leadership_log(self: &Arc<Self>) {
        if self.leadership_log().entries().is_empty() {
            return;
        }
        let deployment = Arc::downgrade(self);
        let mut changes = self.changes();
        let looker = tokio::spawn(async move {
            let (soon, idle) = RHYTHM;
            let mut poll = Poll::new(soon, idle);
            loop {
                tokio::select! {
                    () = poll.pause(Deadline::after(idle)) => {}
                    changed = changes.changed() => {
                        if changed.is_err() {
                            return;
                        }
                        poll.reset();
                    }
                }
                let Some(deployment) = deployment.upgrade() else {
                    return;
                };
                if deployment.is_ended() {
                    return;
                }
                deployment
                    .look_unless_somebody_does(Deadline::after(LOOK_LIMIT))
                    .await;
            }
        });
        let before = self
            .leaders
            .kept(|kept| kept.looker.replace(looker.abort_handle()));
        if let Some(before) = before {
            before.abort();
        }
    }
}

/// Milliseconds since 1970, as servers date their logs.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, millis)
}
