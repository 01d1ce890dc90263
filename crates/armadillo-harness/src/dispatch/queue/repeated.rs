//! Tests that run again and again.

use super::{AskError, Job, NOTE_LIMIT, Queue};
use crate::protocol::daemon::{Offer, Wishes};
use crate::protocol::endpoints::{self, Done};

impl Queue {
    /// Deployments that tests share stay up until the end: between two repetitions nobody may wish for one.
    pub(super) async fn keep_shared(&self) -> Result<(), AskError> {
        let is_shared = |planned: &&crate::plan::PlannedTopology| {
            let mut needs = self.plan.tests.iter().flat_map(|test| &test.needs);
            needs.any(|need| need.topology == planned.topology && !need.mode.is_fresh())
        };
        let shared = self.plan.topologies.iter().filter(is_shared);
        let topologies: Vec<Offer> = shared
            .map(|planned| Offer {
                topology: planned.topology.clone(),
                copies: planned.copies,
                apart: planned.apart,
            })
            .collect();
        let (Some(daemon), false) = (&self.daemon, topologies.is_empty()) else {
            return Ok(());
        };
        let wishes = Wishes {
            topologies,
            tests: Vec::new(),
            keep: true,
            conditions: self.conditions.clone(),
        };
        let Done {} = self
            .tell::<endpoints::Wish>(daemon, &wishes, NOTE_LIMIT)
            .await?;
        Ok(())
    }

    /// The test runs once more, after those that wait.
    pub(in crate::dispatch) fn repeat(&self, job: &Job) {
        let next = Job {
            again: true,
            ..self.first_attempt(job.test)
        };
        let mut state = self.state.borrow_mut();
        if next.modes.is_empty() {
            state.plain.push_back(next);
        } else {
            state.wished.insert(next.ticket, next.clone());
            state.unwished.push(next);
        }
    }

    /// Tells the daemon of repetitions.
    pub(super) async fn wish_again(&self) {
        let jobs = std::mem::take(&mut self.state.borrow_mut().unwished);
        if let Err(error) = self.wish(jobs, false).await {
            self.state.borrow_mut().broken = Some(error.to_string());
            self.changed.notify_waiters();
        }
    }
}
