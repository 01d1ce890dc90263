//! Creating a collection: planned as one transaction, and there for the client when the leaders of
//! all shards have said so with all their followers (rule 15 of `consistency.md`).

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::placement::distribute;
use super::{Planned, remove};
use crate::cluster::{Cluster, Decided, PATIENCE};
use crate::errors::ApiError;
use crate::server::Server;

/// So long dbservers may take to make all shards, beside so many grace periods in which supervision
/// may find that one of them has failed, and others may take its place.
const CONFIRMATION: Duration = Duration::from_secs(10);
const GRACES: u32 = 4;
/// So often a plan is made again because another one was faster.
const TRIES: u32 = 100;

/// The collection that somebody wants.
#[derive(Debug)]
pub(crate) struct Wishes {
    /// What the plan will say, but for ids and shards.
    pub(crate) entry: Map<String, Value>,
    /// The number of shards.
    pub(crate) shards: u64,
    /// The number of copies of each.
    pub(crate) replication: u64,
    /// Whether it is an error if there are fewer dbservers than copies.
    pub(crate) enforce_replication: bool,
    /// Whether followers are waited for.
    pub(crate) wait_for_followers: bool,
}

/// Creates a collection, or leaves nothing of it.
pub(crate) async fn create(
    server: &Server,
    cluster: &Cluster,
    database: &str,
    wishes: &Wishes,
) -> Result<Planned, ApiError> {
    let numbers = server.numbers.take(cluster, wishes.shards + 1).await?;
    let id = numbers.start.to_string();
    let path = plan(server, cluster, database, wishes, numbers.start).await?;
    let created = cluster.until(|cluster| cluster.progress(&path, wishes.wait_for_followers));
    let problem = match timeout(CONFIRMATION + cluster.grace() * GRACES, created).await {
        Ok(Ok(())) => {
            let found = cluster.find_planned(database, &id);
            return found.ok_or_else(|| ApiError::collection_not_found(&id));
        }
        Ok(Err(problem)) => problem,
        Err(_) => {
            let missing = cluster.missing(&path, wishes.wait_for_followers).join(", ");
            let text = format!("timeout in cluster operation: not created in time: {missing}");
            ApiError::new(500, ApiError::CLUSTER_TIMEOUT, text)
        }
    };
    if let Some(half) = cluster.find_planned(database, &id)
        && let Err(error) = remove(server, cluster, &half).await
    {
        let text = format!("{}; nor could it be removed: {error}", problem.message);
        return Err(ApiError::new(500, ApiError::CLUSTER_TIMEOUT, text));
    }
    Err(problem)
}

/// Puts the collection into the plan, and returns its path there.
async fn plan(
    server: &Server,
    cluster: &Cluster,
    database: &str,
    wishes: &Wishes,
    id: u64,
) -> Result<String, ApiError> {
    let name = wishes
        .entry
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or("");
    for _ in 0..TRIES {
        cluster.refresh(server).await?;
        let (known, version) = (
            cluster.look(&format!("Plan/Databases/{database}"), |entry| {
                !entry.is_null()
            }),
            cluster.look("Plan/Version", Value::clone),
        );
        if !known {
            return Err(ApiError::database_not_found());
        }
        if cluster.find_planned(database, name).is_some() {
            return Err(ApiError::duplicate_name());
        }
        let mut entry = wishes.entry.clone();
        entry.insert(String::from("id"), json!(id.to_string()));
        let unique = match name.starts_with('_') {
            true => String::from(name),
            false => format!("c{id}/"),
        };
        entry.insert(String::from("globallyUniqueId"), json!(unique));
        let counts = (wishes.shards, wishes.replication);
        let shards = place(server, cluster, counts, wishes.enforce_replication, id)?;
        entry.insert(String::from("shards"), Value::Object(shards));
        let path = format!("Collections/{database}/{id}");
        let operations = json!({
            format!("/arango/Plan/{path}"): { "op": "set", "new": entry },
            "/arango/Plan/Version": { "op": "increment" },
        });
        // Every change of the plan changes its version: no other collection of this name, the
        // database still there, the servers still members.
        let mut conditions = cluster.nobody_leaves();
        conditions.insert(
            String::from("/arango/Plan/Version"),
            json!({ "old": version }),
        );
        let conditions = Value::Object(conditions);
        let decided = cluster
            .agency
            .write(operations, conditions, PATIENCE)
            .await?;
        if decided != Decided::Not {
            cluster.refresh(server).await?;
            return Ok(path);
        }
    }
    let text = "conflict, too many changes at once";
    Err(ApiError::new(409, 1200, text))
}

/// So many shards, each with so many copies, with their servers. Their names have the numbers behind `id`.
pub(super) fn place(
    server: &Server,
    cluster: &Cluster,
    (shards, copies): (u64, u64),
    enforce_replication: bool,
    id: u64,
) -> Result<Map<String, Value>, ApiError> {
    let servers = cluster.usable_dbservers();
    let too_few = enforce_replication && (servers.len() as u64) < copies;
    if servers.is_empty() || too_few {
        let text = "the number of current dbservers is lower than the requested replicationFactor";
        return Err(ApiError::new(400, 1487, text));
    }
    let start = server.rotation.get();
    let number = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let (shards, copies) = (number(shards), number(copies));
    server.rotation.set(start.wrapping_add(shards));
    let lists = distribute(&servers, start, shards, copies);
    let numbered = (id + 1..).zip(lists);
    Ok(numbered
        .map(|(number, list)| (format!("s{number}"), json!(list)))
        .collect())
}

/// Whether `Current` says about a shard what the plan says.
pub(crate) fn is_in_sync(planned: &Value, current: &Value) -> bool {
    let set = |list: &Value| -> Option<BTreeSet<String>> {
        let list = list.as_array()?.iter();
        list.map(|id| id.as_str().map(String::from)).collect()
    };
    let (planned, current) = (set(planned), set(&current["servers"]));
    planned.is_some_and(|planned| !planned.is_empty() && current == Some(planned))
}

impl Cluster {
    /// Something once the collection is there, or will not be.
    fn progress(&self, path: &str, followers: bool) -> Option<Result<(), ApiError>> {
        if self.look(&format!("Plan/{path}"), Value::is_null) {
            // Somebody has dropped it, or its database.
            return Some(Err(ApiError::new(
                404,
                1203,
                "collection or view not found",
            )));
        }
        let broken = self.look(&format!("Current/{path}"), |shards| {
            let mut shards = shards.as_object()?.iter();
            let (_, entry) = shards.find(|(_, entry)| entry["error"] == true)?;
            let number = entry["errorNum"]
                .as_u64()
                .and_then(|number| number.try_into().ok());
            let text = entry["errorMessage"]
                .as_str()
                .unwrap_or("a shard cannot be made");
            Some(ApiError::new(500, number.unwrap_or(4), text))
        });
        match broken {
            Some(error) => Some(Err(error)),
            None => self.missing(path, followers).is_empty().then_some(Ok(())),
        }
    }

    /// The shards that are not there yet.
    pub(super) fn missing(&self, path: &str, followers: bool) -> Vec<String> {
        let planned = self.look(&format!("Plan/{path}/shards"), Value::clone);
        self.look(&format!("Current/{path}"), |current| {
            let there = |name: &str, servers: &Value| match followers {
                true => is_in_sync(servers, &current[name]),
                false => current[name]["servers"][0] == servers[0],
            };
            let shards = planned.as_object().into_iter().flatten();
            shards
                .filter(|(name, servers)| !there(name, servers))
                .map(|(name, _)| name.clone())
                .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_sync_as_sets() {
        let current = |servers: Value| json!({ "servers": servers });
        assert!(is_in_sync(&json!(["a", "b"]), &current(json!(["b", "a"]))));
        assert!(!is_in_sync(&json!(["a", "b"]), &current(json!(["a"]))));
        assert!(!is_in_sync(&json!(["a"]), &current(json!(["a", "b"]))));
        assert!(!is_in_sync(&json!(["a"]), &Value::Null));
        assert!(!is_in_sync(&json!([]), &current(json!([]))));
    }
}
