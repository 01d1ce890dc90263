//! One pool: a deployment, those who hold leases on it and those who wait for one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use armadillo_orchestrator::deployment::LogMarks;
use armadillo_orchestrator::{Deployment, Secret, Topology};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::fixtures::Fixtures;
use super::lease::Granted;
use crate::checking::Policies;
use crate::needs::LeaseMode;

/// The pool's number in the run.
pub(super) type PoolId = usize;

/// A deployment of one topology with its queue. A fresh lease has a pool of its own.
pub(super) struct Pool {
    pub(super) topology: Topology,
    /// For one lease alone.
    pub(super) fresh: bool,
    /// Whether the runner may still ask for leases.
    pub(super) wanted: bool,
    pub(super) state: State,
    pub(super) queue: VecDeque<Waiting>,
    pub(super) leases: BTreeMap<String, Held>,
    /// Why the deployment is not to be trusted until it was looked at; nothing is granted before.
    pub(super) suspect: Option<String>,
    /// What the test that had it alone says of checkers: it rules the look after that test.
    pub(super) own_policies: Option<Policies>,
    /// The tests that shared it since it was last seen to be clean.
    pub(super) unseen: BTreeSet<String>,
    /// Leases that ended when nothing could be looked for: what carries their names is removed after the repair.
    pub(super) unpurged: Vec<String>,
    /// Whether a test on it did not pass: its data is kept.
    pub(super) failed_somebody: bool,
    pub(super) fixtures: Fixtures,
    /// How many deployments were started here.
    pub(super) starts: u32,
    /// The pool's part of the budget, from its first start to its last stop.
    pub(super) budget: Option<OwnedSemaphorePermit>,
}

/// How the deployment is.
pub(super) enum State {
    /// None yet, or no more.
    Absent,
    /// Waiting for the budget, or its servers come up.
    Starting,
    /// Leases can be granted.
    Ready(Arc<Deployment>),
    /// Being put in order after an exclusive lease or something suspicious.
    Repairing(Arc<Deployment>),
    /// It could not be started, and will not be tried again.
    Failed(String),
    /// Being stopped.
    Stopping,
}

/// A request for a lease.
pub(super) struct Waiting {
    pub(super) mode: LeaseMode,
    pub(super) test: String,
    pub(super) since: Instant,
    pub(super) reply: oneshot::Sender<Result<Granted, String>>,
}

/// A lease somebody holds.
pub(super) struct Held {
    pub(super) token: Secret,
    pub(super) mode: LeaseMode,
    pub(super) test: String,
    /// The test has ended and what it left is being looked at; its token is worth nothing any more.
    pub(super) ending: bool,
    /// The tests that were on the deployment at some time since it was granted.
    pub(super) tenants: BTreeSet<String>,
    /// Where the servers' logs stood when it was granted.
    pub(super) marks: LogMarks,
    /// How many crashes the deployment had seen when it was granted.
    pub(super) crashes: usize,
}

impl Pool {
    pub(super) fn new(topology: Topology, fresh: bool) -> Self {
        Self {
            topology,
            fresh,
            wanted: true,
            state: State::Absent,
            queue: VecDeque::new(),
            leases: BTreeMap::new(),
            suspect: None,
            own_policies: None,
            unseen: BTreeSet::new(),
            unpurged: Vec::new(),
            failed_somebody: false,
            fixtures: Fixtures::default(),
            starts: 0,
            budget: None,
        }
    }

    /// The deployment, while there is one that leases may be held on.
    pub(super) fn deployment(&self) -> Option<Arc<Deployment>> {
        match &self.state {
            State::Ready(deployment) | State::Repairing(deployment) => Some(deployment.clone()),
            _ => None,
        }
    }

    /// The next request that can be granted now. First come, first served: a request for an exclusive lease waits until
    /// the others have left, and those behind it wait with it, so that it comes to its turn.
    pub(super) fn take_grantable(&mut self) -> Option<(Waiting, Arc<Deployment>)> {
        let State::Ready(deployment) = &self.state else {
            return None;
        };
        if self.suspect.is_some()
            || self
                .leases
                .values()
                .any(|held| held.mode != LeaseMode::Shared)
        {
            return None;
        }
        let deployment = deployment.clone();
        // Who asked and went away waits for nothing.
        while self
            .queue
            .front()
            .is_some_and(|waiting| waiting.reply.is_closed())
        {
            self.queue.pop_front();
        }
        let grantable = match self.queue.front()?.mode {
            LeaseMode::Shared => true,
            LeaseMode::Exclusive | LeaseMode::Fresh | LeaseMode::Unstarted => {
                self.leases.is_empty() && self.unseen.is_empty()
            }
        };
        if grantable {
            self.queue.pop_front().map(|waiting| (waiting, deployment))
        } else {
            None
        }
    }

    /// Whether the next to come wants it alone, and those who shared it may have left something that would be charged to
    /// that test.
    pub(super) fn wants_a_look(&self) -> bool {
        let next = self.queue.front();
        next.is_some_and(|next| next.mode == LeaseMode::Exclusive) && !self.unseen.is_empty()
    }

    /// Notes a new holder with the others, and the others with it.
    pub(super) fn admit(&mut self, lease: String, mut held: Held) {
        for other in self.leases.values_mut() {
            other.tenants.insert(held.test.clone());
            held.tenants.insert(other.test.clone());
        }
        if held.mode == LeaseMode::Shared {
            self.unseen.insert(held.test.clone());
        }
        self.leases.insert(lease, held);
    }

    /// Refuses everybody who waits.
    pub(super) fn refuse_all(&mut self, error: &str) {
        for waiting in self.queue.drain(..) {
            // Who asked may have gone away.
            let _ = waiting.reply.send(Err(error.to_owned()));
        }
    }

    /// The state as one word, for `GET /v1/status`.
    pub(super) fn state_word(&self) -> &'static str {
        match self.state {
            State::Absent => "absent",
            State::Starting => "starting",
            State::Ready(_) if self.suspect.is_some() => "suspect",
            State::Ready(_) => "ready",
            State::Repairing(_) => "repairing",
            State::Failed(_) => "failed",
            State::Stopping => "stopping",
        }
    }
}
