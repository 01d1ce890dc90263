//! What is planned about collections, as far as the copy of the tree knows.

use serde_json::{Map, Value, json};

use super::routing::{shard_index, sort_shards};
use crate::cluster::Cluster;
use crate::errors::ApiError;
use crate::server::Server;
use crate::store::{CollectionMeta, KeyGenerator};

/// What the plan says about a collection with so many copies and this write concern, but for its ids and
/// its shards.
pub(crate) fn plan_entry(
    meta: &CollectionMeta,
    shards: u64,
    (copies, concern): (u64, u64),
) -> Map<String, Value> {
    let mut key_options = meta.key_options(0);
    if let Some(options) = key_options.as_object_mut() {
        options.remove("lastValue");
    }
    let entry = json!({
        "name": meta.name,
        "type": meta.kind,
        "status": 3,
        "isSystem": meta.system,
        "waitForSync": meta.wait_for_sync,
        "cacheEnabled": meta.cache_enabled,
        "numberOfShards": shards,
        "replicationFactor": copies,
        "writeConcern": concern,
        "minReplicationFactor": concern,
        "shardKeys": ["_key"],
        "shardingStrategy": "hash",
        "keyOptions": key_options,
        "schema": null,
        "indexes": [],
    });
    entry.as_object().cloned().unwrap_or_default()
}

/// A collection of the plan.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    /// The name of its database.
    pub(crate) database: String,
    /// Its id.
    pub(crate) id: String,
    /// What the plan says about it.
    pub(crate) entry: Value,
}

impl Planned {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        self.entry["name"].as_str().unwrap_or("")
    }

    /// Its shards in the order of their numbers.
    pub(crate) fn shards(&self) -> Vec<String> {
        let mut shards: Vec<String> = self.entry["shards"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect();
        sort_shards(&mut shards);
        shards
    }

    /// The shard that has the documents of this key.
    pub(crate) fn shard_of(&self, key: &str) -> Result<String, ApiError> {
        let mut shards = self.shards();
        if shards.is_empty() {
            return Err(ApiError::new(500, 4, "a collection without shards"));
        }
        let index = shard_index(key, shards.len());
        Ok(shards.swap_remove(index))
    }

    /// Whether it is a system collection.
    pub(crate) fn is_system(&self) -> bool {
        self.entry["isSystem"] == true
    }

    /// The id of the collection whose servers it has, if there is one.
    fn distributed_like(&self) -> Option<&str> {
        self.entry["distributeShardsLike"].as_str()
    }

    /// Whether its documents are edges.
    pub(crate) fn is_edge(&self) -> bool {
        self.entry["type"] == 3
    }

    /// Whether every write waits for the disk.
    pub(crate) fn waits_for_sync(&self) -> bool {
        self.entry["waitForSync"] == true
    }

    /// How keys are made.
    pub(super) fn key_generator(&self) -> KeyGenerator {
        let known = serde_json::from_value(self.entry["keyOptions"]["type"].clone());
        known.unwrap_or(KeyGenerator::Traditional)
    }

    /// Whether clients may bring their own keys.
    pub(super) fn allows_user_keys(&self) -> bool {
        self.entry["keyOptions"]["allowUserKeys"] != false
    }

    /// Where the plan and `Current` have it.
    pub(crate) fn path(&self) -> String {
        format!("Collections/{}/{}", self.database, self.id)
    }
}

impl Cluster {
    /// The collections of a database, by name.
    pub(crate) fn planned(&self, database: &str) -> Vec<Planned> {
        let mut found: Vec<Planned> = self.look(&format!("Plan/Collections/{database}"), |plan| {
            plan.as_object()
                .into_iter()
                .flatten()
                .map(|(id, entry)| Planned {
                    database: String::from(database),
                    id: id.clone(),
                    entry: entry.clone(),
                })
                .collect()
        });
        found.sort_by(|a, b| a.name().cmp(b.name()));
        found
    }

    /// The collection whose servers this one has, if there is one.
    pub(crate) fn model_of(&self, collection: &Planned) -> Option<Planned> {
        let model = collection.distributed_like()?;
        self.find_planned(&collection.database, model)
    }

    /// The collections that are distributed like this one.
    pub(crate) fn distributed_like(&self, model: &Planned) -> Vec<Planned> {
        let mut all = self.planned(&model.database);
        all.retain(|found| found.distributed_like() == Some(&model.id));
        all
    }

    /// A collection by name or id, if it is known here.
    pub(crate) fn find_planned(&self, database: &str, name: &str) -> Option<Planned> {
        self.look(&format!("Plan/Collections/{database}"), |plan| {
            let plan = plan.as_object()?;
            let named = |(_, entry): &(&String, &Value)| entry["name"] == name;
            let by_name = plan.iter().find(named);
            let (id, entry) = by_name.or_else(|| plan.get_key_value(name))?;
            Some(Planned {
                database: String::from(database),
                id: id.clone(),
                entry: entry.clone(),
            })
        })
    }

    /// A collection by name or id. Before one is said not to be there, the agency is asked.
    pub(crate) async fn collection(
        &self,
        server: &Server,
        database: &str,
        name: &str,
    ) -> Result<Planned, ApiError> {
        if let Some(found) = self.find_planned(database, name) {
            return Ok(found);
        }
        self.refresh(server).await?;
        self.find_planned(database, name)
            .ok_or_else(|| ApiError::collection_not_found(name))
    }
}
