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
use crate::role::Role;
use crate::server::Server;

/// How long a switch of the maintenance mode waits for supervision.
const SWITCH: Duration = Duration::from_secs(120);
/// How long maintenance lasts after `"on"`, in seconds.
const HOUR: u64 = 3600;
/// How long another server may take for what is asked about itself.
const ANSWER: Duration = Duration::from_secs(10);
/// What is only known on coordinators, beside what has branches of its own.
const COMMANDS: [&str; 20] = [
    "agencyDiagnosis",
    "cancelAgencyJob",
    "cleanOutServer",
    "collectionShardDistribution",
    "health",
    "maintenance",
    "moveShard",
    "nodeEngine",
    "nodeStatistics",
    "nodeVersion",
    "numberOfServers",
    "queryAgencyJob",
    "rebalance",
    "rebalanceShards",
    "removeServer",
    "resignLeadership",
    "shardDistribution",
    "shardStatistics",
    "statistics",
    "uniqId",
];

/// The membership of a coordinator.
fn coordinator(server: &Server) -> Option<&Cluster> {
    let cluster = server.cluster()?;
    (cluster.role == Role::Coordinator).then_some(cluster)
}

/// What other servers than coordinators answer.
fn elsewhere(server: &Server, request: &Request, rest: &[&str]) -> Result<Answer, ApiError> {
    let refused = |text: &str| Err(ApiError::new(403, 403, text));
    let alone = server.settings.role == Role::Single;
    let not_here = match alone {
        true => "not allowed on single servers",
        false => "only allowed on single server and coordinators",
    };
    match rest {
        ["health"] => refused(not_here),
        ["maintenance"] => {
            server.require_admin(&request.identity)?;
            refused(not_here)
        }
        ["shardStatistics"] => {
            server.require_admin(&request.identity)?;
            Err(ApiError::only_on_coordinators())
        }
        ["removeServer"] if alone => {
            server.require_admin(&request.identity)?;
            Err(ApiError::new(500, 500, "internal error"))
        }
        ["removeServer"] | ["vpackSortMigration", ..] => Err(missing(request)),
        ["rebalance", ..] | ["maintenance", _] => refused("only allowed on coordinators"),
        [command] if COMMANDS.contains(command) => refused("only allowed on coordinators"),
        [command] => Err(ApiError::bad(format!("invalid command '{command}'"))),
        _ => Err(ApiError::new(
            400,
            601,
            "expecting URL /_admin/cluster/<command>",
        )),
    }
}

fn missing(request: &Request) -> ApiError {
    ApiError::not_implemented(format_args!("{} {}", request.method, request.path))
}

/// `/_admin/cluster/*`
pub(crate) async fn admin(
    server: &Server,
    request: &Request,
    rest: &[&str],
) -> Result<Answer, ApiError> {
    let Some(cluster) = coordinator(server) else {
        return elsewhere(server, request, rest);
    };
    match (&request.method, rest) {
        (&Method::GET, ["health"]) => health::health(cluster).await,
        (&Method::GET, ["numberOfServers"]) => numbers(cluster).await,
        (&Method::PUT, ["numberOfServers"]) => set_numbers(server, cluster, request).await,
        (&Method::GET, ["maintenance"]) => {
            server.require_admin(&request.identity)?;
            Ok(Answer::result(200, mode(cluster).await?))
        }
        (&Method::PUT, ["maintenance"]) => maintain(server, cluster, request).await,
        (&Method::GET, ["maintenance", id]) => {
            server.require_admin(&request.identity)?;
            maintenance::get(cluster, id).await
        }
        (&Method::PUT, ["maintenance", id]) => maintenance::set(server, cluster, request, id).await,
        (
            &Method::GET,
            [what @ ("nodeVersion" | "nodeEngine" | "nodeStatistics" | "statistics")],
        ) => ask_member(cluster, request, what).await,
        (&Method::PUT, ["uniqId"]) => unique_numbers(server, cluster, request).await,
        (&Method::POST, [kind @ ("moveShard" | "cleanOutServer" | "resignLeadership")]) => {
            jobs::ask(server, cluster, request, kind).await
        }
        (&Method::GET, ["queryAgencyJob"]) => jobs::query(server, cluster, request).await,
        (&Method::POST, ["cancelAgencyJob"]) => jobs::cancel(server, cluster, request).await,
        (&Method::POST, ["removeServer"]) => removal::remove(server, cluster, request).await,
        (_, ["health" | "numberOfServers" | "maintenance"])
        | (_, ["maintenance", _])
        | (_, ["moveShard" | "cleanOutServer" | "resignLeadership"])
        | (_, ["queryAgencyJob" | "cancelAgencyJob" | "removeServer" | "uniqId"])
        | (_, ["nodeVersion" | "nodeEngine" | "nodeStatistics" | "statistics"]) => {
            Err(ApiError::method_not_allowed())
        }
        (_, [command]) if !COMMANDS.contains(command) && *command != "rebalance" => {
            Err(ApiError::bad(format!("invalid command '{command}'")))
        }
        _ => Err(missing(request)),
    }
}

/// What another server of the cluster answers about itself, as it says it.
async fn ask_member(cluster: &Cluster, request: &Request, what: &str) -> Result<Answer, ApiError> {
    let (parameter, path) = match what {
        "nodeVersion" => ("ServerID", "/_api/version"),
        "nodeEngine" => ("ServerID", "/_api/engine"),
        "nodeStatistics" => ("ServerID", "/_admin/statistics"),
        _ => ("DBserver", "/_admin/statistics"),
    };
    let id = request.query(parameter).filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| ApiError::bad(format!("missing parameter '{parameter}'")))?;
    let place = format!("Current/ServersRegistered/{id}/endpoint");
    let endpoint = cluster.look(&place, |endpoint| endpoint.as_str().map(String::from));
    let endpoint = endpoint.ok_or_else(|| ApiError::bad("unknown server"))?;
    let asked = cluster.agency.client().get(&endpoint, path, ANSWER).await;
    let reply = asked.map_err(|_| ApiError::new(408, 504, "server did not answer"))?;
    Ok(Answer::json(reply.status, &reply.json()))
}

/// `PUT uniqId?number=`: numbers that nobody else gets.
async fn unique_numbers(
    server: &Server,
    cluster: &Cluster,
    request: &Request,
) -> Result<Answer, ApiError> {
    server.require_admin(&request.identity)?;
    if request.query("minimum").is_some() {
        return Err(ApiError::not_implemented("uniqId with a minimum"));
    }
    let number = request.query("number").unwrap_or("1").parse().ok();
    let number = number.filter(|number| (1..=1_000_000).contains(number));
    let number = number.ok_or_else(|| ApiError::bad_parameter("invalid value for 'number'"))?;
    let taken = server.numbers.take(cluster, number).await?;
    let (smallest, largest) = (taken.start, taken.end - 1);
    Ok(Answer::good(
        200,
        json!({ "smallest": smallest.to_string(), "largest": largest.to_string() }),
    ))
}

/// `GET /_api/cluster/endpoints`: where the coordinators are.
pub(crate) fn endpoints(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    if request.method != Method::GET {
        return Err(ApiError::method_not_allowed());
    }
    let Some(cluster) = coordinator(server) else {
        let text = "only to be executed on coordinators";
        return Err(ApiError::new(501, 9, text));
    };
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
    let Value::Object(body) = request.json()? else {
        return Err(ApiError::bad_parameter("object expected"));
    };
    let mut operations = Map::new();
    for (name, path) in NUMBERS {
        match body.get(name) {
            None => {}
            Some(value @ Value::Null) => drop(operations.insert(String::from(path), value.clone())),
            Some(value) if value.is_u64() => {
                drop(operations.insert(String::from(path), value.clone()))
            }
            Some(_) => return Err(ApiError::bad_parameter(format!("{name}: number expected"))),
        }
    }
    if let Some(cleaned) = body.get("cleanedServers") {
        let list = cleaned.as_array();
        if !list.is_some_and(|list| list.iter().all(Value::is_string)) {
            let text = "cleanedServers: array (of strings) expected";
            return Err(ApiError::bad_parameter(text));
        }
        let key = String::from("/arango/Target/CleanedServers");
        operations.insert(key, cleaned.clone());
    }
    if operations.is_empty() {
        return Ok(Answer::good(200, json!({})));
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
    let wrong = || ApiError::bad_parameter("string expected with value `on` or `off`");
    let seconds = match &body {
        Value::Number(seconds) => Some(seconds.as_u64().ok_or_else(wrong)?),
        Value::String(text) if text == "on" => Some(HOUR),
        Value::String(text) if text == "off" => None,
        Value::String(text) => Some(text.parse().map_err(|_| wrong())?),
        _ => return Err(wrong()),
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
            return Err(ApiError::new(408, 504, text));
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
    Ok(Answer::good(200, json!({ "warning": warning })))
}
