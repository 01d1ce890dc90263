//! What coordinators ask a dbserver.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::batch::{carry_out, writes};
use super::{Asked, Standing};
use crate::errors::ApiError;
use crate::http::{Answer, Request};
use crate::planted::{self, Bug};
use crate::server::Server;

/// How long a coordinator waits for a change that is not confirmed by all.
const PATIENCE: Duration = Duration::from_secs(30);

/// Has the leader of a shard answer, if this server is it. What is refused here was not begun.
pub(crate) async fn serve(
    server: &Server,
    request: &Request,
    name: &str,
) -> Result<Answer, ApiError> {
    let shard = server.shards.find(name).ok_or_else(ApiError::not_leader)?;
    if planted::has(Bug::DirtyReads) && !writes(request) {
        return carry_out(server, shard.place.id, request, true);
    }
    if shard.standing.get() != Standing::Leads || shard.place.database != request.database {
        return Err(ApiError::not_leader());
    }
    let (sender, answer) = oneshot::channel();
    let asked = Asked {
        request: request.clone(),
        answer: sender,
    };
    shard
        .queue
        .send(asked)
        .map_err(|_| ApiError::not_leader())?;
    match timeout(PATIENCE, answer).await {
        Ok(Ok(answer)) => answer,
        // Too late, or the shard was dropped in the middle of it.
        Ok(Err(_)) | Err(_) => Err(ApiError::unknown_outcome()),
    }
}
