//! What coordinators ask a dbserver.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::batch::{carry_out, writes};
use super::{Asked, Shard, Standing};
use crate::errors::ApiError;
use crate::http::{Answer, Request};
use crate::planted::{self, Bug};
use crate::server::Server;

/// How long an answer may take; whoever asked waits less. The second one is for arangod's own timers.
const PATIENCE: Duration = Duration::from_secs(30);
const LONG: Duration = Duration::from_secs(1000);

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
    if let Some(sender) = request.query("isSynchronousReplication") {
        return Err(refuse_replication(server, &shard, sender));
    }
    match shard.standing.get() {
        _ if shard.place.database != request.database => return Err(ApiError::not_leader()),
        Standing::Follows => return Err(ApiError::not_leader()),
        Standing::TakesOver => return Err(ApiError::not_ready()),
        Standing::Leads => {}
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
    match timeout(server.settings.pace.timer(PATIENCE, LONG), answer).await {
        Ok(Ok(answer)) => answer,
        // Too late, or the shard was dropped in the middle of it.
        Ok(Err(_)) | Err(_) => Err(ApiError::unknown_outcome()),
    }
}

/// What somebody is told who replicates as dbservers of arangod do (`transaction/Methods.cpp`): a leader takes nothing of anybody,
/// and a follower takes it of its leader only. Dbservers of the emulator have messages of their own for it.
fn refuse_replication(server: &Server, shard: &Shard, sender: &str) -> ApiError {
    if shard.leads() {
        let text = "a shard leader refuses to perform a replication operation";
        return ApiError::new(406, 1489, text);
    }
    let (database, name) = (&shard.place.database, &shard.place.name);
    let leads = |collection: &Value| collection["shards"][name][0] == sender;
    let is_leader = server.cluster().is_some_and(|cluster| {
        cluster.look("Plan/Collections", |planned| {
            let all = planned[database].as_object();
            all.is_some_and(|all| all.values().any(leads))
        })
    });
    match is_leader {
        true => ApiError::not_implemented("replication between arangod and the emulator"),
        false => ApiError::new(
            406,
            1490,
            "a shard follower refuses to perform an operation that is not a replication of its leader",
        ),
    }
}
