//! The system collections that every database of a cluster has (`UpgradeTasks.cpp` and `Collections.cpp`
//! of arangodb/arangodb): one of them is placed, and the others are distributed like it.

use serde_json::{Map, Value, json};

use super::creation::place;
use super::plan::plan_entry;
use crate::cluster::Cluster;
use crate::errors::ApiError;
use crate::server::Server;
use crate::store::{CollectionMeta, SYSTEM, system_collections};

/// The collections of `_system` are distributed like this one.
const MODEL_OF_SYSTEM: &str = "_users";
/// Those of other databases are distributed like this one.
const MODEL: &str = "_graphs";

/// How many copies the system collections of a database have, with these options of the database.
pub(crate) fn copies(cluster: &Cluster, options: &Map<String, Value>) -> u64 {
    let limits = &cluster.settings.collections;
    let asked = options.get("replicationFactor").and_then(Value::as_u64);
    let asked = asked.unwrap_or(limits.replication);
    asked.max(limits.system_replication)
}

/// What `Plan/Collections` has to say about a new database with these options: its system collections by
/// their ids.
pub(crate) async fn planned(
    server: &Server,
    cluster: &Cluster,
    database: &str,
    options: &Map<String, Value>,
) -> Result<Map<String, Value>, ApiError> {
    let model = if database == SYSTEM {
        MODEL_OF_SYSTEM
    } else {
        MODEL
    };
    let mut names: Vec<&str> = system_collections(database).to_vec();
    // The model's numbers come first, and so it is made first.
    names.sort_by_key(|name| *name != model);
    let copies = copies(cluster, options);
    let concern = options.get("writeConcern").and_then(Value::as_u64);
    let concern = concern.unwrap_or(cluster.settings.collections.write_concern);
    let numbers = server.numbers.take(cluster, 2 * names.len() as u64).await?;
    let like = numbers.start.to_string();
    let placed = place(server, cluster, (1, copies), true, numbers.start)?;
    let servers = placed.values().next().cloned().unwrap_or_default();
    let mut planned = Map::new();
    for (name, id) in names.into_iter().zip(numbers.step_by(2)) {
        let meta = CollectionMeta::named(name);
        let mut entry = plan_entry(&meta, 1, (copies, concern.min(copies)));
        if name != model {
            entry.insert(String::from("distributeShardsLike"), json!(like));
        }
        let shard = format!("s{}", id + 1);
        for (property, value) in [
            ("id", json!(id.to_string())),
            ("globallyUniqueId", json!(name)),
            ("shards", json!({ shard: servers })),
        ] {
            entry.insert(String::from(property), value);
        }
        planned.insert(id.to_string(), Value::Object(entry));
    }
    Ok(planned)
}

impl Cluster {
    /// Whether all planned collections of a database are there, with all their followers.
    pub(crate) fn has_all_collections(&self, database: &str) -> bool {
        let planned = self.planned(database);
        let there = |path: String| self.missing(&path, true).is_empty();
        planned.iter().all(|collection| there(collection.path()))
    }
}
