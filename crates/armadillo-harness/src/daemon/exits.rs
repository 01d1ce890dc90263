//! Exits that are meant, and starts that a test makes itself: what the holder of a deployment of its own may declare, wait
//! for and do.

use std::sync::Arc;
use std::time::Duration;

use armadillo_orchestrator::deployment::FailedStart;
use armadillo_orchestrator::{Deadline, Deployment};

use crate::protocol::daemon::{Expect, Expected, FailStart, SeeExit, SeenExit, StartAll};

/// Declares how a server will exit.
pub(super) fn expect(deployment: &Deployment, request: &Expect) -> Result<Expected, String> {
    let declared = deployment.expect_exit(&request.server, request.expectation);
    let expectation = declared.map_err(|error| error.to_string())?;
    Ok(Expected { expectation })
}

/// Waits for an exit that was declared.
pub(super) async fn see(deployment: &Deployment, request: &SeeExit) -> Result<SeenExit, String> {
    let deadline = Deadline::after(Duration::from_millis(request.limit_ms));
    let seen = deployment.wait_for_exit(request.expectation, deadline);
    let exit = seen.await.map_err(|error| error.to_string())?;
    Ok(SeenExit { exit })
}

/// Starts every server that does not run.
pub(super) async fn start_all(
    deployment: &Arc<Deployment>,
    request: &StartAll,
) -> Result<(), String> {
    let deadline = Deadline::after(Duration::from_millis(request.limit_ms));
    let started = deployment.start_all(deadline).await;
    started.map_err(|error| error.to_string())
}

/// Starts a server that is meant to end by itself before it is ready.
pub(super) async fn fail_start(
    deployment: &Arc<Deployment>,
    request: &FailStart,
) -> Result<FailedStart, String> {
    let deadline = Deadline::after(Duration::from_millis(request.limit_ms));
    let failed = deployment.start_expecting_failure(&request.server, deadline);
    failed.await.map_err(|error| error.to_string())
}
