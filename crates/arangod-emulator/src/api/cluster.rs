//! `/_admin/cluster/*` and `/_api/cluster/*` of coordinators (`RestAdminClusterHandler.cpp` of
//! arangodb/arangodb).

use std::time::Duration;

use hyper::Method;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use super::{health, jobs, maintenance, removal};
use crate::cluster::{Cluster, PATIENCE, find};
use crate::errors::ApiError;
use crate::http::{Answer, Request};
use crate::server::Server;

/// How long a switch of the maintenance mode waits for supervision.
const SWITCH: Duration = Duration::from_secs(120);
/// How long maintenance lasts after `"on"`, in seconds.
const HOUR: u64 = 3600;

fn member(server: &Server) -> Result<&Cluster, ApiError> {
    let only = || ApiError::new(403, 11, "only allowed on coordinators");
    server.cluster().map(|cluster| &**cluster).ok_or_else(only)
}

/// `/_admin/cluster/*`
pub(crate) async fn admin(
    server: &Server,
    request: &Request,
    rest: &[&str],
) -> Result<Answer, ApiError> {
    let cluster = member(server)?;
    match (&request.method, rest) {
        (&Method::GET, ["health"]) => health::health(cluster).await,
        (&Method::GET, ["numberOfServers"]) => numbers(cluster).await,
        (&Method::PUT, ["numberOfServers"]) => set_numbers(server, cluster, request).await,
        (&Method::GET, ["maintenance"]) => {
            let mode = mode(cluster).await?;
            Ok(Answer::json(
                200,
                &json!({ "error": false, "result": mode }),
            ))
        }
        (&Method::PUT, ["maintenance"]) => maintain(server, cluster, request).await,
        (&Method::GET, ["maintenance", name]) => maintenance::get(cluster, name).await,
        (&Method::PUT, ["maintenance", name]) => {
            maintenance::set(server, cluster, request, name).await
        }
        (&Method::POST, [kind @ ("moveShard" | "cleanOutServer" | "resignLeadership")]) => {
            jobs::ask(server, cluster, request, kind).await
        }
        (&Method::GET, ["queryAgencyJob"]) => jobs::query(server, cluster, request).await,
        (&Method::POST, ["removeServer"]) => removal::remove(server, cluster, request).await,
        (_, ["health" | "numberOfServers" | "maintenance"])
        | (_, ["maintenance", _])
        | (_, ["moveShard" | "cleanOutServer" | "resignLeadership"])
        | (_, ["queryAgencyJob" | "removeServer"]) => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::not_implemented(format_args!(
            "{} {}",
            request.method, request.path
        ))),
    }
}

/// `GET /_api/cluster/endpoints`: where the coordinators are.
pub(crate) fn endpoints(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    if request.method != Method::GET {
        return Err(ApiError::method_not_allowed());
    }
    let cluster = member(server)?;
    let known: Vec<String> = cluster.look("Current/Coordinators", |servers| {
        servers
            .as_object()
            .into_iter()
            .flatten()
            .map(|(id, _)| id.clone())
            .collect()
    });
    let endpoint = |id: &String| {
        let path = format!("Current/ServersRegistered/{id}");
        cluster.look(&path, |entry| {
            let advertised = entry["advertisedEndpoint"].as_str();
            let chosen = advertised.filter(|text| !text.is_empty());
            let chosen = chosen.or(entry["endpoint"].as_str())?;
            Some(json!({ "endpoint": chosen }))
        })
    };
    let endpoints: Vec<Value> = known.iter().filter_map(endpoint).collect();
    Ok(Answer::good(200, json!({ "endpoints": endpoints })))
}

const NUMBERS: [(&str, &str); 2] = [
    ("numberOfDBServers", "/arango/Target/NumberOfDBServers"),
    (
        "numberOfCoordinators",
        "/arango/Target/NumberOfCoordinators",
    ),
];

async fn numbers(cluster: &Cluster) -> Result<Answer, ApiError> {
    let tree = cluster.agency.read(&["/arango/Target"], PATIENCE).await?;
    let mut body = json!({ "cleanedServers": find(&tree, "/arango/Target/CleanedServers") });
    for (name, path) in NUMBERS {
        body[name] = find(&tree, path).clone();
    }
    Ok(Answer::good(200, body))
}

async fn set_numbers(
    server: &Server,
    cluster: &Cluster,
    request: &Request,
) -> Result<Answer, ApiError> {
    server.require_admin(&request.identity)?;
    let body = request.json_object()?;
    let mut operations = Map::new();
    for (name, path) in NUMBERS {
        match body.get(name) {
            None => {}
            Some(value @ Value::Null) => drop(operations.insert(String::from(path), value.clone())),
            Some(value) if value.is_u64() => {
                drop(operations.insert(String::from(path), value.clone()))
            }
            Some(_) => return Err(ApiError::bad(format!("{name} must be a number or null"))),
        }
    }
    if let Some(cleaned) = body.get("cleanedServers") {
        let list = cleaned.as_array();
        if !list.is_some_and(|list| list.iter().all(Value::is_string)) {
            return Err(ApiError::bad("cleanedServers must be an array of strings"));
        }
        let key = String::from("/arango/Target/CleanedServers");
        operations.insert(key, cleaned.clone());
    }
    if operations.is_empty() {
        return Err(ApiError::bad("nothing to change"));
    }
    let operations = Value::Object(operations);
    cluster
        .agency
        .write(operations, json!({}), PATIENCE)
        .await?;
    Ok(Answer::good(200, json!({})))
}

async fn mode(cluster: &Cluster) -> Result<Value, ApiError> {
    let path = "/arango/Supervision/State";
    let tree = cluster.agency.read(&[path], PATIENCE).await?;
    let mode = find(&tree, path)["Mode"].clone();
    Ok(if mode.is_null() {
        json!("Normal")
    } else {
        mode
    })
}

/// Switches supervision off for a while, or on again, and waits until it has noticed.
async fn maintain(
    server: &Server,
    cluster: &Cluster,
    request: &Request,
) -> Result<Answer, ApiError> {
    server.require_admin(&request.identity)?;
    let body = request.json()?;
    let wrong = || ApiError::bad("string expected with 'on', 'off' or a number of seconds");
    let seconds = match body.as_str().ok_or_else(wrong)? {
        "on" => Some(HOUR),
        "off" => None,
        text => Some(text.parse().map_err(|_| wrong())?),
    };
    let key = "/arango/Supervision/Maintenance";
    let (operation, wanted) = match seconds {
        Some(seconds) => {
            let until = crate::system::timestamp_in(seconds);
            (json!({ "op": "set", "new": until }), "Maintenance")
        }
        None => (json!({ "op": "delete" }), "Normal"),
    };
    cluster
        .agency
        .write(json!({ key: operation }), json!({}), PATIENCE)
        .await?;
    let end = Instant::now() + SWITCH;
    while mode(cluster).await? != wanted {
        if Instant::now() >= end {
            let text = "timed out while waiting for supervision to switch";
            return Err(ApiError::new(504, 504, text));
        }
        sleep(Duration::from_millis(50)).await;
    }
    let warning = match seconds {
        Some(seconds) => format!(
            "Cluster supervision deactivated. It will be reactivated automatically in {} unless \
             this call is repeated until then.",
            if seconds == HOUR {
                String::from("60 minutes")
            } else {
                format!("{seconds} seconds")
            }
        ),
        None => String::from("Cluster supervision reactivated."),
    };
    Ok(Answer::json(
        200,
        &json!({ "error": false, "warning": warning }),
    ))
}
