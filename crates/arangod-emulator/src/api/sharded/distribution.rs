//! Where shards are: `/_admin/cluster/{shardDistribution,collectionShardDistribution,shardStatistics}`
//! (`RestAdminClusterHandler.cpp` of arangodb/arangodb).

use std::collections::BTreeSet;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::Sharded;
use crate::coordinator::Planned;
use crate::errors::ApiError;
use crate::http::Answer;

/// Plan and `Current` of every shard, of all collections of the database or of one.
pub(super) async fn distribution(asks: Sharded<'_>, what: &str) -> Result<Answer, ApiError> {
    let request = asks.request;
    let name = match (&request.method, what) {
        (&Method::GET, "shardDistribution") => None,
        (&Method::GET, "collectionShardDistribution") => {
            Some(request.query("collection").map(String::from))
        }
        (&Method::PUT, "collectionShardDistribution") => {
            let body = request.json_object()?;
            Some(
                body.get("collection")
                    .and_then(Value::as_str)
                    .map(String::from),
            )
        }
        _ => return Err(ApiError::method_not_allowed()),
    };
    let (server, database) = (asks.server, &request.database);
    server.require_admin(&request.identity)?;
    asks.cluster.refresh(server).await?;
    let wanted = match name {
        None => asks.cluster.planned(database),
        Some(name) => {
            let missing = || ApiError::bad_parameter("the collection is missing");
            let name = name.filter(|name| !name.is_empty()).ok_or_else(missing)?;
            vec![asks.cluster.collection(server, database, &name).await?]
        }
    };
    let results: Map<String, Value> = wanted
        .iter()
        .map(|found| (String::from(found.name()), shards_of(asks, found)))
        .collect();
    Ok(Answer::good(200, json!({ "results": results })))
}

fn shards_of(asks: Sharded<'_>, found: &Planned) -> Value {
    let cluster = asks.cluster;
    let place = format!("Current/{}", found.path());
    let (mut planned, mut current) = (Map::new(), Map::new());
    for shard in found.shards() {
        let there = cluster.look(&format!("{place}/{shard}/servers"), Value::clone);
        planned.insert(shard.clone(), roles(asks, &found.entry["shards"][&shard]));
        if there.is_array() {
            current.insert(shard, roles(asks, &there));
        }
    }
    json!({ "Plan": planned, "Current": current })
}

/// Leader and followers by their short names.
fn roles(asks: Sharded<'_>, servers: &Value) -> Value {
    let short = |id: &Value| {
        // One that resigns is still the leader.
        let id = id.as_str().unwrap_or("").trim_start_matches('_');
        let path = format!("Target/MapUniqueToShortID/{id}/ShortName");
        let name = asks
            .cluster
            .look(&path, |name| name.as_str().map(String::from));
        name.unwrap_or_else(|| String::from(id))
    };
    let mut names = servers.as_array().into_iter().flatten().map(short);
    let leader = names.next().unwrap_or_default();
    json!({ "leader": leader, "followers": names.collect::<Vec<_>>() })
}

/// How many databases, collections and shards there are.
pub(super) async fn statistics(asks: Sharded<'_>) -> Result<Answer, ApiError> {
    if asks.request.method != Method::GET {
        return Err(ApiError::method_not_allowed());
    }
    if asks.request.query("DBserver").is_some() {
        return Err(ApiError::not_implemented("statistics of one dbserver"));
    }
    asks.server.require_admin(&asks.request.identity)?;
    asks.cluster.refresh(asks.server).await?;
    let databases: Vec<String> = asks.cluster.look("Plan/Databases", |plan| {
        let names = plan.as_object().into_iter().flatten();
        names.map(|(name, _)| name.clone()).collect()
    });
    let (mut collections, mut shards, mut copies) = (0, 0, 0);
    let mut servers = BTreeSet::new();
    for found in databases.iter().flat_map(|name| asks.cluster.planned(name)) {
        collections += 1;
        for list in found.entry["shards"].as_object().into_iter().flatten() {
            shards += 1;
            let ids = list.1.as_array().into_iter().flatten();
            for id in ids.filter_map(Value::as_str) {
                copies += 1;
                servers.insert(String::from(id.trim_start_matches('_')));
            }
        }
    }
    let result = json!({
        "databases": databases.len(),
        "collections": collections,
        "shards": copies,
        "leaders": shards,
        "realLeaders": shards,
        "followers": copies - shards,
        "servers": servers.len(),
    });
    Ok(Answer::result(200, result))
}
