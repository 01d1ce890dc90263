//! Health: one look, a versioned long poll, and the wait for all to be good.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::Deployment;
use super::leaders::now_ms;
use super::status::{Phase, Server};
use crate::deadline::Deadline;
use crate::health::{Health, State};
use crate::poll::Poll;

/// How long one look at the whole may take.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

/// The last health seen, and whether somebody is looking.
#[derive(Default)]
pub(super) struct Observations(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    /// Grows with every health that differs from the one before; 0 is none.
    version: u64,
    health: Health,
    /// Closed when the look in progress has ended, or was given up.
    look: Option<watch::Receiver<()>>,
}

/// A deployment that was not good in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not good after {waited:.1?}: {}", missing.join("; "))]
pub struct NotGood {
    /// How long it was waited.
    pub waited: Duration,
    /// What was missing at the last look, one sentence each.
    pub missing: Vec<String>,
    /// The last look.
    pub health: Health,
}

/// Who looks: one at a time, the others wait for what that one sees.
enum Turn {
    Look(watch::Sender<()>),
    Wait(watch::Receiver<()>),
}

impl Observations {
    fn turn(&self) -> Turn {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(look) = &seen.look
            && look.has_changed().is_ok()
        {
            return Turn::Wait(look.clone());
        }
        let (sender, receiver) = watch::channel(());
        seen.look = Some(receiver);
        Turn::Look(sender)
    }

    fn publish(&self, health: &Health) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.version == 0 || seen.health != *health {
            seen.version += 1;
            seen.health = health.clone();
        }
    }

    fn seen(&self) -> (u64, Health) {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (seen.version, seen.health.clone())
    }
}

impl Deployment {
    /// One look at the whole: what the system sees, overlaid with what is known of the processes. A planned server whose
    /// process is gone or paused is failed, and leads nothing.
    pub async fn health(&self, deadline: impl Into<Deadline> + Send) -> Health {
        match self.look(deadline.into()).await {
            Some(health) => health,
            None => self.overlay(unanswered()),
        }
    }

    /// One look; `None` if the deadline came before it was over.
    async fn look(&self, deadline: Deadline) -> Option<Health> {
        let began_ms = now_ms();
        let look = Deadline::after(LOOK_LIMIT).bound(self.system.health(&self.view));
        let seen = deadline.bound(look).await?;
        let health = self.overlay(seen.unwrap_or_else(unanswered));
        self.board.publish(&health);
        self.note_leaders(&health, began_ms);
        Some(health)
    }

    /// One look, or what another sees that is under way.
    pub(super) async fn look_unless_somebody_does(&self, deadline: Deadline) {
        match self.board.turn() {
            Turn::Look(_looking) => {
                self.look(deadline).await;
            }
            Turn::Wait(mut look) => {
                // An error says that the look has ended, which is what was waited for.
                let _ = deadline.bound(look.changed()).await;
            }
        }
    }

    /// Adds what is known of the processes.
    fn overlay(&self, mut health: Health) -> Health {
        health.servers.retain(|key, _| self.is_part(key));
        for server in self.parts() {
            let key = &server.plan.key;
            let state = health
                .servers
                .entry(key.clone())
                .or_insert_with(|| (State::Unknown, "its state is unknown".into()));
            if let Some(why) = why_failed(server) {
                *state = (State::Failed, why);
                health.depose(key);
            }
        }
        health
    }

    /// Waits until the health differs from the one that had the version `after` (0: any will do), and returns it with
    /// its version; at the deadline, the last one. However many wait, one looks.
    pub async fn wait_for_health(
        &self,
        after: u64,
        deadline: impl Into<Deadline> + Send,
    ) -> (u64, Health) {
        let deadline = deadline.into();
        let mut poll = Poll::new(Duration::from_millis(5), Duration::from_millis(200));
        let mut changes = self.changes();
        loop {
            changes.mark_unchanged();
            self.look_unless_somebody_does(deadline).await;
            let (version, health) = self.board.seen();
            if version > after || deadline.passed() {
                return (version, health);
            }
            tokio::select! {
                () = poll.pause(deadline) => {}
                _ = changes.changed() => poll.reset(),
            }
        }
    }

    /// Waits until every planned server is good, every group has a leader and nothing is complained of.
    ///
    /// # Errors
    /// What is missing at the deadline.
    pub async fn wait_good(&self, deadline: impl Into<Deadline> + Send) -> Result<Health, NotGood> {
        let deadline = deadline.into();
        let begun = Instant::now();
        let mut poll = Poll::new(Duration::from_millis(5), Duration::from_millis(200));
        let mut changes = self.changes();
        let mut last = None;
        loop {
            changes.mark_unchanged();
            // A look that the deadline cut short says less than the one before.
            last = self.look(deadline).await.or(last);
            let health = match &last {
                Some(health) if health.is_good() => return Ok(health.clone()),
                Some(health) => health.clone(),
                None => self.overlay(unanswered()),
            };
            if deadline.passed() {
                return Err(NotGood {
                    waited: begun.elapsed(),
                    missing: health.missing(),
                    health,
                });
            }
            tokio::select! {
                () = poll.pause(deadline) => {}
                _ = changes.changed() => poll.reset(),
            }
        }
    }
}

/// A look that nobody answered.
fn unanswered() -> Health {
    Health {
        complaints: vec!["the health check of the deployment timed out".into()],
        ..Health::default()
    }
}

/// Why a server is failed, whatever it answers.
fn why_failed(server: &Server) -> Option<String> {
    let status = server.status.borrow();
    let ended = |how: &str| match &status.exit {
        Some(exit) => format!("{how} ({exit})"),
        None => how.to_owned(),
    };
    match status.phase {
        Phase::Starting | Phase::Running => None,
        Phase::Planned => Some("it has not been started".into()),
        Phase::Paused => Some("its process is paused".into()),
        Phase::Stopped => Some(ended("it was stopped")),
        Phase::Crashed => Some(ended("it crashed")),
    }
}
