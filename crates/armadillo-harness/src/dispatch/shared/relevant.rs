//! Which events of a shared daemon concern this process: it serves others, too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use armadillo_orchestrator::Topology;

use crate::event::{Event, EventKind, StartReason};
use crate::plan::Plan;

/// What is known of what concerns this process.
pub(in crate::dispatch) struct Relevant {
    plan: Arc<Plan>,
    /// Whether this process has the daemon for itself.
    alone: bool,
    /// Deployments that its tests may use.
    deployments: BTreeSet<String>,
    /// Those that another process has started and no test of this one has had yet, with the events that say so.
    unused: BTreeMap<String, Vec<Event>>,
    /// Leases of its tests.
    leases: BTreeSet<String>,
}

impl Relevant {
    pub(in crate::dispatch) fn to(plan: Arc<Plan>, alone: bool) -> Self {
        Self {
            plan,
            alone,
            deployments: BTreeSet::new(),
            unused: BTreeMap::new(),
            leases: BTreeSet::new(),
        }
    }

    /// What an event that came means for this process: the events that concern it, possibly none. They come in the order in which
    /// they happened. What another process has started is shown when a test of this one gets it, or something is done to it.
    pub(in crate::dispatch) fn of(&mut self, event: Event) -> Vec<Event> {
        match &event.kind {
            EventKind::DeploymentStarting {
                deployment,
                topology,
                reason,
            } => {
                if !self.wants(topology) {
                    return Vec::new();
                }
                if *reason == StartReason::Shared {
                    self.unused.insert(deployment.clone(), vec![event]);
                    return Vec::new();
                }
                self.deployments.insert(deployment.clone());
                vec![event]
            }
            EventKind::DeploymentReady { deployment, .. }
                if self.unused.contains_key(deployment) =>
            {
                if let Some(unused) = self.unused.get_mut(deployment) {
                    unused.push(event);
                }
                Vec::new()
            }
            EventKind::DeploymentRepaired { deployment, .. }
            | EventKind::DeploymentRecycled { deployment, .. } => {
                let mut events = self.reveal(deployment);
                if self.deployments.contains(deployment) {
                    events.push(event);
                }
                events
            }
            EventKind::Deployment { deployment, .. }
            | EventKind::DeploymentReady { deployment, .. }
            | EventKind::DeploymentFailed { deployment, .. }
            | EventKind::DeploymentStopped { deployment, .. } => {
                self.unused.remove(deployment);
                match self.deployments.contains(deployment) {
                    true => vec![event],
                    false => Vec::new(),
                }
            }
            EventKind::LeaseGranted {
                lease, test, on, ..
            } => {
                let is_known =
                    |id: &String| self.deployments.contains(id) || self.unused.contains_key(id);
                let known = on.iter().all(|on| is_known(&on.deployment));
                if !known || !self.plan.tests.iter().any(|planned| planned.name == *test) {
                    return Vec::new();
                }
                self.leases.insert(lease.clone());
                let used: Vec<String> = on.iter().map(|on| on.deployment.clone()).collect();
                let mut events: Vec<Event> = used.iter().flat_map(|id| self.reveal(id)).collect();
                events.push(event);
                events
            }
            EventKind::LeaseReleased { lease } => match self.leases.remove(lease) {
                true => vec![event],
                false => Vec::new(),
            },
            // Those about deployments name them.
            EventKind::Warning { text } => {
                let named = self.deployments.iter().any(|id| text.contains(&**id));
                match self.alone || named {
                    true => vec![event],
                    false => Vec::new(),
                }
            }
            // The daemon of the run itself samples the machine, too.
            EventKind::MachineSampled(_) => Vec::new(),
            _ if self.alone => vec![event],
            _ => Vec::new(),
        }
    }

    /// A deployment of another process concerns this one from now on.
    fn reveal(&mut self, deployment: &str) -> Vec<Event> {
        let events = self.unused.remove(deployment);
        if events.is_some() {
            self.deployments.insert(deployment.to_owned());
        }
        events.unwrap_or_default()
    }

    fn wants(&self, topology: &Topology) -> bool {
        let mut planned = self.plan.topologies.iter();
        planned.any(|planned| planned.topology == *topology)
    }
}
