//! The deployments themselves, by the core's numbers.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use armadillo_orchestrator::{Deployment, ReportMarks, SanitizerFinding};

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
    /// It is from an earlier run, and was not looked at since.
    is_old: bool,
    /// What somebody has removed of its servers' files.
    lost: Option<PathBuf>,
    /// How many of its crashes the core knows of.
    crashes_told: usize,
    /// How often it was started.
    starts: u32,
    /// Its servers have stopped, or did not start.
    is_gone: bool,
    reports: Reports,
}

/// The reports of its servers' sanitizers.
#[derive(Default)]
struct Reports {
    /// How many tests use it, each of which is charged with what is reported meanwhile.
    users: usize,
    /// As far as they were read.
    read: ReportMarks,
    /// What was reported while nobody used it.
    unowned: Vec<SanitizerFinding>,
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
        self.with(no, |entry| {
            entry.deployment = None;
            entry.is_gone = true;
        });
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
            let said = deployment.grave_line_of(&crash.log);
            let said = said.map(|line| format!("; it logged: {line}"));
            let said = said.unwrap_or_default();
            (*noticed, format!("{}: {}{said}", crash.server, crash.text))
        })
        .collect()
    }

    /// A test begins to use it: where the reports of sanitizers end. What was reported while nobody used it is found later.
    pub(super) fn begin_use(&self, no: DeploymentNo, deployment: &Deployment) -> ReportMarks {
        let now = deployment.report_marks();
        self.with(no, |entry| {
            let reports = &mut entry.reports;
            if reports.users == 0 {
                let unowned = deployment.findings_between(&reports.read, &now);
                reports.unowned.extend(unowned);
                reports.read.advance(now.clone());
            }
            reports.users += 1;
        });
        now
    }

    /// A test has used it since these marks: what sanitizers have reported since.
    pub(super) fn end_use(
        &self,
        no: DeploymentNo,
        deployment: &Deployment,
        from: &ReportMarks,
    ) -> Vec<SanitizerFinding> {
        let now = deployment.report_marks();
        let found = deployment.findings_between(from, &now);
        self.with(no, |entry| {
            entry.reports.users = entry.reports.users.saturating_sub(1);
            entry.reports.read.advance(now);
        });
        found
    }

    /// A test that was to use it does not begin after all.
    pub(super) fn give_up_use(&self, no: DeploymentNo) {
        self.with(no, |entry| {
            entry.reports.users = entry.reports.users.saturating_sub(1);
        });
    }

    /// What sanitizers have reported while no test used it.
    pub(super) fn unowned_findings(
        &self,
        no: DeploymentNo,
        deployment: &Deployment,
    ) -> Vec<SanitizerFinding> {
        let now = deployment.report_marks();
        let found = self.with(no, |entry| {
            let mut found = std::mem::take(&mut entry.reports.unowned);
            found.extend(deployment.findings_between(&entry.reports.read, &now));
            entry.reports.read.advance(now);
            found
        });
        found.unwrap_or_default()
    }

    pub(super) fn fixtures<T>(
        &self,
        no: DeploymentNo,
        look: impl FnOnce(&mut Fixtures) -> T,
    ) -> Option<T> {
        self.with(no, |entry| look(&mut entry.fixtures))
    }

    /// Nothing that fixtures keep is there any more.
    pub(super) fn forget_fixtures(&self) {
        for entry in self.0.borrow_mut().values_mut() {
            entry.fixtures = Fixtures::default();
        }
    }

    /// An earlier run has used it, and what that has kept there has this mark in its names.
    pub(super) fn set_old(&self, no: DeploymentNo, mark: String) {
        self.with(no, |entry| {
            entry.is_old = true;
            entry.unpurged.push(mark);
        });
    }

    /// Whether it is from an earlier run and was not looked at since. It counts as looked at now.
    pub(super) fn take_old(&self, no: DeploymentNo) -> bool {
        self.with(no, |entry| std::mem::take(&mut entry.is_old))
            .unwrap_or_default()
    }

    /// Somebody has removed this of its servers' files.
    pub(super) fn set_lost(&self, no: DeploymentNo, lost: PathBuf) {
        self.with(no, |entry| entry.lost = Some(lost));
    }

    pub(super) fn lost(&self, no: DeploymentNo) -> Option<PathBuf> {
        self.with(no, |entry| entry.lost.clone()).flatten()
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

    /// The names of those that are there, or will be.
    pub(super) fn living(&self) -> BTreeSet<String> {
        let all = self.0.borrow();
        let living = all.values().filter(|entry| !entry.is_gone);
        living.map(|entry| entry.name.clone()).collect()
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
