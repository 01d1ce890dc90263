//! Exits that are meant: what the holder of a deployment of its own may declare and wait for.

use std::time::Duration;

use armadillo_orchestrator::{Deadline, Deployment};

use crate::protocol::daemon::{Expect, Expected, SeeExit, SeenExit};

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
