//! `/_admin/status`, `/_admin/server/*`, `/_admin/time`, `/_admin/shutdown`.

use std::rc::Rc;

use hyper::Method;
use serde_json::json;
use tokio::task::spawn_local;

use crate::auth::Identity;
use crate::errors::ApiError;
use crate::http::{Answer, Request};
use crate::role::Role;
use crate::server::{Server, Stage};
use crate::settings::Step;
use crate::system;
use crate::tls::Tls;
use crate::version::{STAND_IN, imitated};

/// `GET /_admin/status`. It names the process, so a client can tell whose answer it is.
pub(crate) fn status(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    if server.settings.harden {
        server.require_privilege(&request.identity)?;
    }
    let (phase, state) = match server.stage() {
        Stage::Early => ("in start", "STARTUP"),
        Stage::Maintenance => ("in start", "STARTUP"),
        Stage::Serving => ("in wait", "SERVING"),
        Stage::Stopping => ("in shutdown", "SHUTDOWN"),
    };
    let read_only = server.is_read_only();
    let mut body = json!({
            "server": "arango",
            "version": imitated().text,
            "pid": std::process::id(),
            "license": server.settings.edition,
            "mode": "server",
            "operationMode": "server",
            "foxxApi": false,
            "host": system::host_name(),
            "standIn": STAND_IN,
            "serverInfo": {
                "progress": { "phase": phase, "feature": "", "recoveryTick": 0 },
                "maintenance": server.stage() != Stage::Serving,
                "role": server.settings.role.name(),
                "writeOpsEnabled": !read_only,
                "readOnly": read_only,
            },
    });
    if let Ok(name) = std::env::var("HOSTNAME")
        && !name.is_empty()
    {
        body["hostname"] = json!(name);
    }
    // What recovery has yet to find is not told.
    if server.stage() == Stage::Early {
        return Ok(Answer::json(200, &body));
    }
    if let Ok(agent) = server.agent() {
        body["serverInfo"]["persistedId"] = json!(agent.id);
        let (term, leader) = agent.leadership();
        body["agent"] = json!({
            "id": agent.id,
            "leaderId": leader.unwrap_or_default(),
            "leading": agent.leads().is_some(),
            "endpoint": agent.settings.endpoint,
            "term": term,
        });
    }
    if let Some(cluster) = server.cluster() {
        let info = &mut body["serverInfo"];
        info["state"] = json!(state);
        info["persistedId"] = json!(cluster.id);
        info["serverId"] = json!(cluster.id);
        info["rebootId"] = json!(cluster.reboot.get());
        info["address"] = json!(cluster.settings.endpoint);
        let endpoints = cluster.agency.endpoints();
        body["agency"] = json!({ "agencyComm": { "endpoints": endpoints } });
        if cluster.role == Role::Coordinator {
            let master = cluster.look("Current/Foxxmaster", serde_json::Value::clone);
            let own = master == json!(cluster.id);
            let master = master.as_str().unwrap_or_default();
            body["coordinator"] = json!({ "foxxmaster": master, "isFoxxmaster": own });
        }
    }
    Ok(Answer::json(200, &body))
}

/// `GET /_admin/time`
pub(crate) fn time(request: &Request) -> Result<Answer, ApiError> {
    if request.method != Method::GET {
        return Err(ApiError::method_not_allowed());
    }
    let seconds = system::micros() as f64 / 1e6;
    Ok(Answer::good(200, json!({ "time": seconds })))
}

/// `DELETE /_admin/shutdown`
pub(crate) fn shutdown(server: &Rc<Server>, request: &Request) -> Result<Answer, ApiError> {
    if request.method == Method::GET {
        return progress(server, request);
    }
    if request.method != Method::DELETE {
        return Err(ApiError::method_not_allowed());
    }
    if !server.is_admin(&request.identity)? {
        let message = "you need admin rights to trigger shutdown";
        return Err(ApiError::new(403, 403, message));
    }
    if request.query_flag("soft") == Some(true) {
        return Err(ApiError::not_implemented("soft shutdown"));
    }
    for unable in ["remove_from_cluster", "shutdown_cluster"] {
        if request.query_flag(unable) == Some(true) {
            return Err(ApiError::not_implemented(format_args!("{unable}")));
        }
    }
    // The answer is sent before anything stops.
    let server = Rc::clone(server);
    drop(spawn_local(async move {
        server.settings.pace.spend(Step::ShutdownRequest).await;
        server.request_stop();
    }));
    Ok(Answer::raw_json(200, String::from("\"OK\"")))
}

/// `GET /_admin/shutdown`: how far a soft shutdown is. There is none.
fn progress(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    server.require_admin(&request.identity)?;
    if server.settings.role != Role::Coordinator {
        return Err(ApiError::method_not_allowed());
    }
    let transactions = server.transactions.borrow().count();
    Ok(Answer::json(
        200,
        &json!({
            "softShutdownOngoing": false,
            "AQLcursors": 0,
            "transactions": transactions,
            "pendingJobs": 0,
            "doneJobs": 0,
            "lowPrioOngoingRequests": 0,
            "lowPrioQueuedRequests": 0,
            "allClear": transactions == 0,
        }),
    ))
}

/// `/_admin/server/{availability,role,id,mode,tls}`
pub(crate) async fn server(
    server: &Server,
    request: &Request,
    rest: &[&str],
) -> Result<Answer, ApiError> {
    let mode = if server.is_read_only() {
        "readonly"
    } else {
        "default"
    };
    match (&request.method, rest) {
        (&Method::PUT, ["mode"]) => set_mode(server, request).await,
        (&Method::GET, ["mode"]) => Ok(Answer::good(200, json!({ "mode": mode }))),
        (&Method::GET, ["role"]) => Ok(Answer::good(
            200,
            json!({ "role": server.settings.role.name(), "mode": mode }),
        )),
        (&Method::GET, ["id"]) if server.cluster().is_some() => {
            let id = server.cluster().map(|cluster| cluster.id.as_str());
            Ok(Answer::good(200, json!({ "id": id })))
        }
        (&Method::GET, ["id"]) => Err(ApiError::new(500, 500, "internal error")),
        // Also in read-only mode (`RestAdminServerHandler.cpp`; the documentation says 503).
        (&Method::GET, ["availability"]) => Ok(Answer::good(200, json!({ "mode": mode }))),
        (_, ["jwt"]) => super::secrets::jwt(server, request),
        (method, ["tls"]) => tls(server, request, method),
        (_, ["mode" | "role" | "id" | "availability"]) => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::not_implemented(format_args!(
            "{} {}",
            request.method, request.path
        ))),
    }
}

/// `/_admin/server/tls`: what certificates are in use; `POST` reads them again.
fn tls(server: &Server, request: &Request, method: &Method) -> Result<Answer, ApiError> {
    match *method {
        Method::GET => {}
        Method::POST => {
            if server.settings.authentication && request.identity != Identity::Superuser {
                let message = "only superusers may reload TLS data";
                return Err(ApiError::new(403, 11, message));
            }
            if let Some(Err(cause)) = server.tls().map(Tls::reload) {
                let message = "Could not reload TLS context from files";
                let logged = format!("{message}, got exception with this error: {cause}");
                server.log.error("feffe", "ssl", logged);
                return Err(ApiError::new(400, 34, format!("{message}.")));
            }
        }
        _ => return Err(ApiError::forbidden()),
    }
    let described = server.tls().map_or_else(|| json!({}), Tls::described);
    Ok(Answer::good(200, json!({ "result": described })))
}

/// `PUT /_admin/compact`: succeeds and does nothing. A client cannot see the difference, because documents stay as they are.
pub(crate) fn compact(request: &Request) -> Result<Answer, ApiError> {
    if request.method != Method::PUT {
        return Err(ApiError::method_not_allowed());
    }
    if request.identity != Identity::Superuser {
        return Err(ApiError::forbidden());
    }
    Ok(Answer::json(200, &json!({})))
}

/// `GET /_admin/license`: how much is stored, of what may be stored without a licence.
pub(crate) fn license(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    /// A hundred gigabytes, as recorded; the time until the limit has consequences is ten years.
    const LIMIT: u64 = 107_374_182_400;
    const SECONDS: u64 = 315_569_520;
    if request.method != Method::GET {
        return Err(ApiError::not_implemented("licences"));
    }
    let used = system::disk_usage(&server.settings.directory);
    let usage = json!({
        "bytesUsed": used,
        "bytesLimit": LIMIT,
        "limitReached": used > LIMIT,
        "secondsUntilReadOnly": SECONDS,
        "secondsUntilShutDown": SECONDS,
        "status": "good",
    });
    Ok(Answer::json(
        200,
        &json!({ "upgrading": false, "diskUsage": usage }),
    ))
}

/// `GET /_admin/deployment/id`
pub(crate) fn deployment(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    if request.method != Method::GET {
        return Err(ApiError::method_not_allowed());
    }
    let id = match server.cluster() {
        Some(cluster) => cluster.look("Cluster", Clone::clone),
        None => json!(server.server_id.get().to_string()),
    };
    Ok(Answer::good(200, json!({ "id": id })))
}

async fn set_mode(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    server.require_privilege(&request.identity)?;
    let body = request.json_object()?;
    let mode = body
        .get("mode")
        .and_then(|mode| mode.as_str())
        .ok_or_else(|| ApiError::bad("mode must be a string"))?;
    let read_only = match mode {
        "readonly" => true,
        "default" => false,
        _ => return Err(ApiError::bad("mode invalid")),
    };
    match server.cluster() {
        // The others see it in their copies of the tree (`ServerState.cpp`).
        Some(cluster) => cluster.set_read_only(server, read_only).await?,
        None => server.read_only.set(read_only),
    }
    Ok(Answer::good(200, json!({ "mode": mode })))
}
