//! What each role answers in each phase.

use std::sync::atomic::Ordering;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value, json};

use crate::http::{Answer, Request, ask};
use crate::phases::Phase;
use crate::{Role, Server, peers};

const VERSION: &str = "/_api/version";
const STATUS: &str = "/_admin/status";

/// The answer to a request, as the order of checks in the real server has it.
pub(crate) async fn answer(server: &Server, request: &Request) -> Answer {
    if server.stopping.load(Ordering::SeqCst) {
        return error(503, 30, "shutdown in progress");
    }
    if request.path == peers::BEAT {
        server.members.note(&request.body);
        return Answer::of(200, json!({}));
    }
    let phase = server.phase();
    let is_early = [VERSION, STATUS].contains(&request.path.as_str());
    let booting = "service unavailable due to startup or maintenance mode";
    match phase {
        Phase::Closed | Phase::Startup | Phase::Keyless => {
            if request.authorization.starts_with("Basic ") {
                return error(503, 503, "service unavailable due to startup");
            }
            if phase == Phase::Keyless || !has_token(server, request) {
                return unauthorized();
            }
            if !is_early {
                return error(503, 503, "service unavailable due to startup");
            }
        }
        Phase::Maintenance if is_early => {}
        Phase::Maintenance | Phase::Blocked => return error(503, 503, booting),
        Phase::Userless | Phase::Full | Phase::Leaderless | Phase::Normal => {
            let is_open = ["/", "/_admin/server/availability"].contains(&request.path.as_str());
            if !is_open && !may(server, request, phase) {
                return unauthorized();
            }
        }
    }
    let path = match request.path.strip_prefix("/_db/") {
        Some(rest) => match rest.split_once('/') {
            Some(("_system", path)) => format!("/{path}"),
            _ => return error(404, 1228, "database not found"),
        },
        None => request.path.clone(),
    };
    match (request.method.as_str(), path.as_str()) {
        ("GET", VERSION) => Answer::of(200, version()),
        ("GET", STATUS) => Answer::of(200, status(server, phase)),
        ("GET", "/_admin/server/availability") if phase == Phase::Full => {
            error(503, 503, "service unavailable")
        }
        ("GET", "/_admin/server/availability") => Answer::of(
            200,
            json!({"error": false, "code": 200, "mode": mode(server)}),
        ),
        (method, path) => of_role(server, phase, method, path, request).await,
    }
}

async fn of_role(
    server: &Server,
    phase: Phase,
    method: &str,
    path: &str,
    request: &Request,
) -> Answer {
    let has_users = matches!(server.role, Role::Single | Role::Coordinator);
    match (server.role, method, path) {
        (Role::Agent, "GET", "/_api/agency/config") => Answer::of(200, config(server, phase)),
        (Role::Agent, "POST", "/_api/agency/read") => read(server, phase, request),
        (Role::Coordinator, "GET", "/_admin/cluster/health") => health(server).await,
        (Role::Coordinator, "GET", "/_admin/cluster/maintenance") => Answer::of(
            200,
            json!({"error": false, "code": 200, "result": "Normal"}),
        ),
        (_, "GET", "/_api/user") if has_users && phase == Phase::Userless => error(
            503,
            38,
            "Cannot load users because the _users collection is not yet available",
        ),
        (_, "GET", "/_api/user") if has_users => {
            list(json!([{"user": "root", "active": true, "extra": {}}]))
        }
        (_, "GET", "/_api/database") if has_users => list(json!(["_system"])),
        (_, "GET", "/_api/collection") if has_users => {
            list(json!([{"id": "1", "name": "_users", "isSystem": true, "status": 3, "type": 2}]))
        }
        (_, "GET", "/_api/view") if has_users => list(json!([])),
        (_, "GET", "/_api/analyzer") if has_users => list(json!([
            {"name": "identity", "type": "identity", "properties": {}, "features": ["frequency", "norm"]},
        ])),
        (_, "GET", "/_api/transaction") if has_users => {
            Answer::of(200, json!({"transactions": []}))
        }
        _ => error(404, 404, &format!("unknown path '{path}'")),
    }
}

fn list(result: Value) -> Answer {
    Answer::of(200, json!({"error": false, "code": 200, "result": result}))
}

fn error(status: u16, number: u32, message: &str) -> Answer {
    let body = json!({"error": true, "errorNum": number, "errorMessage": message, "code": status});
    Answer::of(status, body)
}

fn unauthorized() -> Answer {
    error(401, 11, "not authorized to execute this request")
}

/// Whether the request carries a superuser's token of this deployment.
fn has_token(server: &Server, request: &Request) -> bool {
    let scheme = request.authorization.get(..7).unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("bearer ") {
        return false;
    }
    let mut validation = Validation::new(Algorithm::HS256);
    validation.required_spec_claims.clear();
    validation.set_issuer(&["arangodb"]);
    let key = DecodingKey::from_secret(&server.key);
    let token =
        jsonwebtoken::decode::<Map<String, Value>>(&request.authorization[7..], &key, &validation);
    token.is_ok_and(|token| token.claims.contains_key("server_id"))
}

/// Whether whoever asks may ask a server that serves.
fn may(server: &Server, request: &Request, phase: Phase) -> bool {
    if has_token(server, request) {
        // What a start looks at is not rejected, so that it is only afterwards.
        if [VERSION, STATUS].contains(&request.path.as_str()) {
            return true;
        }
        let rejects = server
            .rejects
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        return rejects.is_err();
    }
    // Agents and dbservers know no users, and nobody does before they are loaded.
    let has_users = matches!(server.role, Role::Single | Role::Coordinator);
    let root = format!("root:{}", server.root_password);
    let pair = request.authorization.strip_prefix("Basic ");
    has_users
        && phase != Phase::Userless
        && pair.is_some_and(|pair| pair == base64(root.as_bytes()))
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let encoded = bytes.chunks(3).flat_map(|three| {
        let number = (0..3).fold(0, |sum, place| {
            sum << 8 | u32::from(three.get(place).copied().unwrap_or(0))
        });
        (0..4).map(move |place| match place <= three.len() {
            true => char::from(LETTERS[(number >> (18 - 6 * place) & 63) as usize]),
            false => '=',
        })
    });
    encoded.collect()
}

fn version() -> Value {
    json!({
        "server": "arango", "license": "community", "version": "3.12.10",
        "apiVersions": [0], "deprecatedApiVersions": [], "requestedApiVersion": 0,
    })
}

fn mode(server: &Server) -> &'static str {
    match server.phases.read_only {
        true => "readonly",
        false => "default",
    }
}

/// `GET /_admin/status`, key by key: most are there only in some roles, and only after the start-up.
fn status(server: &Server, phase: Phase) -> Value {
    let is_startup = matches!(phase, Phase::Closed | Phase::Startup | Phase::Keyless);
    let in_maintenance = is_startup || matches!(phase, Phase::Maintenance | Phase::Blocked);
    let role = match server.role {
        Role::Single => "SINGLE",
        Role::Agent => "AGENT",
        Role::DbServer => "PRIMARY",
        Role::Coordinator => "COORDINATOR",
    };
    let progress = match in_maintenance {
        true => json!({"phase": "in start", "feature": "Bootstrap", "recoveryTick": 0}),
        false => json!({"phase": "in wait", "feature": "", "recoveryTick": 0}),
    };
    let mut info = json!({
        "progress": progress, "maintenance": in_maintenance, "role": server.phases.role.as_deref().unwrap_or(role),
        "writeOpsEnabled": !server.phases.read_only, "readOnly": server.phases.read_only,
    });
    let mut answer = json!({
        "server": "arango", "version": "3.12.10", "pid": std::process::id(), "license": "community",
        "mode": "server", "operationMode": "server", "foxxApi": true,
    });
    if !is_startup {
        if server.role != Role::Single {
            info["persistedId"] = server.id().into();
        }
        if matches!(server.role, Role::DbServer | Role::Coordinator) {
            info["rebootId"] = 1.into();
            info["address"] = format!("tcp://{}", server.address).into();
            info["serverId"] = server.id().into();
            info["state"] = if in_maintenance { "STARTUP" } else { "SERVING" }.into();
            let endpoints = server.agents.iter().map(|agent| format!("tcp://{agent}"));
            answer["agency"] = json!({"agencyComm": {"endpoints": endpoints.collect::<Vec<_>>()}});
        }
        if server.role == Role::Agent {
            let leader = known_leader(server, phase);
            answer["agent"] = json!({
                "term": 1, "id": server.id(), "endpoint": format!("tcp://{}", server.address),
                "leaderId": leader, "leading": leader == server.id(),
            });
        }
        if server.role == Role::Coordinator {
            answer["coordinator"] = json!({});
        }
    }
    answer["serverInfo"] = info;
    answer
}

/// The id of the leader that an agent knows; empty for none.
fn known_leader(server: &Server, phase: Phase) -> String {
    match phase {
        Phase::Leaderless => String::new(),
        _ => peers::leader(server),
    }
}

fn config(server: &Server, phase: Phase) -> Value {
    let pool = server.agents.iter().map(|agent| {
        (
            peers::id(Role::Agent, agent),
            Value::from(format!("tcp://{agent}")),
        )
    });
    let pool: Map<String, Value> = pool.collect();
    let leader = known_leader(server, phase);
    // An agency of one is always in term 0.
    let term = u32::from(pool.len() > 1);
    let mut config = json!({
        "term": term, "leaderId": leader, "commitIndex": 1, "lastCompactionAt": 0, "nextCompactionAfter": 1000,
        "engine": "rocksdb", "version": "3.12.10",
        "configuration": {
            "pool": pool, "active": pool.keys().collect::<Vec<_>>(), "id": server.id(),
            "agency size": pool.len(), "pool size": pool.len(), "endpoint": format!("tcp://{}", server.address),
            "min ping": 1.0, "max ping": 5.0, "timeoutMult": 1, "supervision": true, "supervision frequency": 1.0,
            "supervision grace period": 10.0, "supervision ok threshold": 5.0, "version": 1, "startup": "origin",
        },
    });
    if leader == server.id() {
        let acked = |id: &String| {
            (
                id.clone(),
                json!({"lastAckedTime": 0.1, "lastAckedIndex": 1}),
            )
        };
        config["lastAcked"] = Value::Object(pool.keys().map(acked).collect());
    }
    config
}

/// `POST /_api/agency/read`: the leader answers, the others send on to it.
fn read(server: &Server, phase: Phase, request: &Request) -> Answer {
    let leader = known_leader(server, phase);
    if leader.is_empty() {
        return Answer::of(503, json!({"message": "No leader"}));
    }
    if leader != server.id() {
        let to = server
            .agents
            .first()
            .map(String::as_str)
            .unwrap_or_default();
        return Answer {
            status: 307,
            location: Some(format!("http://{to}{}", request.path)),
            body: None,
        };
    }
    let Ok(queries) = serde_json::from_slice::<Vec<Vec<String>>>(&request.body) else {
        return Answer::of(
            400,
            json!({"message": "Expecting array of arrays as body for reads"}),
        );
    };
    let tree = json!({
        "arango": {
            "Plan": {"Version": 1, "Collections": {"_system": {}}, "Databases": {"_system": {}}},
            "Current": {"Version": 1, "Collections": {"_system": {}}},
            "Target": {"ToDo": {}, "Pending": {}, "Finished": {}, "Failed": {}, "CleanedServers": [], "FailedServers": {}},
            "Supervision": {"Health": server.members.health(), "State": {"Mode": "Normal"}},
        },
        ".agency": {},
    });
    let answers = queries.iter().map(|paths| cut(&tree, paths));
    Answer::of(200, Value::Array(answers.collect()))
}

/// The tree with only these paths in it.
fn cut(tree: &Value, paths: &[String]) -> Value {
    let mut kept = json!({});
    for path in paths {
        let segments: Vec<&str> = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .collect();
        let Some(found) = segments
            .iter()
            .try_fold(tree, |value, segment| value.get(segment))
        else {
            continue;
        };
        let nested = segments
            .iter()
            .rev()
            .fold(found.clone(), |value, segment| json!({*segment: value}));
        merge(&mut kept, nested);
    }
    kept
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert_with(|| json!({})), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// `GET /_admin/cluster/health`: what the agency has of the members, and what each agent says of itself.
async fn health(server: &Server) -> Answer {
    let token = peers::token(server);
    let query = json!([["/arango/Supervision/Health"]]).to_string();
    let mut entries = None;
    let mut agents = Vec::new();
    for agent in &server.agents {
        if let Some((200, mut trees)) = ask(agent, "POST /_api/agency/read", &token, &query).await {
            entries = Some(trees[0]["arango"]["Supervision"]["Health"].take());
        }
        agents.push((
            agent,
            ask(agent, "GET /_api/agency/config", &token, "").await,
        ));
    }
    let Some(Value::Object(mut entries)) = entries else {
        return error(500, 500, "agency communication failed");
    };
    for (id, entry) in &mut entries {
        let is_dbserver = id.starts_with("PRMR");
        entry["Role"] = if is_dbserver {
            "DBServer"
        } else {
            "Coordinator"
        }
        .into();
        entry["CanBeDeleted"] = false.into();
    }
    for (agent, config) in agents {
        let mut entry = json!({"Role": "Agent", "Endpoint": format!("tcp://{agent}"), "CanBeDeleted": false, "Status": "BAD"});
        if let Some((200, config)) = config {
            entry["Engine"] = config["engine"].clone();
            entry["Version"] = config["version"].clone();
            entry["Leader"] = config["leaderId"].clone();
            entry["Status"] = "GOOD".into();
            entry["Leading"] = (config["leaderId"] == config["configuration"]["id"]).into();
            entry["LastAckedTime"] = 0.1.into();
        }
        entries.insert(peers::id(Role::Agent, agent), entry);
    }
    Answer::of(
        200,
        json!({"ClusterId": "0", "Health": entries, "error": false, "code": 200}),
    )
}
