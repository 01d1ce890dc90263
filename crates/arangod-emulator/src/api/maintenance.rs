//! `/_admin/cluster/maintenance/<id>`: a dbserver is left alone by supervision for a while.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::cluster::{Cluster, PATIENCE, find};
use crate::errors::ApiError;
use crate::http::{Answer, Request};
use crate::server::Server;

/// How long it lasts if nobody says how long, or says it in a way that cannot be read, in seconds.
const HOUR: u64 = 3600;
const CURRENT: &str = "/arango/Current/MaintenanceDBServers";

async fn entry(cluster: &Cluster, id: &str) -> Result<Value, ApiError> {
    let tree = cluster.agency.read(&[CURRENT], PATIENCE).await?;
    Ok(find(&tree, CURRENT)[id].clone())
}

/// Whether it is left alone, and until when. Of a server that does not exist nothing is said.
pub(super) async fn get(cluster: &Cluster, id: &str) -> Result<Answer, ApiError> {
    Ok(match entry(cluster, id).await? {
        Value::Null => Answer::good(200, json!({})),
        entry => Answer::result(200, entry),
    })
}

/// Asks for it, and waits until supervision has noticed, however long that takes.
pub(super) async fn set(
    server: &Server,
    cluster: &Cluster,
    request: &Request,
    id: &str,
) -> Result<Answer, ApiError> {
    server.require_admin(&request.identity)?;
    let Value::Object(body) = request.json()? else {
        return Err(ApiError::bad_parameter("object expected"));
    };
    let seconds = body.get("timeout").and_then(Value::as_u64);
    let seconds = seconds
        .filter(|seconds| (1..=1_000_000_000).contains(seconds))
        .unwrap_or(HOUR);
    let wanted = match body.get("mode").and_then(Value::as_str) {
        Some("maintenance") => {
            let until = crate::system::timestamp_in(seconds);
            json!({ "Mode": "maintenance", "Until": until })
        }
        Some("normal") => Value::Null,
        _ => {
            let text = "'mode' must be \"maintenance\" or \"normal\"";
            return Err(ApiError::bad_parameter(text));
        }
    };
    let key = format!("/arango/Target/MaintenanceDBServers/{id}");
    let operation = match &wanted {
        Value::Null => json!({ "op": "delete" }),
        entry => json!({ "op": "set", "new": entry }),
    };
    let healthy = format!("/arango/Supervision/Health/{id}/Status");
    let conditions = json!({ healthy: { "old": "GOOD" } });
    let written = cluster
        .agency
        .write(json!({ key: operation }), conditions, PATIENCE)
        .await?;
    if written.place().is_none() {
        let text = "the server does not exist, or is not healthy";
        return Err(ApiError::new(412, 412, text));
    }
    loop {
        let over = wanted["Until"]
            .as_str()
            .is_some_and(|until| until < crate::system::timestamp().as_str());
        if entry(cluster, id).await?.is_null() == wanted.is_null() || over {
            return Ok(Answer::good(200, json!({})));
        }
        sleep(Duration::from_millis(50)).await;
    }
}
