//! What clients see of a collection of a cluster, and what they may ask for when they make one.

use serde_json::{Map, Value, json};

use super::Sharded;
use crate::api::collection::{flag, meta_of};
use crate::api::database_options;
use crate::cluster::Cluster;
use crate::coordinator::{Planned, Wishes, plan_entry};
use crate::errors::ApiError;
use crate::store::{KeyGenerator, legal_collection};

/// Attributes of the plan that answers carry, as recorded from a cluster of 3.12.10.
const SHOWN: [&str; 9] = [
    "cacheEnabled",
    "keyOptions",
    "minReplicationFactor",
    "numberOfShards",
    "replicationFactor",
    "shardKeys",
    "shardingStrategy",
    "waitForSync",
    "writeConcern",
];

/// The attributes that every answer about a collection has.
pub(super) fn brief(found: &Planned) -> Value {
    json!({
        "id": found.id,
        "name": found.name(),
        "status": 3,
        "type": found.entry["type"],
        "isSystem": found.is_system(),
        "globallyUniqueId": found.entry["globallyUniqueId"],
    })
}

/// All attributes.
pub(super) fn full(cluster: &Cluster, found: &Planned) -> Value {
    let mut body = brief(found);
    if let Some(model) = cluster.model_of(found) {
        body["distributeShardsLike"] = json!(model.name());
    }
    for name in SHOWN {
        body[name] = found.entry[name].clone();
    }
    let more = json!({
        "computedValues": null,
        "internalValidatorType": 0,
        "isDisjoint": false,
        "isSmart": false,
        "isSmartChild": false,
        "schema": null,
        "statusString": "loaded",
        "supportsRBAC": true,
        "syncByRevision": true,
        "usesRevisionsAsDocumentIds": true,
    });
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}

/// A number of a body; null is as good as none.
pub(super) fn number(body: &Map<String, Value>, name: &str) -> Result<Option<u64>, ApiError> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) if value.is_u64() => Ok(value.as_u64()),
        Some(_) => Err(ApiError::bad_parameter(format!("{name} must be a number"))),
    }
}

/// What the body asks of the write concern; the second name is the one of older versions.
pub(super) fn write_concern(body: &Map<String, Value>) -> Result<Option<u64>, ApiError> {
    match number(body, "writeConcern")? {
        Some(concern) => Ok(Some(concern)),
        None => number(body, "minReplicationFactor"),
    }
}

impl Sharded<'_> {
    /// Checks replication factor and write concern.
    pub(super) fn check_copies(&self, copies: u64, concern: u64) -> Result<(), ApiError> {
        let (least, most) = self.cluster.settings.collections.replication_range;
        if copies < least {
            let text = "replicationFactor must not be lower than minimum allowed value";
            return Err(ApiError::bad_parameter(format!("{text} {least}")));
        }
        if copies > most {
            let text = "replicationFactor must not be higher than maximum allowed value";
            return Err(ApiError::bad_parameter(format!("{text} {most}")));
        }
        if concern < 1 || concern > copies {
            let text = "writeConcern must be at least 1 and not larger than replicationFactor";
            return Err(ApiError::bad_parameter(text));
        }
        Ok(())
    }

    /// The collection that the request wants.
    pub(super) fn wishes(&self) -> Result<Wishes, ApiError> {
        let body = self.request.json_object()?;
        let meta = meta_of(&body)?;
        let extended = self.server.settings.extended_names;
        if !legal_collection(&meta.name, meta.system, extended) {
            return Err(ApiError::new(400, 1208, "illegal name"));
        }
        refuse_unable(&body)?;
        if meta.keys == KeyGenerator::Autoincrement {
            let what = "the key generator 'autoincrement' in a cluster";
            return Err(ApiError::not_implemented(what));
        }
        let limits = &self.cluster.settings.collections;
        let shards = number(&body, "numberOfShards")?.unwrap_or(1);
        if shards < 1 {
            return Err(ApiError::bad_parameter("invalid number of shards"));
        }
        if limits.shards > 0 && shards > limits.shards {
            return Err(ApiError::new(400, 1450, "too many shards"));
        }
        let inherited = database_options::of(self.cluster, &self.request.database);
        let inherited = |name: &str| inherited[name].as_u64().unwrap_or(1);
        let copies = number(&body, "replicationFactor")?;
        let copies = copies.unwrap_or_else(|| inherited("replicationFactor"));
        let default = inherited("writeConcern").min(copies.max(1));
        let concern = write_concern(&body)?.unwrap_or(default);
        self.check_copies(copies, concern)?;
        let asked = |name: &str, default: bool| self.request.query_flag(name).unwrap_or(default);
        Ok(Wishes {
            entry: plan_entry(&meta, shards, (copies, concern)),
            shards,
            replication: copies,
            enforce_replication: asked("enforceReplicationFactor", true),
            wait_for_followers: asked("waitForSyncReplication", limits.waits_for_followers),
        })
    }
}

/// What would put documents elsewhere than the emulator does.
fn refuse_unable(body: &Map<String, Value>) -> Result<(), ApiError> {
    let refuse = |what: &str| {
        Err(ApiError::not_implemented(format_args!(
            "collections with {what}"
        )))
    };
    match body.get("shardKeys") {
        None | Some(Value::Null) => {}
        Some(Value::Array(keys)) if keys.is_empty() => {
            return Err(ApiError::bad_parameter("invalid number of shard keys"));
        }
        Some(Value::Array(keys)) if *keys == ["_key"] => {}
        Some(Value::Array(keys)) if keys.iter().all(Value::is_string) => {
            return refuse("shard keys other than '_key'");
        }
        Some(_) => {
            return Err(ApiError::bad_parameter(
                "shardKeys must be an array of strings",
            ));
        }
    }
    if body
        .get("replicationFactor")
        .is_some_and(|copies| copies == "satellite")
    {
        return refuse("replicationFactor 'satellite'");
    }
    match body.get("shardingStrategy").unwrap_or(&Value::Null) {
        Value::Null => {}
        Value::String(name) if ["", "hash"].contains(&name.as_str()) => {}
        _ => return refuse("shardingStrategy other than 'hash'"),
    }
    for name in [
        "distributeShardsLike",
        "smartJoinAttribute",
        "smartGraphAttribute",
    ] {
        let given = body.get(name).unwrap_or(&Value::Null);
        if !given.is_null() && given != "" {
            return refuse(name);
        }
    }
    for name in ["isSmart", "isDisjoint"] {
        if flag(body, name, false)? {
            return refuse(name);
        }
    }
    Ok(())
}
