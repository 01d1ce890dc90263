//! Brings the events of daemons to the reports.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use super::daemons::Daemons;
use super::journal::Journal;
use super::queue::Queue;
use super::shared::Relevant;
use crate::client::{AskError, DaemonClient, WITHOUT_LIMIT};
use crate::clock::Origin;
use crate::event::{Event, EventKind, StartReason};
use crate::plan::Plan;
use crate::protocol::endpoints::{Endpoint, FollowEvents, ReadEvents};

/// How long a last request to a daemon may take.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Brings the events of each daemon of a run.
pub(super) struct Followers<'a> {
    journal: &'a Journal,
    own: Option<Follower>,
    shared: Option<Shared>,
}

/// Brings those of one.
struct Follower {
    client: DaemonClient,
    /// How many the reports have.
    seen: Cell<usize>,
}

/// Those of a daemon that serves others, too, and has a clock of its own.
struct Shared {
    follower: Follower,
    relevant: RefCell<Relevant>,
    clock: Origin,
    /// When the run began, by its own clock.
    began_us: u64,
}

impl<'a> Followers<'a> {
    pub(super) fn of(daemons: &Daemons, plan: &Arc<Plan>, journal: &'a Journal) -> Self {
        let follower = |client| Follower {
            client,
            seen: Cell::new(0),
        };
        Self {
            journal,
            own: daemons.own_client().map(follower),
            shared: daemons.shared.as_ref().and_then(|shared| {
                Some(Shared {
                    follower: follower(daemons.lease_client()?),
                    relevant: RefCell::new(Relevant::to(plan.clone(), shared.is_alone())),
                    clock: shared.origin,
                    began_us: journal.origin().elapsed_us(),
                })
            }),
        }
    }

    /// For as long as it is polled.
    pub(super) async fn follow(&self, queue: &Queue) -> AskError {
        tokio::select! {
            error = self.follow_own(queue) => error,
            error = self.follow_shared(queue) => error,
        }
    }

    async fn follow_own(&self, queue: &Queue) -> AskError {
        let Some(own) = &self.own else {
            return std::future::pending().await;
        };
        loop {
            match own.fetch::<FollowEvents>(WITHOUT_LIMIT).await {
                Ok(events) => self.relay(events, queue),
                Err(error) => return error,
            }
        }
    }

    async fn follow_shared(&self, queue: &Queue) -> AskError {
        let Some(shared) = &self.shared else {
            return std::future::pending().await;
        };
        // Earlier events belong to other runs, but the deployments still exist.
        let (events, mut deployments) = queue.joined().await;
        shared.follower.seen.set(events);
        for event in &mut deployments {
            if let EventKind::DeploymentStarting { reason, .. } = &mut event.kind {
                *reason = StartReason::Shared;
            }
        }
        self.take_in(shared, deployments, Some(queue));
        loop {
            match shared.follower.fetch::<FollowEvents>(WITHOUT_LIMIT).await {
                Ok(events) => self.take_in(shared, events, Some(queue)),
                Err(error) => return error,
            }
        }
    }

    /// What there is now, at the end of a run.
    pub(super) async fn last_events(&self) {
        if let Err(error) = self.catch_up().await {
            self.journal.warn(format!(
                "the last events of the daemon are missing from the reports: {error}"
            ));
        }
    }

    async fn catch_up(&self) -> Result<(), AskError> {
        if let Some(own) = &self.own {
            while let events = own.fetch::<ReadEvents>(LAST_WORDS).await?
                && !events.is_empty()
            {
                events
                    .into_iter()
                    .for_each(|event| self.journal.relay(event));
            }
        }
        if let Some(shared) = &self.shared {
            while let events = shared.follower.fetch::<ReadEvents>(LAST_WORDS).await?
                && !events.is_empty()
            {
                self.take_in(shared, events, None);
            }
        }
        Ok(())
    }

    fn relay(&self, events: Vec<Event>, queue: &Queue) {
        for event in events {
            tell_of_end(&event, queue);
            self.journal.relay(event);
        }
    }

    /// The log of a shared daemon is not this run's, which has what concerns it in its own.
    fn take_in(&self, shared: &Shared, events: Vec<Event>, queue: Option<&Queue>) {
        for event in events {
            if let Some(queue) = queue {
                tell_of_end(&event, queue);
            }
            for mut event in shared.relevant.borrow_mut().of(event) {
                // Events from before this run get its start time.
                let us = self.journal.origin().us_of(shared.clock, event.us);
                event.us = us.max(shared.began_us);
                self.journal.take_in(event);
            }
        }
    }
}

/// Nobody waits for anything of a deployment that has stopped.
fn tell_of_end(event: &Event, queue: &Queue) {
    if let EventKind::DeploymentStopped { deployment, .. } = &event.kind {
        queue.deployment_ended(deployment);
    }
}

impl Follower {
    /// The events after those that the reports have.
    async fn fetch<E>(&self, limit: Duration) -> Result<Vec<Event>, AskError>
    where
        E: Endpoint<Body = (), Answer = Vec<Event>>,
    {
        let number = self.seen.get().to_string();
        let events = self.client.ask::<E>(&[&number], &(), None, limit).await?;
        self.seen.set(self.seen.get() + events.len());
        Ok(events)
    }
}
