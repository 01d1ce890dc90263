//! The options of a database in a cluster: kept with it, shown, and the defaults of its collections.

use serde_json::{Map, Value, json};

use crate::cluster::Cluster;
use crate::errors::ApiError;

/// The options that the body of `POST /_api/database` asks for, with the defaults of the server.
pub(super) fn wanted(cluster: &Cluster, body: &Value) -> Result<Map<String, Value>, ApiError> {
    let limits = &cluster.settings.collections;
    let asked = &body["options"];
    match asked["sharding"].as_str() {
        None | Some("" | "flexible") => {}
        Some("single") => {
            return Err(ApiError::not_implemented(
                "databases with sharding 'single'",
            ));
        }
        Some(_) => return Err(ApiError::bad_parameter("invalid value for sharding")),
    }
    if asked["replicationFactor"] == "satellite" {
        return Err(ApiError::not_implemented("satellite databases"));
    }
    let number = |name: &str, default: u64| match &asked[name] {
        Value::Null => Ok(default),
        value => value
            .as_u64()
            .ok_or_else(|| ApiError::bad_parameter(format!("{name} must be a number"))),
    };
    let copies = number("replicationFactor", limits.replication)?;
    let concern = number("writeConcern", limits.write_concern.min(copies))?;
    let (least, most) = limits.replication_range;
    if !(least..=most).contains(&copies) {
        return Err(ApiError::bad_parameter(
            "invalid value for replicationFactor",
        ));
    }
    if concern < 1 || concern > copies {
        return Err(ApiError::bad_parameter("invalid value for writeConcern"));
    }
    Ok(options("", copies, concern))
}

fn options(sharding: &str, copies: u64, concern: u64) -> Map<String, Value> {
    let options = json!({
        "sharding": sharding,
        "replicationFactor": copies,
        "writeConcern": concern,
    });
    options.as_object().cloned().unwrap_or_default()
}

/// The options of a database; of one that was made without, the defaults of the server.
pub(crate) fn of(cluster: &Cluster, database: &str) -> Map<String, Value> {
    let limits = &cluster.settings.collections;
    cluster.look(&format!("Plan/Databases/{database}"), |entry| {
        let number = |name: &str, default: u64| entry[name].as_u64().unwrap_or(default);
        let copies = number("replicationFactor", limits.replication);
        options(
            entry["sharding"].as_str().unwrap_or(""),
            copies,
            number("writeConcern", limits.write_concern.min(copies)),
        )
    })
}
