//! `GET /_admin/cluster/health`: what supervision says of coordinators and dbservers, and what
//! agents say of themselves.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::removal::is_responsible;
use crate::agency::join_all;
use crate::cluster::{Cluster, PATIENCE, find};
use crate::errors::ApiError;
use crate::http::Answer;

/// How long an agent may take to say how it is.
const ANSWER: Duration = Duration::from_millis(500);

/// The whole answer.
pub(super) async fn health(cluster: &Cluster) -> Result<Answer, ApiError> {
    let lost = |error: crate::cluster::AgencyError| ApiError::new(500, 500, error.to_string());
    let paths = [
        "/arango/Cluster",
        "/arango/Supervision/Health",
        "/arango/Plan/Collections",
        "/arango/Current/Collections",
    ];
    let tree = cluster.agency.read(&paths, PATIENCE).await.map_err(lost)?;
    let config = cluster.agency.learn().await.map_err(lost)?;
    let mut health = Map::new();
    // All that supervision knows, planned or not.
    let known = find(&tree, "/arango/Supervision/Health").as_object();
    for (id, entry) in known.into_iter().flatten() {
        let Some(mut entry) = entry.as_object().cloned() else {
            continue;
        };
        let role = match id.starts_with("CRDN-") {
            true => "Coordinator",
            false => "DBServer",
        };
        let failed = entry.get("Status").is_some_and(|status| status == "FAILED");
        entry.insert(String::from("Role"), json!(role));
        let removable = failed && !is_responsible(&tree, id);
        entry.insert(String::from("CanBeDeleted"), json!(removable));
        health.insert(id.clone(), Value::Object(entry));
    }
    agents(cluster, &config, &mut health).await;
    let id = find(&tree, "/arango/Cluster");
    Ok(Answer::good(
        200,
        json!({ "ClusterId": id, "Health": health }),
    ))
}

async fn agents(cluster: &Cluster, config: &Value, health: &mut Map<String, Value>) {
    let pool = config["configuration"]["pool"].as_object();
    let pool: Vec<(&String, &str)> = pool
        .into_iter()
        .flatten()
        .filter_map(|(id, endpoint)| Some((id, endpoint.as_str()?)))
        .collect();
    let ask = |endpoint| {
        cluster
            .agency
            .client()
            .get(endpoint, "/_api/agency/config", ANSWER)
    };
    let answers = join_all(pool.iter().map(|(_, endpoint)| ask(endpoint))).await;
    for ((id, endpoint), answer) in pool.into_iter().zip(answers) {
        let said = answer
            .ok()
            .filter(|answer| answer.status == 200)
            .map(|answer| answer.json());
        let status = if said.is_some() { "GOOD" } else { "BAD" };
        let mut entry = json!({
            "Endpoint": endpoint, "Role": "Agent", "CanBeDeleted": false, "Status": status,
        });
        // Only an agent that answers says what it is, and only the leader knows who has answered it.
        if let Some(said) = said {
            entry["Engine"] = said["engine"].clone();
            entry["Version"] = said["version"].clone();
            entry["Leader"] = said["leaderId"].clone();
        }
        let acked = &config["lastAcked"][id]["lastAckedTime"];
        if acked.is_number() {
            entry["Leading"] = json!(config["leaderId"] == json!(id));
            entry["LastAckedTime"] = acked.clone();
        }
        health.insert(id.clone(), entry);
    }
}
