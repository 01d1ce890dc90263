//! Who is told what: the polls that wait for an answer, the leases by name and token, and those who wait for their end.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use armadillo_orchestrator::deployment::LogMarks;
use armadillo_orchestrator::random::hex;
use armadillo_orchestrator::{ReportMarks, Secret, ServerKey};
use tokio::sync::oneshot;

use super::deployments::Deployments;
use crate::leases::{ClientNo, DeploymentNo, LeaseNo, PollNo};
use crate::needs::LeaseMode;
use crate::protocol::daemon::{Findings, Grant, Next, Release, Released};

/// What a poll is told.
pub(super) enum Answer {
    /// Something to do.
    Next(Next),
    /// A lease. If nobody takes it, it is given back.
    Lease(LeaseNo, Next),
}

/// A poll that waits.
struct Asked {
    sender: oneshot::Sender<Answer>,
    /// What it waits for.
    until: Until,
}

/// What a poll waits for, beside a lease.
#[derive(Clone, Copy, Debug)]
pub(super) struct Until {
    /// Whether it waits at all.
    pub(super) wait: bool,
    /// Whether a slot for tests that need no deployment will do, too.
    pub(super) plain: bool,
}

/// Why a request on a lease is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum LeaseProblem {
    #[error("the lease {0} has ended")]
    Gone(String),
    #[error("the lease {0} belongs to another client")]
    NotYours(String),
    #[error("the lease {lease} is not for the deployment {deployment}")]
    Elsewhere { lease: String, deployment: String },
}

/// How a deployment was when a test began.
#[derive(Clone, Debug, Default)]
pub(super) struct Begun {
    /// Where its servers' logs stood.
    pub(super) marks: LogMarks,
    /// How many crashes it had seen.
    pub(super) crashes: usize,
    /// Where the reports of its servers' sanitizers ended.
    pub(super) reports: ReportMarks,
    /// When that was; `None` if it did not begin.
    pub(super) at: Option<Instant>,
}

/// A lease as its holder knows it.
struct Open {
    name: String,
    test: Arc<str>,
    waited_us: u64,
    token: Secret,
    client: ClientNo,
    ticket: u64,
    /// The poll it was granted to.
    poll: PollNo,
    /// It is no event.
    quiet: bool,
    /// How its deployments were when its test began.
    begun: BTreeMap<DeploymentNo, Begun>,
    /// Who waits to hear whether the test may begin.
    beginning: Option<oneshot::Sender<bool>>,
    /// How its test ended.
    release: Option<Release>,
    /// Who waits to hear what was found.
    released: Option<oneshot::Sender<Released>>,
    /// What was found so far.
    findings: BTreeMap<DeploymentNo, Findings>,
}

/// A lease that has ended.
pub(super) struct Closed {
    pub(super) name: String,
    /// Whether it was no event.
    pub(super) quiet: bool,
    /// Who waits to hear of its end.
    pub(super) waiting: Option<oneshot::Sender<Released>>,
}

/// The grants. Its borrows never outlive a call.
#[derive(Default)]
pub(super) struct Grants {
    polls: RefCell<HashMap<PollNo, Asked>>,
    /// Polls that were given up before they were taken, or when they had been answered.
    left: RefCell<HashSet<PollNo>>,
    leases: RefCell<BTreeMap<LeaseNo, Open>>,
    numbers: RefCell<HashMap<String, LeaseNo>>,
}

impl Grants {
    /// A poll waits.
    pub(super) fn poll(&self, poll: PollNo, until: Until) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        let asked = Asked { sender, until };
        self.polls.borrow_mut().insert(poll, asked);
        receiver
    }

    /// A poll is dropped that has not arrived: perhaps it is still on its way.
    pub(super) fn leave_ahead(&self, poll: PollNo) {
        self.left.borrow_mut().insert(poll);
    }

    /// Whether a poll was dropped before it arrived.
    pub(super) fn was_left(&self, poll: PollNo) -> bool {
        self.left.borrow_mut().remove(&poll)
    }

    /// Nobody waits for the answer to a poll any more.
    pub(super) fn leave(&self, poll: PollNo) {
        self.polls.borrow_mut().remove(&poll);
    }

    /// Answers a poll; the answer comes back if nobody waits for it.
    pub(super) fn answer(&self, poll: PollNo, answer: Answer) -> Result<(), Answer> {
        match self.polls.borrow_mut().remove(&poll) {
            Some(asked) => asked.sender.send(answer),
            None => Err(answer),
        }
    }

    /// Notes a lease that was granted, and gives it a name.
    ///
    /// # Errors
    /// When the operating system has no random numbers.
    pub(super) fn open(
        &self,
        lease: LeaseNo,
        (client, poll, ticket): (ClientNo, PollNo, u64),
        test: &Arc<str>,
        (waited_us, quiet): (u64, bool),
    ) -> std::io::Result<()> {
        let name = hex::<4>()?;
        let open = Open {
            name: name.clone(),
            test: test.clone(),
            waited_us,
            token: Secret::new(hex::<16>()?),
            client,
            ticket,
            poll,
            quiet,
            begun: BTreeMap::new(),
            beginning: None,
            release: None,
            released: None,
            findings: BTreeMap::new(),
        };
        self.leases.borrow_mut().insert(lease, open);
        self.numbers.borrow_mut().insert(name, lease);
        Ok(())
    }

    /// The names of all open leases.
    pub(super) fn names(&self) -> Vec<String> {
        let leases = self.leases.borrow();
        leases.values().map(|open| open.name.clone()).collect()
    }

    /// The name of a lease, its test, and how long that waited; `None` if it is no event.
    pub(super) fn label(&self, lease: LeaseNo) -> Option<(String, Arc<str>, u64)> {
        let label = self.with(lease, |open| {
            let label = (open.name.clone(), open.test.clone(), open.waited_us);
            (!open.quiet).then_some(label)
        });
        label.flatten()
    }

    /// Notes how the deployments are when a test begins.
    pub(super) fn begin(
        &self,
        lease: LeaseNo,
        deployments: &Deployments,
        on: &[(DeploymentNo, LeaseMode)],
    ) {
        let begun = on.iter().filter_map(|(no, _)| {
            let deployment = deployments.deployment(*no)?;
            let begun = Begun {
                marks: deployment.log_marks(),
                crashes: deployment.crashes().len(),
                reports: deployments.begin_use(*no, &deployment),
                at: Some(Instant::now()),
            };
            Some((*no, begun))
        });
        let begun = begun.collect();
        self.with(lease, |open| open.begun = begun);
    }

    /// Where the log of a server stood when the test began.
    pub(super) fn log_began(&self, lease: LeaseNo, on: DeploymentNo, server: &ServerKey) -> u64 {
        let began = self.with(lease, |open| {
            open.begun.get(&on)?.marks.0.get(server).copied()
        });
        began.flatten().unwrap_or_default()
    }

    /// Hands a lease to its poll; whether somebody took it.
    pub(super) fn grant(
        &self,
        lease: LeaseNo,
        deployments: &Deployments,
        on: &[(DeploymentNo, LeaseMode)],
        socket: &Path,
    ) -> bool {
        let grants = self.with(lease, |open| {
            let grants = on.iter().filter_map(|(no, mode)| {
                Some(Grant {
                    lease: open.name.clone(),
                    token: open.token.clone(),
                    mode: *mode,
                    view: deployments.deployment(*no)?.outer_view().clone(),
                    socket: socket.to_owned(),
                })
            });
            (open.poll, open.ticket, grants.collect::<Vec<_>>())
        });
        let Some((poll, ticket, leases)) = grants else {
            return false;
        };
        if leases.len() < on.len() {
            return false;
        }
        let run = Next::Run { ticket, leases };
        self.answer(poll, Answer::Lease(lease, run)).is_ok()
    }

    /// Somebody waits to hear whether the test of a lease may begin.
    pub(super) fn await_beginning(&self, lease: LeaseNo) -> oneshot::Receiver<bool> {
        let (sender, receiver) = oneshot::channel();
        self.with(lease, |open| open.beginning = Some(sender));
        receiver
    }

    /// Tells who waits for a beginning; whether somebody does.
    pub(super) fn tell_beginning(&self, lease: LeaseNo, go: bool) -> bool {
        let waiting = self.with(lease, |open| open.beginning.take()).flatten();
        // Who asked may have gone away; then its connection's end says so.
        waiting.is_some_and(|waiting| waiting.send(go).is_ok())
    }

    /// A lease that was granted to a poll and taken back before the poll was told: who waits on, and for what. `None` if nobody does.
    pub(super) fn take_back(&self, lease: LeaseNo) -> Option<(ClientNo, PollNo, Until)> {
        let poll = self.with(lease, |open| (open.client, open.poll));
        self.close(lease);
        let (client, poll) = poll?;
        let until = self.polls.borrow().get(&poll)?.until;
        Some((client, poll, until))
    }

    /// Somebody waits to hear what was found after a test.
    pub(super) fn release(&self, lease: LeaseNo, release: Release) -> oneshot::Receiver<Released> {
        let (sender, receiver) = oneshot::channel();
        self.with(lease, |open| {
            open.release = Some(release);
            open.released = Some(sender);
        });
        receiver
    }

    /// How the test of a lease ended, and how a deployment was when it began.
    pub(super) fn ended(
        &self,
        lease: LeaseNo,
        on: DeploymentNo,
    ) -> Option<(String, Option<Release>, Begun)> {
        self.with(lease, |open| {
            let begun = open.begun.get(&on).cloned().unwrap_or_default();
            (open.name.clone(), open.release.clone(), begun)
        })
    }

    /// Keeps what was found on one deployment.
    pub(super) fn found(&self, lease: LeaseNo, on: DeploymentNo, findings: Findings) {
        self.with(lease, |open| open.findings.insert(on, findings));
    }

    /// What was found on one deployment.
    pub(super) fn take_found(&self, lease: LeaseNo, on: DeploymentNo) -> Findings {
        let taken = self.with(lease, |open| open.findings.remove(&on));
        taken.flatten().unwrap_or_default()
    }

    /// The end of a lease.
    pub(super) fn close(&self, lease: LeaseNo) -> Option<Closed> {
        let open = self.leases.borrow_mut().remove(&lease)?;
        self.numbers.borrow_mut().remove(&open.name);
        Some(Closed {
            name: open.name,
            quiet: open.quiet,
            waiting: open.released,
        })
    }

    /// The lease of this name, if the token is its own and its test has not ended.
    pub(super) fn find(&self, name: &str, token: &Secret) -> Result<LeaseNo, LeaseProblem> {
        let gone = || LeaseProblem::Gone(name.to_owned());
        let lease = *self.numbers.borrow().get(name).ok_or_else(gone)?;
        let leases = self.leases.borrow();
        let open = leases.get(&lease).ok_or_else(gone)?;
        if open.token != *token {
            return Err(LeaseProblem::NotYours(name.to_owned()));
        }
        if open.release.is_some() {
            return Err(gone());
        }
        Ok(lease)
    }

    fn with<T>(&self, lease: LeaseNo, look: impl FnOnce(&mut Open) -> T) -> Option<T> {
        self.leases.borrow_mut().get_mut(&lease).map(look)
    }
}
