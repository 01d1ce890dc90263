//! `/_admin/cluster/maintenance/<id>`: a dbserver is left alone by supervision for a while.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::jobs::{dbserver, missing};
use crate::cluster::{Cluster, PATIENCE, find};
use crate::errors::ApiError;
use crate::http::{Answer, Request};
use crate::server::Server;

/// How long it is waited for supervision.
const SWITCH: Duration = Duration::from_secs(120);
/// How long it lasts if nobody says how long, in seconds.
const HOUR: u64 = 3600;
const PATHS: [&str; 3] = [
    "/arango/Plan/DBServers",
    "/arango/Target/MapUniqueToShortID",
    "/arango/Current/MaintenanceDBServers",
];

async fn look(cluster: &Cluster, name: &str) -> Result<(String, Value), ApiError> {
    let tree = cluster.agency.read(&PATHS, PATIENCE).await?;
    let id = dbserver(&tree, name).ok_or_else(|| missing(format!("unknown dbserver {name}")))?;
    let entry = find(&tree, "/arango/Current/MaintenanceDBServers")[id].clone();
    Ok((String::from(id), entry))
}

/// Whether it is left alone, and until when.
pub(super) async fn get(cluster: &Cluster, name: &str) -> Result<Answer, ApiError> {
    let (_, entry) = look(cluster, name).await?;
    Ok(if entry.is_null() {
        Answer::good(200, json!({}))
    } else {
        Answer::result(200, entry)
    })
}

/// Asks for it, and waits until supervision has noticed.
pub(super) async fn set(
    server: &Server,
    cluster: &Cluster,
    request: &Request,
    name: &str,
) -> Result<Answer, ApiError> {
    server.require_admin(&request.identity)?;
    let body = request.json_object()?;
    let seconds = match body.get("timeout") {
        None => HOUR,
        Some(value) => value
            .as_u64()
            .filter(|seconds| (1..=1_000_000_000).contains(seconds))
            .ok_or_else(|| ApiError::bad("expecting a number of seconds as 'timeout'"))?,
    };
    let wanted = match body.get("mode").and_then(Value::as_str) {
        Some("maintenance") => {
            let until = crate::system::timestamp_in(seconds);
            json!({ "Mode": "maintenance", "Until": until })
        }
        Some("normal") => Value::Null,
        _ => {
            return Err(ApiError::bad(
                "'mode' must be \"maintenance\" or \"normal\"",
            ));
        }
    };
    let (id, _) = look(cluster, name).await?;
    let key = format!("/arango/Target/MaintenanceDBServers/{id}");
    let operation = match &wanted {
        Value::Null => json!({ "op": "delete" }),
        entry => json!({ "op": "set", "new": entry }),
    };
    let operations = json!({ key: operation });
    cluster
        .agency
        .write(operations, json!({}), PATIENCE)
        .await?;
    let end = Instant::now() + SWITCH;
    loop {
        let is_so = look(cluster, &id).await?.1;
        let over = wanted["Until"]
            .as_str()
            .is_some_and(|until| until < crate::system::timestamp().as_str());
        if is_so.is_null() == wanted.is_null() || over {
            return Ok(Answer::good(200, json!({})));
        }
        if Instant::now() >= end {
            let text = "timed out while waiting for supervision";
            return Err(ApiError::new(504, 504, text));
        }
        sleep(Duration::from_millis(50)).await;
    }
}
