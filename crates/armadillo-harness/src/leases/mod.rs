//! The lease core: which deployments there are, who may use them, and who is charged with what befalls them.
//!
//! A state machine without I/O: [`Input`]s go in with the time they happened at, [`Action`]s come out. The daemon drives
//! it. It serves any number of clients; each says which tests it wishes to run and keeps one *poll* open for every
//! test that it can run right now. A lease is granted to a poll, so nothing is granted before somebody is ready to run it.
//!
//! What always holds, whatever the inputs (`simulation` checks it over random schedules):
//!
//! 1. A lease is granted only to a poll. Deployments are started ahead of need, leases are not.
//! 2. A test is charged only with what happened on its deployments between its own start and end.
//! 3. After a crash, or whatever else makes a deployment suspect, nobody starts there until it was repaired or replaced.
//! 4. Those a test shared a deployment with are the tests whose times overlapped with its own.
//! 5. On one deployment wishes are granted in order: one for an exclusive lease waits for the tests that run, and for
//!    nobody who came later. A test with several deployments gets all of them at once or none.
//! 6. What is remembered of a deployment does not grow with the number of tests that used it.
//! 7. If clients share their slots, no more tests run at once than there are slots, and no slot is free while somebody waits who could
//!    use it.

mod assign;
mod budget;
mod charge;
mod client;
mod deployment;
mod messages;
#[cfg(test)]
mod simulation;
mod slots;
mod supply;

use std::collections::BTreeMap;
use std::sync::Arc;

use armadillo_orchestrator::Topology;

use crate::event::{Company, Use};
use crate::needs::LeaseMode;
use crate::protocol::state::DeploymentState;
use crate::resources::Resources;

use budget::Budget;
use client::{Client, Poll};
use deployment::{Deployment, State};

pub(crate) use budget::Others;
pub(crate) use messages::{Action, Charge, Ended, Found, Input, Offer, Retry, StopReason, Wish};

/// A moment: microseconds since the run's start.
pub(crate) type Moment = u64;

macro_rules! numbers {
    ($($(#[$doc:meta])* $Name:ident),* $(,)?) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub(crate) struct $Name(pub(crate) u64);
        )*
    };
}

numbers! {
    /// A client: a process that runs tests.
    ClientNo,
    /// Room for one test at a client that is ready to run it.
    PollNo,
    /// A test's right to use its deployments.
    LeaseNo,
    /// A deployment, from its first start to its last stop.
    DeploymentNo,
}

/// One deployment, for whoever asks about the state of things.
#[derive(Clone, Debug)]
pub(crate) struct Glance {
    pub(crate) deployment: DeploymentNo,
    pub(crate) topology: Arc<Topology>,
    pub(crate) conditions: usize,
    pub(crate) state: DeploymentState,
    pub(crate) tests: Vec<Arc<str>>,
    pub(crate) kept: bool,
    /// A test on it failed: its data is kept.
    pub(crate) failed: bool,
}

/// A topology that some client has named.
struct Known {
    topology: Arc<Topology>,
    conditions: usize,
    apart: u32,
    takes: Resources,
    copies: usize,
    /// Why no shared deployment of it can be had.
    failed: Option<String>,
    /// How often a later client has tried again.
    tries: u32,
    /// Failed starts for single tests, each of which is one test's refusal.
    failures: Vec<(LeaseMode, String)>,
}

/// A lease that somebody holds.
struct Lease {
    client: ClientNo,
    test: Arc<str>,
    on: Vec<(DeploymentNo, LeaseMode)>,
    /// The wish and the group it came from, in case it goes back.
    wish: client::Queued,
    group: client::Key,
    /// When the test began; `None` while it is being prepared.
    begun: Option<Moment>,
    /// How the test ended, once it has, and what is known of each deployment since.
    ended: Option<Ended>,
    charges: Vec<Charge>,
    company: Vec<Company>,
    /// A server had ended by itself between the grant and the beginning.
    began_too_late: bool,
}

/// The core.
pub(crate) struct Leases {
    /// What deployments may take together.
    has: Resources,
    /// What it shares with other runs; `None` if it has memory of its own.
    budget: Option<Budget>,
    /// Deployments on which a test failed stay up until the end.
    keep_failed: bool,
    /// Deployments that nobody needs stay up until their room is needed: clients will come that need them.
    lingers: bool,
    /// How long they stay up if no run has had them, as the last run has said.
    stays: Moment,
    known: Vec<Known>,
    clients: BTreeMap<ClientNo, Client>,
    polls: BTreeMap<PollNo, Poll>,
    /// How many tests may run at once over all clients, if these share their slots.
    slots: Option<usize>,
    deployments: BTreeMap<DeploymentNo, Deployment>,
    leases: BTreeMap<LeaseNo, Lease>,
    /// The wish for which room is being made: nothing else is started meanwhile.
    room_for: Option<i64>,
    closed: bool,
    now: Moment,
    next_deployment: u64,
    next_lease: u64,
    /// Grows with every wish, so that the oldest comes first; falls below zero for those that come first.
    next_order: i64,
    next_first: i64,
    out: Vec<Action>,
}

impl Leases {
    pub(crate) fn new(has: Resources, keep_failed: bool) -> Self {
        Self {
            has,
            budget: None,
            keep_failed,
            lingers: false,
            stays: Moment::MAX,
            known: Vec::new(),
            clients: BTreeMap::new(),
            polls: BTreeMap::new(),
            slots: None,
            deployments: BTreeMap::new(),
            leases: BTreeMap::new(),
            room_for: None,
            closed: false,
            now: 0,
            next_deployment: 0,
            next_lease: 0,
            next_order: 0,
            next_first: -1,
            out: Vec::new(),
        }
    }

    /// The same for clients that come one after the other: what nobody needs now stays up until its room is needed.
    pub(crate) fn lingering(self, lingers: bool) -> Self {
        Self { lingers, ..self }
    }

    /// Takes in what happened at `now` and says what is to be done, in this order.
    pub(crate) fn handle(&mut self, now: Moment, input: Input) -> Vec<Action> {
        self.now = now;
        self.take_in(now, input);
        self.assign(now);
        let decided = self.out.len();
        self.supply();
        // What was just refused has held places that others may now have.
        if self.out.len() > decided {
            self.assign(now);
        }
        self.assign_plain(now);
        self.answer_the_impatient();
        self.forget_look();
        std::mem::take(&mut self.out)
    }

    fn take_in(&mut self, now: Moment, input: Input) {
        match input {
            Input::Joined {
                client,
                slots,
                shared,
            } => self.joined(client, slots, shared),
            Input::Wished {
                client,
                offers,
                wishes,
                keep,
            } => self.wished(now, client, &offers, wishes, keep),
            Input::Freed { client, ticket } => self.freed(client, ticket),
            Input::Withdrawn { client } => {
                if let Some(client) = self.clients.get_mut(&client) {
                    client.withdraw();
                }
            }
            Input::Left { client } => self.left(client),
            Input::Polled {
                client,
                poll,
                wait,
                plain,
            } => {
                let poll_of = Poll {
                    client,
                    since: now,
                    wait,
                    plain,
                };
                self.polls.insert(poll, poll_of);
            }
            Input::SlotFreed { client } => self.slot_freed(client),
            Input::PollDropped { poll } => {
                self.polls.remove(&poll);
            }
            Input::Begun { lease } => self.begun(now, lease),
            Input::Returned { lease } => self.returned(lease),
            Input::Released { lease, how } => self.released(lease, how),
            Input::Examined {
                lease,
                deployment,
                found,
            } => self.examined(lease, deployment, found),
            Input::Doubted { deployment } => {
                if let Some(deployment) = self.deployments.get_mut(&deployment) {
                    deployment.suspect("a server was ending");
                }
            }
            Input::Crashed {
                deployment,
                what,
                at,
            } => self.crashed(at.min(now), deployment, what),
            Input::Started {
                deployment,
                outcome,
            } => self.started(deployment, outcome),
            Input::Repaired {
                deployment,
                outcome,
            } => self.repaired(deployment, outcome),
            Input::Stopped { deployment } => self.stopped(deployment),
            Input::FixturesGone { client, deployment } => {
                if let Some(kept) = self.deployments.get_mut(&deployment) {
                    kept.kept_by.remove(&client);
                }
            }
            Input::Renewed { stays_us } => self.renew(stays_us),
            Input::Looked { others } => self.looked(others),
            Input::Closed => self.close(),
        }
    }

    /// What is there is looked at before anybody gets it, if somebody wants it, and stops if nobody had it for longer than the last run
    /// has said; what could not be had is tried again.
    fn renew(&mut self, stays_us: Moment) {
        let mut spent = Vec::new();
        for (no, deployment) in &mut self.deployments {
            deployment.is_old = true;
            deployment.failed_somebody = false;
            if self.now.saturating_sub(deployment.used_at) > self.stays {
                spent.push(*no);
            }
        }
        self.stays = stays_us;
        spent.into_iter().for_each(|no| self.stop_idle(no));
        for known in &mut self.known {
            known.failed = None;
            known.failures.clear();
            // The run says itself how many.
            known.copies = 0;
        }
    }

    /// The run is over: nobody gets anything any more, and everything stops.
    fn close(&mut self) {
        self.closed = true;
        self.keep_failed = false;
        self.clients.values_mut().for_each(Client::withdraw);
        self.conclude_all();
        for deployment in self.deployments.values_mut() {
            deployment.abandon();
        }
        let polls = std::mem::take(&mut self.polls);
        let nothing = |poll| Action::Nothing { poll };
        self.out.extend(polls.into_keys().map(nothing));
    }

    /// Whether nothing of any deployment is left.
    pub(crate) fn is_empty(&self) -> bool {
        let gone = |deployment: &Deployment| matches!(deployment.state, State::Queued);
        self.deployments.values().all(gone)
    }

    /// Every deployment, in the order of their numbers.
    pub(crate) fn glance(&self) -> Vec<Glance> {
        let glance = |(no, deployment): (&DeploymentNo, &Deployment)| Glance {
            deployment: *no,
            topology: self.known[deployment.topology].topology.clone(),
            conditions: self.known[deployment.topology].conditions,
            state: deployment.shown_state(),
            tests: self.tests_on(*no),
            kept: deployment.kept,
            failed: deployment.failed_somebody,
        };
        self.deployments.iter().map(glance).collect()
    }

    fn tests_on(&self, deployment: DeploymentNo) -> Vec<Arc<str>> {
        let on_it = |lease: &&Lease| lease.on.iter().any(|(no, _)| *no == deployment);
        let test = |lease: &Lease| lease.test.clone();
        self.leases.values().filter(on_it).map(test).collect()
    }

    /// How many wishes have not been granted yet.
    pub(crate) fn waiting(&self) -> usize {
        self.clients.values().map(Client::waiting).sum()
    }

    /// How many leases are held by tests that have not begun.
    pub(crate) fn held_ahead(&self) -> usize {
        let ahead = |lease: &&Lease| lease.begun.is_none();
        self.leases.values().filter(ahead).count()
    }

    /// The deployments of a lease, while its test runs.
    pub(crate) fn uses(&self, lease: LeaseNo) -> Option<&[(DeploymentNo, LeaseMode)]> {
        let lease = self.leases.get(&lease)?;
        lease.ended.is_none().then_some(lease.on.as_slice())
    }
}

/// What events say of a lease's deployments, once they have names.
pub(crate) fn uses(on: &[(String, LeaseMode)]) -> Vec<Use> {
    let one = |(deployment, mode): &(String, LeaseMode)| Use {
        deployment: deployment.clone(),
        mode: *mode,
    };
    on.iter().map(one).collect()
}
