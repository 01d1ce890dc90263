//! After an exclusive lease, a crash, a leak or a timeout, and before an exclusive lease on what others have shared: a
//! deployment is put in order and *seen* to be.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use armadillo_orchestrator::deployment::Phase;
use armadillo_orchestrator::duration::micros;
use armadillo_orchestrator::join::try_join_all;
use armadillo_orchestrator::{Certificate, Deployment, Operation, ServerKey};

use super::drive::feed;
use super::{Daemon, inspect, lifecycle};
use crate::event::{EventKind, Names};
use crate::leases::{DeploymentNo, Input};

/// How long a server may take to come back, and the whole to be healthy, before the factor.
const LIMIT: Duration = Duration::from_secs(30);

/// The same for one that an earlier run has left, before the factor.
const PATIENCE_WITH_OLD: Duration = Duration::from_secs(5);

/// Puts it in order, or tells the core why it cannot be: then it is replaced.
pub(super) async fn repair(daemon: Rc<Daemon>, no: DeploymentNo, why: String, guests: Names) {
    let begun = Instant::now();
    let outcome = match daemon.deployments.deployment(no) {
        Some(deployment) => put_in_order(&daemon, no, &deployment, &guests).await,
        None => Err("it no longer exists".to_owned()),
    };
    // What ended by itself meanwhile is known before the deployment counts as good.
    lifecycle::tell_crashes(&daemon, no);
    let outcome = outcome.map(|done| {
        let what = if done.is_empty() {
            "nothing was wrong".to_owned()
        } else {
            done.join(", ")
        };
        daemon.log.emit(EventKind::DeploymentRepaired {
            deployment: daemon.deployments.name(no),
            what: format!("{why}: {what}"),
            took_us: micros(begun.elapsed()),
        });
    });
    feed(
        &daemon,
        Input::Repaired {
            deployment: no,
            outcome,
        },
    );
}

/// Brings every server back, waits for health and asks the checkers. The error says what could not be had.
async fn put_in_order(
    daemon: &Daemon,
    no: DeploymentNo,
    deployment: &Arc<Deployment>,
    guests: &Names,
) -> Result<Vec<String>, String> {
    // A test may not have waited for what it began.
    deployment.operations_done(daemon.limit(LIMIT)).await;
    if let Some(one) = deployment.operations().first() {
        return Err(format!("operation {} ({}) has not ended", one.id, one.name));
    }
    if deployment.was_not_undone() {
        return Err("a step of an operation could not be undone".to_owned());
    }
    if let Some(server) = deployment.changed_servers().next() {
        return Err(format!(
            "a test has given {server} another program or other options"
        ));
    }
    if deployment.view().topology.data.is_some() {
        return Err("a test may have changed the data that it started on".to_owned());
    }
    if let Some(lost) = daemon.deployments.lost(no) {
        return Err(format!("somebody has removed {}", lost.display()));
    }
    if deployment.was_wiped() {
        return Err("a test has replaced its data".to_owned());
    }
    if deployment.membership_was_changed() {
        return Err("a test has changed who is part of it".to_owned());
    }
    deployment
        .clear_links()
        .await
        .map_err(|error| error.to_string())?;
    // A server on its way out is down, not fine.
    deployment.note_exits(daemon.limit(LIMIT)).await;
    for server in deployment.spoilt_certificates() {
        let valid = Operation::Certify(Certificate::Valid);
        let done = deployment
            .operate(&server, valid, daemon.limit(LIMIT))
            .await;
        done.map_err(|error| error.to_string())?;
    }
    // All at once: where a majority is down, none of them gets ready before the others are there.
    let back = deployment
        .servers()
        .into_iter()
        .filter_map(|(server, status)| {
            let operation = match status.phase {
                Phase::Paused => Operation::Resume,
                Phase::Stopped | Phase::Crashed => Operation::Start,
                Phase::Planned | Phase::Starting | Phase::Running => return None,
            };
            Some(bring_back(
                deployment,
                server,
                operation,
                daemon.limit(LIMIT),
            ))
        });
    let done = try_join_all(back).await?;
    // Before the wait for health, which it may keep from coming.
    deployment.switch_off(daemon.limit(LIMIT)).await?;
    // A new one would be there sooner than an old one that does not answer.
    let patience = match daemon.deployments.take_old(no) {
        true => PATIENCE_WITH_OLD,
        false => LIMIT,
    };
    deployment
        .wait_good(daemon.limit(patience))
        .await
        .map_err(|error| error.to_string())?;
    for lease in daemon.deployments.take_unpurged(no) {
        deployment
            .purge(&lease, daemon.limit(LIMIT))
            .await
            .map_err(|error| format!("cannot remove what a test left behind: {error}"))?;
    }
    inspect::inspect(daemon, no, deployment, guests).await?;
    if !deployment.is_whole() {
        return Err("a server exited again".to_owned());
    }
    Ok(done)
}

/// One server, back to where it runs; says what was done.
async fn bring_back(
    deployment: &Arc<Deployment>,
    server: ServerKey,
    operation: Operation,
    limit: Duration,
) -> Result<String, String> {
    let done = deployment.operate(&server, operation, limit).await;
    done.map_err(|error| format!("{server} did not restart: {error}"))?;
    let verb = match operation {
        Operation::Resume => "resumed",
        _ => "started",
    };
    Ok(format!("{server} {verb} again"))
}
