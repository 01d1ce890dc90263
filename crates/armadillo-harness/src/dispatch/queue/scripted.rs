//! A run that follows a script: tests are held back until it is their turn.

use std::convert::Infallible;

use super::{Job, NOTE_LIMIT, Queue};
use crate::protocol::daemon::Free;
use crate::protocol::endpoints;
use crate::script::Player;

impl Queue {
    /// If there is a script, holds these back. Returns those that the daemon hears of already, so that their deployments start, or all
    /// if there is none.
    pub(super) fn hold(&self, jobs: Vec<Job>) -> Vec<Job> {
        let Some(script) = &self.plan.script else {
            return jobs;
        };
        let mut state = self.state.borrow_mut();
        state.player = Some(Player::new(script.moves.clone(), jobs.len()));
        state.held = jobs.iter().map(|job| (job.test, job.clone())).collect();
        jobs.into_iter()
            .filter(|job| !job.modes.is_empty())
            .collect()
    }

    /// Lets tests begin as a script says, and wishes for repetitions. In other runs there is nothing to do.
    pub(in crate::dispatch) async fn direct(&self) -> Infallible {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            while let Some(job) = self.due() {
                self.free(job).await;
            }
            self.wish_again().await;
            changed.await;
        }
    }

    /// The test that the script lets begin next.
    fn due(&self) -> Option<Job> {
        let mut state = self.state.borrow_mut();
        let test = state.player.as_mut()?.due()?;
        state.held.remove(&test)
    }

    async fn free(&self, job: Job) {
        let (Some(daemon), false) = (&self.daemon, job.modes.is_empty()) else {
            self.state.borrow_mut().plain.push_back(job);
            self.changed.notify_waiters();
            return;
        };
        let free = Free { ticket: job.ticket };
        let freed = self
            .tell::<endpoints::Free>(daemon, &free, NOTE_LIMIT)
            .await;
        if let Err(error) = freed {
            self.state.borrow_mut().broken = Some(error.to_string());
            self.changed.notify_waiters();
        }
    }

    /// A test begins.
    pub(in crate::dispatch) fn begun(&self, job: &Job) {
        if let Some(player) = &mut self.state.borrow_mut().player {
            player.begun(job.test);
            self.changed.notify_waiters();
        }
    }
}
