//! Who is part of a deployment: what the holder of one of its own may change.

use std::sync::Arc;
use std::time::Duration;

use armadillo_orchestrator::Deployment;
use armadillo_orchestrator::membership::Roll;
use tokio::sync::oneshot;

use super::Daemon;
use crate::protocol::membership::Enrol;

/// What was begun is done, whoever waits for it.
pub(super) async fn enrol(
    daemon: &Daemon,
    deployment: &Arc<Deployment>,
    request: Enrol,
) -> Result<Roll, String> {
    let deployment = deployment.clone();
    let (done, outcome) = oneshot::channel();
    daemon.spawn(async move {
        // Who asked may have gone away.
        let _ = done.send(changed(&deployment, request).await);
    });
    let outcome = outcome.await;
    outcome.unwrap_or_else(|_| Err("the daemon is shutting down".to_owned()))
}

async fn changed(deployment: &Arc<Deployment>, request: Enrol) -> Result<Roll, String> {
    let outcome = match request {
        Enrol::Change(change) => deployment.change_membership(change),
        Enrol::Dismiss {
            server,
            grace_ms,
            limit_ms,
        } => {
            let grace = Duration::from_millis(grace_ms);
            let limit = Duration::from_millis(limit_ms);
            deployment.dismiss(&server, grace, limit).await
        }
        Enrol::Wipe { server, limit_ms } => {
            let wiped = deployment.wipe(&server, Duration::from_millis(limit_ms));
            wiped.await.map(|()| deployment.view().membership.roll())
        }
    };
    outcome.map_err(|error| error.to_string())
}
