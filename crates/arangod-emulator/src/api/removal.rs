//! `POST /_admin/cluster/removeServer`: a server that has failed, and has no shard, is forgotten.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::sleep;

use super::jobs::{id_of, missing};
use crate::cluster::{Cluster, PATIENCE, find};
use crate::errors::ApiError;
use crate::http::{Answer, Request};
use crate::server::Server;

/// So often it is looked whether a server may be removed.
const TRIES: u32 = 60;
/// What is looked at.
const PATHS: [&str; 4] = [
    "/arango/Plan",
    "/arango/Current",
    "/arango/Supervision",
    "/arango/Target",
];

/// Removes a server as soon as that is possible.
pub(super) async fn remove(
    server: &Server,
    cluster: &Cluster,
    request: &Request,
) -> Result<Answer, ApiError> {
    server.require_admin(&request.identity)?;
    let body = request.json()?;
    let name = body.as_str().or_else(|| body["server"].as_str());
    let name = name.ok_or_else(|| ApiError::bad_parameter("object with key `server`"))?;
    let mut tries = 0;
    loop {
        let tree = cluster.agency.read(&PATHS, PATIENCE).await?;
        let known = find(&tree, "/arango/Supervision/Health");
        let id = id_of(&tree, known, name).ok_or_else(|| missing("unknown server id"))?;
        if may_be_removed(&tree, id) {
            let (operations, conditions) = removal(&tree, id);
            let decided = cluster
                .agency
                .write(operations, conditions, PATIENCE)
                .await?;
            if decided.place().is_some() {
                return Ok(Answer::raw_json(200, String::new()));
            }
        }
        tries += 1;
        if tries == TRIES {
            return Err(ApiError::new(412, 412, "server may not be deleted"));
        }
        let arangods = Duration::from_secs(1);
        sleep(server.settings.pace.timer(arangods / 4, arangods)).await;
    }
}

/// Whether a server has failed, is in nobody's hands, and has no shard.
fn may_be_removed(tree: &Value, id: &str) -> bool {
    let health = find(tree, "/arango/Supervision/Health");
    let locks = find(tree, "/arango/Supervision/DBServers");
    health[id]["Status"] == "FAILED" && locks.get(id).is_none() && !is_responsible(tree, id)
}

/// Whether a shard is planned on a server, or was when its leader last spoke.
pub(super) fn is_responsible(tree: &Value, id: &str) -> bool {
    let names = |list: &Value| {
        let list = list.as_array().into_iter().flatten();
        let mut list = list.filter_map(Value::as_str);
        list.any(|entry| entry.strip_prefix('_').unwrap_or(entry) == id)
    };
    let collections = |path: &str| {
        let databases = find(tree, path).as_object().into_iter().flatten();
        let collections = databases.filter_map(|(_, database)| database.as_object());
        collections.flatten().map(|(_, collection)| collection)
    };
    let shards = |value: &'_ Value| value.as_object().cloned().unwrap_or_default();
    let planned = collections("/arango/Plan/Collections")
        .any(|collection| shards(&collection["shards"]).values().any(names));
    let current = collections("/arango/Current/Collections")
        .any(|collection| shards(collection).values().any(|it| names(&it["servers"])));
    planned || current
}

/// The transaction; nothing may be planned anywhere meanwhile.
fn removal(tree: &Value, id: &str) -> (Value, Value) {
    let mut operations = Map::new();
    let places = [
        "Plan/Coordinators",
        "Plan/DBServers",
        "Current/ServersRegistered",
        "Current/DBServers",
        "Current/Coordinators",
        "Current/ServersKnown",
        "Supervision/Health",
        "Target/MapUniqueToShortID",
    ];
    for place in places {
        let key = format!("/arango/{place}/{id}");
        operations.insert(key, json!({ "op": "delete" }));
    }
    let removed = format!("/arango/Target/RemovedServers/{id}");
    let time = crate::system::timestamp();
    operations.insert(removed, json!({ "op": "set", "new": time }));
    let mut conditions = Map::new();
    let version = "/arango/Plan/Version";
    conditions.insert(String::from(version), json!({ "old": find(tree, version) }));
    let health = format!("/arango/Supervision/Health/{id}/Status");
    conditions.insert(health, json!({ "old": "FAILED" }));
    let lock = format!("/arango/Supervision/DBServers/{id}");
    conditions.insert(lock, json!({ "oldEmpty": true }));
    (Value::Object(operations), Value::Object(conditions))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_has_failed_and_has_nothing() {
        let tree = |status: &str, planned: Value, current: Value, locks: Value| {
            json!({ "arango": {
                "Plan": { "Collections": { "d": { "7": { "shards": { "s1": planned } } } } },
                "Current": { "Collections": { "d": { "7": { "s1": { "servers": current } } } } },
                "Supervision": { "Health": { "A": { "Status": status } }, "DBServers": locks },
            }})
        };
        let may = |status, planned, current, locks| {
            may_be_removed(&tree(status, planned, current, locks), "A")
        };
        assert!(may("FAILED", json!(["B"]), json!(["B"]), json!({})));
        assert!(!may("GOOD", json!(["B"]), json!(["B"]), json!({})));
        assert!(!may("FAILED", json!(["B", "A"]), json!(["B"]), json!({})));
        assert!(!may("FAILED", json!(["_A", "B"]), json!(["B"]), json!({})));
        assert!(!may("FAILED", json!(["B"]), json!(["B", "A"]), json!({})));
        assert!(!may(
            "FAILED",
            json!(["B"]),
            json!(["B"]),
            json!({"A": "1"})
        ));
    }
}
