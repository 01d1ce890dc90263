//! `GET /_api/replication/clusterInventory`

use hyper::Method;
use serde_json::{Value, json};

use super::Sharded;
use crate::coordinator::{Planned, is_in_sync};
use crate::errors::ApiError;
use crate::http::Answer;

/// Every collection of the database as it is planned, and whether its shards are there and in sync.
pub(super) async fn inventory(asks: Sharded<'_>) -> Result<Answer, ApiError> {
    let request = asks.request;
    if request.method != Method::GET {
        return Err(ApiError::method_not_allowed());
    }
    let (server, database) = (asks.server, &request.database);
    asks.cluster.refresh(server).await?;
    let system = request.query_flag("includeSystem").unwrap_or(true);
    let version = asks.cluster.look("Plan/Version", Value::clone);
    let collections: Vec<Value> = asks
        .cluster
        .planned(database)
        .iter()
        .filter(|found| system || !found.is_system())
        .map(|found| entry(asks, found, &version))
        .collect();
    let properties = asks.cluster.look(&format!("Plan/Databases/{database}"), |entry| {
        json!({ "id": entry["id"], "name": entry["name"], "isSystem": *database == "_system" })
    });
    let body = json!({
        "collections": collections,
        "views": [],
        "properties": properties,
        "tick": asks.cluster.look("Sync/LatestID", |latest| latest.to_string()),
        "state": "unused",
    });
    Ok(Answer::json(200, &body))
}

fn entry(asks: Sharded<'_>, found: &Planned, version: &Value) -> Value {
    let mut parameters = found.entry.clone();
    let indexes = parameters
        .as_object_mut()
        .and_then(|parameters| parameters.remove("indexes"));
    if let Some(model) = asks.cluster.model_of(found) {
        parameters["distributeShardsLike"] = json!(model.name());
    }
    let (mut ready, mut in_sync) = (true, true);
    let shards = found.entry["shards"].as_object().into_iter().flatten();
    for (shard, planned) in shards {
        let path = format!("Current/{}/{shard}", found.path());
        asks.cluster.look(&path, |current| {
            ready &= current["servers"].is_array();
            in_sync &= is_in_sync(planned, current);
        });
    }
    json!({
        "parameters": parameters,
        "indexes": indexes.unwrap_or_else(|| json!([])),
        "planVersion": version,
        "isReady": ready,
        "allInSync": in_sync,
    })
}
