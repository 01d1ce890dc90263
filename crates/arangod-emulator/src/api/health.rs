//! `GET /_admin/cluster/health`: what supervision says of coordinators and dbservers, and what
//! agents say of themselves.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::removal::is_responsible;
use crate::agency::join_all;
use crate::cluster::{Cluster, PATIENCE, find};
use crate::errors::ApiError;
use crate::http::Answer;
use crate::version::{ENGINE, VERSION};

/// How long an agent may take to say how it is.
const ANSWER: Duration = Duration::from_millis(500);

/// The whole answer.
pub(super) async fn health(cluster: &Cluster) -> Result<Answer, ApiError> {
    let lost = |error: crate::cluster::AgencyError| ApiError::new(500, 500, error.to_string());
    let paths = [
        "/arango/Cluster",
        "/arango/Supervision/Health",
        "/arango/Plan/DBServers",
        "/arango/Plan/Coordinators",
        "/arango/Plan/Collections",
        "/arango/Current/Collections",
    ];
    let tree = cluster.agency.read(&paths, PATIENCE).await.map_err(lost)?;
    let config = cluster.agency.learn().await.map_err(lost)?;
    let mut health = Map::new();
    for (kind, role) in [("DBServers", "DBServer"), ("Coordinators", "Coordinator")] {
        let planned = find(&tree, &format!("/arango/Plan/{kind}"));
        for (id, _) in planned.as_object().into_iter().flatten() {
            let entry = find(&tree, &format!("/arango/Supervision/Health/{id}"));
            // Supervision has not looked at it yet.
            let Some(mut entry) = entry.as_object().cloned() else {
                continue;
            };
            let failed = entry.get("Status").is_some_and(|status| status == "FAILED");
            entry.insert(String::from("Role"), json!(role));
            let removable = failed && !is_responsible(&tree, id);
            entry.insert(String::from("CanBeDeleted"), json!(removable));
            health.insert(id.clone(), Value::Object(entry));
        }
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
            "Version": VERSION, "Engine": ENGINE, "Leader": config["leaderId"],
            "Leading": config["leaderId"] == json!(id),
        });
        if let Some(said) = said {
            entry["Leader"] = said["leaderId"].clone();
            entry["Leading"] = json!(said.get("lastAcked").is_some());
        }
        let acked = &config["lastAcked"][id]["lastAckedTime"];
        entry["LastAckedTime"] = acked.clone();
        health.insert(id.clone(), entry);
    }
}
