//! `/_api/collection` on coordinators.

use bytes::Bytes;
use hyper::Method;
use serde_json::{Map, Value, json};

use super::Sharded;
use super::properties::{brief, full, number, write_concern};
use crate::api::collection::{flag, located, permit_change, refuse_unable};
use crate::auth::{Right, collection_right};
use crate::cluster::{Decided, PATIENCE};
use crate::coordinator::{Ask, Planned, create, remove};
use crate::errors::ApiError;
use crate::http::Answer;

/// All of `/_api/collection`.
pub(super) async fn collection(asks: Sharded<'_>, rest: &[&str]) -> Result<Answer, ApiError> {
    if asks.request.method == Method::GET {
        // What another coordinator has acknowledged must be seen.
        asks.cluster.refresh(asks.server).await?;
    }
    match (&asks.request.method, rest) {
        (&Method::GET, []) => list(asks),
        (&Method::POST, []) => make(asks).await,
        (&Method::GET, [name, what @ ..]) if what.len() <= 1 => {
            look(asks, name, what.first().copied()).await
        }
        (&Method::PUT, [name, what]) => change(asks, name, what).await,
        (&Method::DELETE, [name]) => drop_collection(asks, name).await,
        _ => Err(ApiError::method_not_allowed()),
    }
}

fn list(asks: Sharded<'_>) -> Result<Answer, ApiError> {
    let request = asks.request;
    let without_system = request.query_flag("excludeSystem") == Some(true);
    let planned = asks.cluster.planned(&request.database);
    let shown = asks.server.read(|store| {
        let may = |found: &&Planned| {
            let (who, database) = (&request.identity, &request.database);
            collection_right(store, who, database, found.name()) >= Right::Ro
        };
        let wanted = planned
            .iter()
            .filter(|found| !(without_system && found.is_system()));
        Ok(wanted.filter(may).map(brief).collect::<Vec<_>>())
    })?;
    Ok(Answer::result(200, json!(shown)))
}

async fn make(asks: Sharded<'_>) -> Result<Answer, ApiError> {
    asks.server.require_ddl(asks.request)?;
    let wishes = asks.wishes()?;
    let database = &asks.request.database;
    let made = create(asks.server, asks.cluster, database, &wishes).await?;
    Ok(Answer::good(200, full(asks.cluster, &made)))
}

async fn look(asks: Sharded<'_>, name: &str, what: Option<&str>) -> Result<Answer, ApiError> {
    let found = asks.collection(name, Right::Ro).await?;
    let Some(what) = what else {
        return Ok(Answer::good(200, brief(&found)));
    };
    let mut body = full(asks.cluster, &found);
    match what {
        "properties" => {}
        "count" => {
            body["count"] = match asks.request.query_flag("details") {
                Some(true) => json!(asks.counts(&found).await?),
                _ => json!(asks.count(&found).await?),
            }
        }
        "revision" => body["revision"] = asks.revision(&found).await?,
        "shards" => {
            body["shards"] = match asks.request.query_flag("details") {
                Some(true) => found.entry["shards"].clone(),
                _ => json!(found.shards()),
            }
        }
        other => {
            let what = format_args!("GET /_api/collection/.../{other} in a cluster");
            return Err(ApiError::not_implemented(what));
        }
    }
    Ok(located(Answer::good(200, body), asks.request, name, what))
}

/// Empties all shards, one by one: another client may see some of them empty and others not yet.
pub(super) async fn truncate(asks: Sharded<'_>, found: &Planned) -> Result<(), ApiError> {
    let mut query = Vec::new();
    if asks.request.query_flag("waitForSync") == Some(true) {
        query.push((String::from("waitForSync"), String::from("true")));
    }
    let ask = Ask {
        method: Method::PUT,
        path: String::from("/_api/collection/{}/truncate"),
        query,
        headers: Vec::new(),
        body: Bytes::new(),
        reads: false,
    };
    asks.ask_all(found, &ask).await.map(drop)
}

async fn change(asks: Sharded<'_>, name: &str, what: &str) -> Result<Answer, ApiError> {
    let found = asks
        .permitted(name, |called| {
            permit_change(asks.server, asks.request, called, what)
        })
        .await?;
    let body = match what {
        "unload" | "compact" => brief(&found),
        "loadIndexesIntoMemory" => json!({ "result": true }),
        "recalculateCount" => json!({ "result": true, "count": asks.count(&found).await? }),
        "load" => {
            let mut body = brief(&found);
            let wanted = asks.request.json_object().ok();
            let counted = wanted.and_then(|body| body.get("count")?.as_bool());
            if counted.unwrap_or(true) {
                body["count"] = json!(asks.count(&found).await?);
            }
            body
        }
        "truncate" => {
            truncate(asks, &found).await?;
            brief(&found)
        }
        "responsibleShard" => responsible(asks, &found)?,
        "properties" => set_properties(asks, &found).await?,
        "rename" => {
            let text = "this operation is not supported in a cluster";
            return Err(ApiError::new(501, 1470, text));
        }
        other => {
            let what = format_args!("PUT /_api/collection/.../{other} in a cluster");
            return Err(ApiError::not_implemented(what));
        }
    };
    Ok(located(Answer::good(200, body), asks.request, name, what))
}

fn responsible(asks: Sharded<'_>, found: &Planned) -> Result<Value, ApiError> {
    let body = asks.request.json_object()?;
    let key = body.get("_key").and_then(Value::as_str).ok_or_else(|| {
        let text = "not all sharding attributes given in document";
        ApiError::new(400, 1460, text)
    })?;
    Ok(json!({ "shardId": found.shard_of(key)? }))
}

/// Changes what the plan says. Supervision sees to it that shards get as many followers.
async fn set_properties(asks: Sharded<'_>, found: &Planned) -> Result<Value, ApiError> {
    let body = asks.request.json_object()?;
    refuse_unable(&body)?;
    let before = |name: &str| found.entry[name].as_u64().unwrap_or(1);
    let copies = number(&body, "replicationFactor")?;
    let concern = write_concern(&body)?;
    let other = copies.is_some_and(|copies| copies != before("replicationFactor"));
    if other && asks.cluster.model_of(found).is_some() {
        let mut error = ApiError::forbidden();
        error.message = String::from(
            "cannot change replicationFactor for a collection using 'distributeShardsLike'",
        );
        return Err(error);
    }
    if copies.is_some() || concern.is_some() {
        let copies = copies.unwrap_or_else(|| before("replicationFactor"));
        asks.check_copies(copies, concern.unwrap_or_else(|| before("writeConcern")))?;
    }
    let mut changed = Map::new();
    for name in ["waitForSync", "cacheEnabled"] {
        let old = found.entry[name] == true;
        let new = flag(&body, name, old)?;
        if new != old {
            changed.insert(String::from(name), json!(new));
        }
    }
    if let Some(copies) = copies {
        changed.insert(String::from("replicationFactor"), json!(copies));
    }
    if let Some(concern) = concern {
        for name in ["writeConcern", "minReplicationFactor"] {
            changed.insert(String::from(name), json!(concern));
        }
    }
    if !changed.is_empty() {
        write_properties(asks, found, changed).await?;
    }
    let (database, id) = (&found.database, &found.id);
    let now = asks.cluster.collection(asks.server, database, id).await?;
    Ok(full(asks.cluster, &now))
}

/// What collections that are distributed like another one share with it.
const SHARED: [&str; 3] = ["replicationFactor", "writeConcern", "minReplicationFactor"];

/// Writes some properties into the plan, on the condition that those that decide about each other
/// are what was checked.
pub(super) async fn write_properties(
    asks: Sharded<'_>,
    found: &Planned,
    changed: Map<String, Value>,
) -> Result<(), ApiError> {
    let place = format!("/arango/Plan/{}", found.path());
    let mut operations = Map::new();
    for alike in asks.cluster.distributed_like(found) {
        let place = format!("/arango/Plan/{}", alike.path());
        let shared = changed
            .iter()
            .filter(|(name, _)| SHARED.contains(&name.as_str()));
        operations.extend(shared.map(|(name, value)| (format!("{place}/{name}"), value.clone())));
    }
    for (name, value) in changed {
        operations.insert(format!("{place}/{name}"), value);
    }
    let version = String::from("/arango/Plan/Version");
    operations.insert(version, json!({ "op": "increment" }));
    let conditions: Map<String, Value> = ["id", "indexes", "replicationFactor", "writeConcern"]
        .iter()
        .map(|name| {
            (
                format!("{place}/{name}"),
                json!({ "old": found.entry[*name] }),
            )
        })
        .collect();
    let (operations, conditions) = (Value::Object(operations), Value::Object(conditions));
    let agency = &asks.cluster.agency;
    let decided = agency.write(operations, conditions, PATIENCE).await?;
    asks.cluster.refresh(asks.server).await?;
    if decided == Decided::Not {
        let text = "conflict, the collection was changed by somebody else";
        return Err(ApiError::new(409, 1200, text));
    }
    Ok(())
}

async fn drop_collection(asks: Sharded<'_>, name: &str) -> Result<Answer, ApiError> {
    let found = asks
        .permitted(name, |called| {
            asks.server.require_collection_ddl(asks.request, called)
        })
        .await?;
    let system = asks.request.query_flag("isSystem") == Some(true);
    if found.is_system() && !system {
        return Err(ApiError::forbidden());
    }
    if !asks.cluster.distributed_like(&found).is_empty() {
        let text = "must not drop collection while another has a distributeShardsLike attribute pointing to it";
        return Err(ApiError::new(500, 1485, text));
    }
    remove(asks.server, asks.cluster, &found).await?;
    Ok(Answer::good(200, json!({ "id": found.id })))
}
