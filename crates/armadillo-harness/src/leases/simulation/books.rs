//! The books of a simulated world: what really happened, and what the core may therefore do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::{ClientNo, DeploymentNo, LeaseNo, Moment};
use crate::event::Company;
use crate::needs::LeaseMode;

/// What is known of a deployment.
#[derive(Debug, Default)]
pub(super) struct Deployment {
    pub(super) topology: usize,
    pub(super) mode: Option<LeaseMode>,
    /// Whether it is up, and nothing is held against it.
    pub(super) trusted: bool,
    pub(super) up: bool,
    pub(super) stopping: bool,
    pub(super) holders: BTreeMap<LeaseNo, LeaseMode>,
    /// Clients that keep fixtures for it.
    pub(super) kept_by: BTreeSet<ClientNo>,
    /// Some were told to tear them down.
    pub(super) given_up: bool,
    /// Tests that shared it since it was last clean.
    pub(super) dirty: bool,
    pub(super) crashes: Vec<Crash>,
    pub(super) stays: Vec<Stay>,
}

/// A test's time on a deployment, as it was.
#[derive(Clone, Debug)]
pub(super) struct Stay {
    pub(super) lease: LeaseNo,
    pub(super) test: Arc<str>,
    /// When it was granted.
    pub(super) from: Moment,
    /// When it really began.
    pub(super) began: Moment,
    pub(super) to: Moment,
    /// When its end was told; not before what happened in between.
    pub(super) over: Moment,
}

/// A server that ended by itself.
#[derive(Debug)]
pub(super) struct Crash {
    at: Moment,
    /// When the core was told.
    told: Moment,
    what: String,
}

/// A lease, as it was granted.
#[derive(Clone)]
pub(super) struct Lease {
    pub(super) client: ClientNo,
    pub(super) test: Arc<str>,
    pub(super) on: Vec<(DeploymentNo, LeaseMode)>,
}

impl Deployment {
    /// Whether it is for one test.
    pub(super) fn is_fresh(&self) -> bool {
        self.mode.is_some_and(LeaseMode::is_fresh)
    }

    /// Whether a shared lease may be granted on it.
    pub(super) fn is_free_to_share(&self) -> bool {
        let alone = self.holders.values().any(|held| *held != LeaseMode::Shared);
        let is_up = self.up && self.trusted && !self.given_up;
        self.mode == Some(LeaseMode::Shared) && is_up && !alone
    }

    /// Whether nobody is on it, and nobody has shared it since it was clean.
    pub(super) fn is_idle_and_clean(&self) -> bool {
        self.holders.is_empty() && !self.dirty
    }

    /// Whether a lease of this kind may be granted on it.
    pub(super) fn check_grant(&self, no: DeploymentNo, mode: LeaseMode) {
        assert!(self.up, "{no:?} is not up");
        assert!(self.trusted, "{no:?} is suspect");
        assert!(!self.given_up, "the fixtures of {no:?} are torn down");
        let alone = self.holders.values().any(|held| *held != LeaseMode::Shared);
        assert!(!alone, "{no:?} is somebody's alone");
        if mode != LeaseMode::Shared {
            assert!(self.holders.is_empty(), "{no:?} is in use");
            assert!(!self.dirty, "{no:?} was shared and not looked at");
        }
    }

    /// A test begins on it.
    pub(super) fn begin(&mut self, lease: LeaseNo, test: &Arc<str>, mode: LeaseMode, now: Moment) {
        assert!(
            self.up && self.trusted,
            "a test begins on a suspect deployment"
        );
        self.dirty |= mode == LeaseMode::Shared;
        self.stays.push(Stay {
            lease,
            test: test.clone(),
            from: now,
            began: now,
            to: Moment::MAX,
            over: Moment::MAX,
        });
    }

    pub(super) fn crash(&mut self, at: Moment, told: Moment, what: &str) {
        let what = what.to_owned();
        self.crashes.push(Crash { at, told, what });
    }

    /// What ended by itself while a test was here, as far as it was told while the test was here.
    fn crashes_in<'a>(&'a self, stay: &'a Stay) -> impl Iterator<Item = &'a Crash> {
        let crashes = self.crashes.iter();
        crashes.filter(|crash| stay.from <= crash.told)
    }

    pub(super) fn stay(&mut self, lease: LeaseNo) -> Option<&mut Stay> {
        self.stays.iter_mut().find(|stay| stay.lease == lease)
    }

    /// What ended by itself between the test's start and end.
    pub(super) fn crashes_of(&self, lease: LeaseNo) -> Vec<String> {
        let Some(stay) = self.stays.iter().find(|stay| stay.lease == lease) else {
            return Vec::new();
        };
        let meanwhile = |crash: &&Crash| stay.began <= crash.at && crash.at <= stay.to;
        let crashes = self.crashes_in(stay).filter(meanwhile);
        crashes.map(|crash| crash.what.clone()).collect()
    }

    /// Whether a server had ended by itself when the test began.
    pub(super) fn began_too_late(&self, lease: LeaseNo) -> bool {
        let stay = self.stays.iter().find(|stay| stay.lease == lease);
        stay.is_some_and(|stay| {
            let mut crashes = self.crashes_in(stay);
            crashes.any(|crash| crash.at < stay.began)
        })
    }

    /// The tests that were there at the same time.
    pub(super) fn company(&self, lease: LeaseNo) -> BTreeSet<String> {
        let own = self.stays.iter().find(|stay| stay.lease == lease);
        let Some(own) = own else {
            return BTreeSet::new();
        };
        let others = self
            .stays
            .iter()
            .filter(|other| other.lease != lease && other.from < own.over && own.from < other.over);
        others.map(|other| other.test.to_string()).collect()
    }
}

/// Whether the names are those, as far as they are named.
pub(super) fn check_company(company: &Company, real: &BTreeSet<String>) {
    let named: BTreeSet<String> = company.shared_with.named.iter().cloned().collect();
    assert!(named.is_subset(real), "{named:?} are not all of {real:?}");
    if company.shared_with.more == 0 {
        assert_eq!(&named, real, "somebody is missing");
    }
}
