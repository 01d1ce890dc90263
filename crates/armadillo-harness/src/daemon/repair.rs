//! After an exclusive lease, a crash, a leak or a timeout: a deployment is put in order and *seen* to be, or replaced.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use armadillo_orchestrator::deployment::Phase;
use armadillo_orchestrator::{Deployment, Operation, Scope};

use super::Daemon;
use super::pool::{PoolId, State};
use super::{lifecycle, pools};
use crate::event::{EventKind, StartReason};

/// How long a server may take to come back, and the whole to be healthy, before the factor.
const LIMIT: Duration = Duration::from_secs(30);

/// Puts it in order or replaces it.
pub(super) async fn repair(daemon: Rc<Daemon>, id: PoolId, deployment: Arc<Deployment>) {
    let name = deployment.view().deployment.clone();
    let suspicion = daemon
        .pools
        .with(id, |pool| pool.suspect.clone())
        .flatten()
        .unwrap_or_default();
    match put_in_order(&daemon, &deployment).await {
        Ok(done) => {
            let what = if done.is_empty() {
                "nothing was wrong".to_owned()
            } else {
                done.join(", ")
            };
            daemon.log.emit(EventKind::DeploymentRepaired {
                deployment: name,
                what: format!("{suspicion}: {what}"),
            });
            daemon.pools.with(id, |pool| {
                pool.suspect = None;
                pool.state = State::Ready(deployment);
            });
        }
        Err(why) => {
            let reason = format!("{suspicion}: {why}");
            daemon.log.emit(EventKind::DeploymentRecycled {
                deployment: name.clone(),
                reason,
            });
            let complaints = lifecycle::end_deployment(&daemon, id, &deployment).await;
            daemon.log.emit(EventKind::DeploymentStopped {
                deployment: name,
                complaints,
            });
            let needed = daemon.pools.with(id, |pool| {
                pool.suspect = None;
                let needed = pool.wanted || !pool.queue.is_empty();
                pool.state = if needed {
                    State::Starting
                } else {
                    State::Absent
                };
                if !needed {
                    pool.budget = None;
                }
                needed
            });
            if needed == Some(true) {
                return lifecycle::start(daemon, id, StartReason::Recycle).await;
            }
        }
    }
    pools::settle(&daemon, id);
}

/// Brings every server back, waits for health and asks the checkers. The error says what could not be had.
async fn put_in_order(
    daemon: &Daemon,
    deployment: &Arc<Deployment>,
) -> Result<Vec<String>, String> {
    let mut done = Vec::new();
    for (server, status) in deployment.servers() {
        let operation = match status.phase {
            Phase::Paused => Operation::Resume,
            Phase::Stopped | Phase::Crashed => Operation::Start,
            Phase::Planned | Phase::Starting | Phase::Running => continue,
        };
        deployment
            .operate(&server, operation, daemon.limit(LIMIT))
            .await
            .map_err(|error| format!("{server} does not come back: {error}"))?;
        let verb = if operation == Operation::Resume {
            "resumed"
        } else {
            "started"
        };
        done.push(format!("{server} {verb} again"));
    }
    deployment
        .wait_good(daemon.limit(LIMIT))
        .await
        .map_err(|error| error.to_string())?;
    match deployment.check(Scope::Idle, "", daemon.limit(LIMIT)).await {
        found if found.is_empty() => Ok(done),
        found => Err(found
            .into_iter()
            .map(|(checker, what)| format!("{checker}: {what}"))
            .collect::<Vec<_>>()
            .join("; ")),
    }
}
