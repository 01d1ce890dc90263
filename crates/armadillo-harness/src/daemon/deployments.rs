//! The deployments themselves, by the core's numbers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use armadillo_orchestrator::Deployment;

use super::fixtures::Fixtures;
use crate::checking::Policies;
use crate::leases::DeploymentNo;
use crate::needs::LeaseMode;

/// One of them.
#[derive(Default)]
struct Entry {
    name: String,
    deployment: Option<Arc<Deployment>>,
    fixtures: Fixtures,
    /// What the test that had it alone says of checkers: it rules the look after that test.
    own_policies: Option<Policies>,
    /// Leases that ended when nothing could be looked for: what carries their names is removed after the repair.
    unpurged: Vec<String>,
    /// How many of its crashes the core knows of.
    crashes_told: usize,
    /// How often it was started.
    starts: u32,
}

/// All of them. Its borrows never outlive a call.
#[derive(Default)]
pub(super) struct Deployments(RefCell<BTreeMap<DeploymentNo, Entry>>);

impl Deployments {
    /// Notes that one is being started; how often that makes it.
    pub(super) fn starting(&self, no: DeploymentNo) -> u32 {
        let mut all = self.0.borrow_mut();
        let entry = all.entry(no).or_default();
        entry.starts += 1;
        *entry = Entry {
            starts: entry.starts,
            ..Entry::default()
        };
        entry.starts
    }

    pub(super) fn named(&self, no: DeploymentNo, name: &str) {
        self.with(no, |entry| entry.name = name.to_owned());
    }

    pub(super) fn ready(&self, no: DeploymentNo, deployment: Arc<Deployment>) {
        self.with(no, |entry| entry.deployment = Some(deployment));
    }

    /// Its servers are gone.
    pub(super) fn stopped(&self, no: DeploymentNo) {
        self.with(no, |entry| entry.deployment = None);
    }

    pub(super) fn deployment(&self, no: DeploymentNo) -> Option<Arc<Deployment>> {
        self.with(no, |entry| entry.deployment.clone()).flatten()
    }

    /// The number of the deployment with this name.
    pub(super) fn number(&self, name: &str) -> Option<DeploymentNo> {
        let all = self.0.borrow();
        let found = all.iter().find(|(_, entry)| entry.name == name);
        found.map(|(no, _)| *no)
    }

    pub(super) fn name(&self, no: DeploymentNo) -> String {
        self.with(no, |entry| entry.name.clone())
            .unwrap_or_default()
    }

    pub(super) fn names(&self, on: &[(DeploymentNo, LeaseMode)]) -> Vec<(String, LeaseMode)> {
        on.iter()
            .map(|(no, mode)| (self.name(*no), *mode))
            .collect()
    }

    /// Whether every server runs, and none is on its way out.
    pub(super) fn is_whole(&self, no: DeploymentNo) -> bool {
        let deployment = self.deployment(no);
        deployment.is_some_and(|deployment| deployment.is_whole())
    }

    /// The crashes that the core has not been told of, each in one line with what the server logged,
    /// and when it was noticed.
    pub(super) fn new_crashes(&self, no: DeploymentNo) -> Vec<(Instant, String)> {
        let Some(deployment) = self.deployment(no) else {
            return Vec::new();
        };
        let crashes = deployment.dated_crashes();
        let told = self.with(no, |entry| {
            std::mem::replace(&mut entry.crashes_told, crashes.len())
        });
        let new = crashes.iter().skip(told.unwrap_or_default());
        new.map(|(noticed, crash)| {
            let said = deployment.grave_line_of(crash);
            let said = said.map(|line| format!("; it logged: {}", line.text));
            let said = said.unwrap_or_default();
            (*noticed, format!("{}: {}{said}", crash.server, crash.text))
        })
        .collect()
    }

    pub(super) fn fixtures<T>(
        &self,
        no: DeploymentNo,
        look: impl FnOnce(&mut Fixtures) -> T,
    ) -> Option<T> {
        self.with(no, |entry| look(&mut entry.fixtures))
    }

    pub(super) fn set_own_policies(&self, no: DeploymentNo, policies: Policies) {
        self.with(no, |entry| entry.own_policies = Some(policies));
    }

    pub(super) fn take_own_policies(&self, no: DeploymentNo) -> Option<Policies> {
        self.with(no, |entry| entry.own_policies.take()).flatten()
    }

    pub(super) fn add_unpurged(&self, no: DeploymentNo, lease: String) {
        self.with(no, |entry| entry.unpurged.push(lease));
    }

    pub(super) fn take_unpurged(&self, no: DeploymentNo) -> Vec<String> {
        let taken = self.with(no, |entry| std::mem::take(&mut entry.unpurged));
        taken.unwrap_or_default()
    }

    /// Every deployment that is there.
    pub(super) fn all(&self) -> Vec<(DeploymentNo, Arc<Deployment>)> {
        let all = self.0.borrow();
        let there = all
            .iter()
            .filter_map(|(no, entry)| Some((*no, entry.deployment.clone()?)));
        there.collect()
    }

    /// Ends every server at once.
    pub(super) fn kill_now(&self) {
        for entry in self.0.borrow().values() {
            if let Some(deployment) = &entry.deployment {
                deployment.kill_now();
            }
        }
    }

    fn with<T>(&self, no: DeploymentNo, look: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        self.0.borrow_mut().get_mut(&no).map(look)
    }
}
