//! One deployment as the core sees it: its state, who is on it, and what is held against it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::{Action, ClientNo, DeploymentNo, LeaseNo, Leases, Moment, StopReason};
use crate::event::{Names, StartReason};
use crate::needs::LeaseMode;
use crate::protocol::state::DeploymentState;

/// How many names of tests are remembered of each kind; of more, the rest is counted.
const REMEMBERED: usize = 32;

/// How often a deployment is started in a row without a test that begins on it.
const MOST_FRUITLESS: u32 = 3;

/// How a deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Waiting for memory, or for a share of the cores.
    Queued,
    /// Its servers come up.
    Starting,
    /// Leases can be granted.
    Ready,
    /// Being put in order.
    Repairing,
    /// Its servers are being stopped; then it is started again, or gone.
    Stopping { again: bool },
}

/// A deployment.
pub(super) struct Deployment {
    /// Its place in [`Leases::known`].
    pub(super) topology: usize,
    /// `Shared` for many tests; `Fresh` and `Unstarted` for one.
    pub(super) mode: LeaseMode,
    pub(super) state: State,
    /// How often it was started.
    pub(super) starts: u32,
    /// The leases on it.
    pub(super) holders: BTreeMap<LeaseNo, LeaseMode>,
    /// Whether it has been granted, if it is for one test.
    pub(super) used: bool,
    /// Why it is not to be trusted until it was looked at; nothing is granted before.
    pub(super) suspect: Option<String>,
    /// It was there before the run that has it now, and nobody wanted it since.
    pub(super) is_old: bool,
    /// When somebody last had it, or when it was started.
    pub(super) used_at: Moment,
    /// The tests that shared it since it was last seen to be clean.
    pub(super) guests: Guests,
    /// Whether a test on it failed.
    pub(super) failed_somebody: bool,
    /// Left as it is for a person to look at: no other test gets it, nothing on it is undone.
    pub(super) kept: bool,
    /// Clients that keep fixtures for it.
    pub(super) kept_by: BTreeSet<ClientNo>,
    /// Those of them that were told to tear them down.
    pub(super) told: BTreeSet<ClientNo>,
    /// The tests that are on it.
    pub(super) stays: BTreeMap<LeaseNo, Stay>,
    /// A server ended by itself while it was being put in order.
    pub(super) crashed_in_repair: Option<String>,
    /// How often it was started in a row without a test that began on it.
    pub(super) fruitless: u32,
}

/// A test's time on a deployment.
pub(super) struct Stay {
    pub(super) test: Arc<str>,
    /// When it was granted.
    from: Moment,
    /// When it began.
    began: Moment,
    /// Its test has ended, and what that left is being looked at.
    pub(super) is_over: bool,
    /// The tests that were there at the same time.
    pub(super) company: Guests,
    /// The tests that had been there before.
    pub(super) before: Names,
    /// The servers that ended by themselves, and when.
    pub(super) crashes: Vec<(Moment, String)>,
}

impl Stay {
    pub(super) fn new(test: &Arc<str>, from: Moment) -> Self {
        Self {
            test: test.clone(),
            from,
            began: from,
            is_over: false,
            company: Guests::default(),
            before: Names::default(),
            crashes: Vec::new(),
        }
    }

    /// The test began a moment after it was granted.
    pub(super) fn begins(&mut self, at: Option<Moment>) {
        self.began = at.unwrap_or(self.from).max(self.from);
    }

    /// Whether a server had ended by itself when the test began: the test has met what is none of its doing.
    pub(super) fn began_too_late(&self) -> bool {
        self.crashes.iter().any(|(at, _)| *at < self.began)
    }

    /// What ended by itself between the test's start and end.
    pub(super) fn crashes_until(&self, end: Moment) -> Vec<String> {
        let meanwhile = |at: Moment| self.began <= at && at <= end;
        let crashes = self.crashes.iter().filter(|(at, _)| meanwhile(*at));
        crashes.map(|(_, what)| what.clone()).collect()
    }
}

/// Names of tests: the last few, and how many there were.
#[derive(Default)]
pub(super) struct Guests {
    names: VecDeque<Arc<str>>,
    count: u32,
}

impl Guests {
    pub(super) fn add(&mut self, test: &Arc<str>) {
        self.count += 1;
        self.names.push_back(test.clone());
        if self.names.len() > REMEMBERED {
            self.names.pop_front();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Those that are named, without `but`, and how many more there were.
    pub(super) fn names_but(&self, but: &BTreeSet<&str>) -> Names {
        let named = self.names.iter().map(|name| &**name);
        let mut names = Names::of(named.filter(|name| !but.contains(name)));
        let forgotten = self.count.saturating_sub(REMEMBERED as u32);
        names.more += forgotten;
        names
    }

    pub(super) fn names(&self) -> Names {
        self.names_but(&BTreeSet::new())
    }
}

impl Deployment {
    pub(super) fn new(topology: usize, mode: LeaseMode) -> Self {
        Self {
            topology,
            mode,
            state: State::Queued,
            starts: 0,
            holders: BTreeMap::new(),
            used: false,
            suspect: None,
            is_old: false,
            used_at: 0,
            guests: Guests::default(),
            failed_somebody: false,
            kept: false,
            kept_by: BTreeSet::new(),
            told: BTreeSet::new(),
            stays: BTreeMap::new(),
            crashed_in_repair: None,
            fruitless: 0,
        }
    }

    /// Whether many tests may use it, one after the other or together.
    pub(super) fn is_for_many(&self) -> bool {
        self.mode == LeaseMode::Shared
    }

    /// Whether it is there: leases can be granted on it now or soon.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.state, State::Ready | State::Repairing) && !self.is_given_up() && !self.kept
    }

    /// Whether fixtures kept for it are being torn down. It stops then, whoever wants it meanwhile: a fixture that is torn
    /// down is of no use to anybody.
    pub(super) fn is_given_up(&self) -> bool {
        !self.told.is_empty()
    }

    /// Whether something is being done to it that will come to an end by itself.
    pub(super) fn is_in_transition(&self) -> bool {
        matches!(
            self.state,
            State::Starting | State::Repairing | State::Stopping { .. }
        )
    }

    /// Why it is not to be trusted; the first reason stays.
    pub(super) fn suspect(&mut self, why: impl Into<String>) {
        self.suspect.get_or_insert_with(|| why.into());
    }

    /// Nobody holds or keeps anything on it any more.
    pub(super) fn abandon(&mut self) {
        if self.suspect.is_some() || !self.holders.is_empty() {
            // What would be found has been said already, or belongs to tests that were cut off.
            self.guests.clear();
        }
        self.holders.clear();
        self.stays.clear();
        self.kept_by.clear();
    }

    pub(super) fn shown_state(&self) -> DeploymentState {
        match self.state {
            State::Queued => DeploymentState::Queued,
            State::Starting => DeploymentState::Starting,
            State::Ready if self.kept => DeploymentState::Kept,
            State::Ready if self.suspect.is_some() => DeploymentState::Suspect,
            State::Ready => DeploymentState::Ready,
            State::Repairing => DeploymentState::Repairing,
            State::Stopping { .. } => DeploymentState::Stopping,
        }
    }
}

impl Leases {
    pub(super) fn started(&mut self, no: DeploymentNo, outcome: Result<(), String>) {
        let Some(deployment) = self.deployments.get_mut(&no) else {
            return;
        };
        match outcome {
            Ok(()) => deployment.state = State::Ready,
            Err(error) => {
                let (topology, mode) = (deployment.topology, deployment.mode);
                self.deployments.remove(&no);
                self.not_started(topology, mode, error);
            }
        }
    }

    /// A deployment that cannot be had fails the tests that need it, unless another copy of it is there.
    fn not_started(&mut self, topology: usize, mode: LeaseMode, error: String) {
        let stays = |other: &&Deployment| {
            let goes = other.state == State::Stopping { again: false };
            other.topology == topology && other.is_for_many() && !other.kept && !goes
        };
        let others = self.deployments.values().filter(stays).count();
        let known = &mut self.known[topology];
        if mode != LeaseMode::Shared {
            known.failures.push((mode, error));
        } else if others > 0 {
            known.copies = others;
        } else {
            known.failed = Some(error);
        }
    }

    pub(super) fn repaired(&mut self, no: DeploymentNo, outcome: Result<(), String>) {
        let Some(deployment) = self.deployments.get_mut(&no) else {
            return;
        };
        if deployment.state != State::Repairing {
            return;
        }
        deployment.guests.clear();
        let outcome = match deployment.crashed_in_repair.take() {
            Some(crash) => outcome.and(Err(crash)),
            None => outcome,
        };
        match outcome {
            Ok(()) => {
                deployment.state = State::Ready;
                deployment.suspect = None;
            }
            Err(why) => {
                let suspicion = deployment.suspect.take();
                let why = match suspicion {
                    Some(suspicion) => format!("{suspicion}: {why}"),
                    None => why,
                };
                let again = !self.closed;
                self.stop(no, StopReason::Recycled(why), again);
            }
        }
    }

    pub(super) fn stopped(&mut self, no: DeploymentNo) {
        let Some(deployment) = self.deployments.get_mut(&no) else {
            return;
        };
        match deployment.state {
            // Whether it is still needed is seen when it would be started.
            State::Stopping { again: true } if !self.closed => {
                let mut next = Deployment::new(deployment.topology, deployment.mode);
                next.starts = deployment.starts;
                next.fruitless = deployment.fruitless + 1;
                *deployment = next;
                if deployment.fruitless > MOST_FRUITLESS {
                    let (topology, mode) = (deployment.topology, deployment.mode);
                    self.deployments.remove(&no);
                    let error = format!(
                        "it was started {MOST_FRUITLESS} times and failed each time before a test could run on it"
                    );
                    self.not_started(topology, mode, error);
                }
            }
            _ => {
                self.deployments.remove(&no);
            }
        }
    }

    /// Begins to stop a deployment.
    pub(super) fn stop(&mut self, no: DeploymentNo, why: StopReason, again: bool) {
        let Some(deployment) = self.deployments.get_mut(&no) else {
            return;
        };
        deployment.state = State::Stopping { again };
        let trusted = deployment.is_for_many() && deployment.suspect.is_none();
        let guests = if trusted && !matches!(why, StopReason::Recycled(_)) {
            deployment.guests.names()
        } else {
            Names::default()
        };
        deployment.guests.clear();
        self.out.push(Action::Stop {
            deployment: no,
            why,
            guests,
            keep_data: deployment.failed_somebody,
        });
    }

    /// Begins to put a deployment in order.
    pub(super) fn repair(&mut self, no: DeploymentNo) {
        let Some(deployment) = self.deployments.get_mut(&no) else {
            return;
        };
        deployment.state = State::Repairing;
        let why = deployment.suspect.clone();
        self.out.push(Action::Repair {
            deployment: no,
            why: why.unwrap_or_else(|| "before a test with exclusive access".to_owned()),
            guests: deployment.guests.names(),
        });
    }

    /// Begins to start a deployment.
    pub(super) fn start(&mut self, no: DeploymentNo) {
        let Some(at) = self.deployments.get(&no).map(|of| of.topology) else {
            return;
        };
        let is_copy = self.deployments.values().any(|other| {
            other.topology == at && other.is_for_many() && other.state != State::Queued
        });
        let Some(deployment) = self.deployments.get_mut(&no) else {
            return;
        };
        deployment.state = State::Starting;
        deployment.used_at = self.now;
        deployment.starts += 1;
        let reason = match deployment.starts {
            _ if deployment.mode == LeaseMode::Unstarted => StartReason::Unstarted,
            _ if deployment.mode.is_fresh() => StartReason::Fresh,
            1 if is_copy => StartReason::Copy,
            1 => StartReason::First,
            _ => StartReason::Recycle,
        };
        self.out.push(Action::Start {
            deployment: no,
            topology: self.known[deployment.topology].topology.clone(),
            conditions: self.known[deployment.topology].conditions,
            mode: deployment.mode,
            reason,
        });
    }
}
