//! After an exclusive lease, a crash, a leak or a timeout, and before an exclusive lease on what others have shared: a deployment is put in order and *seen* to be, or replaced.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use armadillo_orchestrator::deployment::Phase;
use armadillo_orchestrator::join::try_join_all;
use armadillo_orchestrator::{Deployment, Operation, ServerKey};

use super::Daemon;
use super::pool::{PoolId, State};
use super::{lifecycle, look, pools};
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
        .unwrap_or_else(|| "before a test has it alone".to_owned());
    let unpurged = daemon
        .pools
        .with(id, |pool| std::mem::take(&mut pool.unpurged));
    let unpurged = unpurged.unwrap_or_default();
    match put_in_order(&daemon, id, &deployment, unpurged).await {
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
    id: PoolId,
    deployment: &Arc<Deployment>,
    unpurged: Vec<String>,
) -> Result<Vec<String>, String> {
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
    deployment
        .wait_good(daemon.limit(LIMIT))
        .await
        .map_err(|error| error.to_string())?;
    for lease in unpurged {
        deployment
            .purge(&lease, daemon.limit(LIMIT))
            .await
            .map_err(|error| format!("what a test left cannot be removed: {error}"))?;
    }
    look::look(daemon, id, deployment).await?;
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
    done.map_err(|error| format!("{server} does not come back: {error}"))?;
    let verb = match operation {
        Operation::Resume => "resumed",
        _ => "started",
    };
    Ok(format!("{server} {verb} again"))
}
