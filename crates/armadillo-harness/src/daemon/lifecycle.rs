//! The life of a deployment: started when the core says so, watched while it is up, stopped when nobody needs it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use armadillo_orchestrator::attach::Foreign;
use armadillo_orchestrator::duration::micros;
use armadillo_orchestrator::{BackEnd, Deployment, StartRequest, Topology};

use super::drive::feed;
use super::{Daemon, inspect, sanitizers};
use crate::event::{EventKind, Names, StartReason};
use crate::leases::{DeploymentNo, Input, StopReason};
use crate::needs::LeaseMode;
use crate::protocol::daemon::Conditions;

/// How long a deployment may take to be ready, before the factor.
const START_LIMIT: Duration = Duration::from_secs(120);

/// How long a deployment may take to stop, before the factor.
const STOP_LIMIT: Duration = Duration::from_secs(240);

/// How long the last look at its statistics may hold up the end of a deployment, before the factor.
const LAST_SAMPLE_LIMIT: Duration = Duration::from_millis(500);

/// How long it may take to remove what a test left on servers that somebody else started, before the factor.
const PURGE_LIMIT: Duration = Duration::from_secs(10);

/// Starts a deployment.
pub(super) async fn start(
    daemon: Rc<Daemon>,
    no: DeploymentNo,
    (topology, with): (Arc<Topology>, Rc<Conditions>),
    mode: LeaseMode,
    reason: StartReason,
) {
    let started = start_deployment(&daemon, no, (&topology, &with), mode, reason).await;
    let outcome = started.map(|deployment| {
        daemon.deployments.ready(no, deployment.clone());
        if let Some(every) = daemon.orders.sample_every_ms {
            daemon.spawn(deployment.sample_statistics(Duration::from_millis(every)));
        }
        daemon.spawn(watch(daemon.clone(), no, deployment));
    });
    if outcome.is_err() {
        daemon.deployments.stopped(no);
    }
    feed(
        &daemon,
        Input::Started {
            deployment: no,
            outcome,
        },
    );
}

async fn start_deployment(
    daemon: &Rc<Daemon>,
    no: DeploymentNo,
    (topology, with): (&Topology, &Conditions),
    mode: LeaseMode,
    reason: StartReason,
) -> Result<Arc<Deployment>, String> {
    let number = daemon.deployments.starting(no);
    // Letters and digits behind the last dash: what fixtures kept for a deployment name their things with.
    let name = format!(
        "{}-{}d{}s{number}",
        topology.label(),
        daemon.orders.run,
        no.0
    );
    daemon.deployments.named(no, &name);
    let system = armadillo_orchestrator::system(&topology.system)
        .ok_or_else(|| format!("this executable has no system named `{}`", topology.system))?;
    let attached = with.settings.attached(&topology.system);
    daemon.log.emit(EventKind::DeploymentStarting {
        deployment: name.clone(),
        topology: topology.clone(),
        reason: match attached {
            Some(_) => StartReason::Attached,
            None => reason,
        },
    });
    let begun = Instant::now();
    let request = StartRequest {
        id: name.clone(),
        system,
        topology: topology.clone(),
        settings: with.settings.clone(),
        programs: with.programs.clone(),
        directory: daemon.servers.join(&name),
        secrets: Some(daemon.secrets.join(&name)),
        share: None,
        deadline: daemon.limit(START_LIMIT).into(),
    };
    let host: Arc<dyn BackEnd> = match attached {
        Some(attached) => Arc::new(Foreign::new(attached.clone())),
        None => daemon.host.clone(),
    };
    let notices = daemon.notices.clone();
    let made = if mode == LeaseMode::Unstarted {
        Deployment::place(host, request, notices).await
    } else {
        Deployment::start(host, request, notices).await
    };
    match made {
        Ok(ready) => {
            let took_us = micros(begun.elapsed());
            daemon.log.emit(EventKind::DeploymentReady {
                deployment: name,
                took_us,
            });
            Ok(ready)
        }
        Err(error) => {
            let error = error.to_string();
            daemon.log.emit(EventKind::DeploymentFailed {
                deployment: name,
                error: error.clone(),
            });
            Err(error)
        }
    }
}

/// Tells the core of every server that ends by itself, for as long as the deployment is there.
async fn watch(daemon: Rc<Daemon>, no: DeploymentNo, deployment: Arc<Deployment>) {
    let mut changes = deployment.changes();
    drop(deployment);
    loop {
        tell_crashes(&daemon, no);
        // It ends with the deployment.
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Tells the core of the crashes it does not know of.
pub(super) fn tell_crashes(daemon: &Rc<Daemon>, no: DeploymentNo) {
    for (noticed, what) in daemon.deployments.new_crashes(no) {
        let at = daemon.log.us_at(noticed);
        feed(
            daemon,
            Input::Crashed {
                deployment: no,
                what,
                at,
            },
        );
    }
}

/// Stops a deployment, removes its data unless it is kept, and says what was not as it should be.
pub(super) async fn stop(
    daemon: Rc<Daemon>,
    no: DeploymentNo,
    why: StopReason,
    guests: Names,
    keep_data: bool,
) {
    let name = daemon.deployments.name(no);
    let evicted = why == StopReason::MakesRoom;
    if let StopReason::Recycled(reason) = why {
        daemon.log.emit(EventKind::DeploymentRecycled {
            deployment: name.clone(),
            reason,
        });
    }
    if let Some(deployment) = daemon.deployments.deployment(no) {
        if daemon.orders.sample_every_ms.is_some() {
            deployment.sample(daemon.limit(LAST_SAMPLE_LIMIT)).await;
        }
        inspect::last(&daemon, &deployment, &guests).await;
        let mut complaints = take_back(&daemon, no, &deployment).await;
        complaints.extend(deployment.stop(daemon.limit(STOP_LIMIT)).await.complaints());
        let unowned = daemon.deployments.unowned_findings(no, &deployment);
        complaints.extend(sanitizers::in_words(&unowned));
        if !keep_data && let Err(error) = deployment.remove_data() {
            complaints.push(format!("cannot remove its data: {error}"));
        }
        daemon.log.emit(EventKind::DeploymentStopped {
            deployment: name,
            complaints,
            evicted,
        });
    }
    daemon.deployments.stopped(no);
    feed(&daemon, Input::Stopped { deployment: no });
}

/// Removes what tests have made on servers that go on without them: what fixtures kept for all tests have made, and what
/// could not be removed before. Whatever else is there is not touched.
async fn take_back(daemon: &Daemon, no: DeploymentNo, deployment: &Deployment) -> Vec<String> {
    if deployment.view().attached().is_none() {
        return Vec::new();
    }
    let mut made = daemon.deployments.take_unpurged(no);
    made.push(deployment.view().mark().to_owned());
    let mut complaints = Vec::new();
    for made in made {
        if let Err(error) = deployment.purge(&made, daemon.limit(PURGE_LIMIT)).await {
            complaints.push(format!(
                "cannot remove what tests left behind ({made} in its name): {error}"
            ));
        }
    }
    complaints
}

/// The same when the runner is gone and nobody tears anything down any more: of every test that runs, too.
pub(super) async fn take_back_all(daemon: &Daemon) {
    for (no, deployment) in daemon.deployments.all() {
        for lease in daemon.grants.names() {
            daemon.deployments.add_unpurged(no, lease);
        }
        for complaint in take_back(daemon, no, &deployment).await {
            tracing::warn!("{}: {complaint}", deployment.id());
        }
    }
}

/// Stops everything, for the end of a run; returns when every deployment is gone.
pub(super) async fn stop_all(daemon: &Rc<Daemon>) {
    feed(daemon, Input::Closed);
    loop {
        // Before the look, so that nothing that happens after it is missed.
        let mut changed = std::pin::pin!(daemon.changed.notified());
        changed.as_mut().enable();
        if daemon.core.borrow().is_empty() {
            return;
        }
        changed.await;
    }
}
