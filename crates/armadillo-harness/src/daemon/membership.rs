//! What the holder of a deployment of one's own may do to what its servers have stored.

use std::sync::Arc;
use std::time::Duration;

use armadillo_orchestrator::Deployment;
use armadillo_orchestrator::membership::Roll;
use tokio::sync::oneshot;

use super::Daemon;
use crate::protocol::membership::Wipe;

/// What was begun is done, whoever waits for it.
pub(super) async fn wipe(
    daemon: &Daemon,
    deployment: &Arc<Deployment>,
    request: Wipe,
) -> Result<Roll, String> {
    let deployment = deployment.clone();
    let (done, outcome) = oneshot::channel();
    daemon.spawn(async move {
        // Who asked may have gone away.
        let _ = done.send(wiped(&deployment, &request).await);
    });
    let outcome = outcome.await;
    outcome.unwrap_or_else(|_| Err("the daemon is shutting down".to_owned()))
}

async fn wiped(deployment: &Arc<Deployment>, request: &Wipe) -> Result<Roll, String> {
    let limit = Duration::from_millis(request.limit_ms);
    let wiped = deployment.wipe(&request.server, limit).await;
    wiped.map_err(|error| error.to_string())?;
    Ok(deployment.view().membership.roll())
}
