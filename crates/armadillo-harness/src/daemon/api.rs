//! The daemon's API: see [`crate::protocol::daemon`] for requests and answers.

use std::convert::Infallible;
use std::rc::Rc;

use armadillo_orchestrator::Secret;
use armadillo_orchestrator::process::raise_file_limit;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixListener;
use tokio::task::JoinSet;

use super::Daemon;
use super::connections::{Connection, Connections};
use super::grants::LeaseProblem;
use super::holders::Used;
use super::{
    clients, doctor, exits, holders, lifecycle, links, membership, operations, server_log,
};
use crate::accept;
use crate::event::Event;
use crate::needs::LeaseMode;
use crate::protocol::daemon::{EndWorker, Problem, StartWorker};
use crate::protocol::keys::{AdvanceKeys, KeysAdvanced};
use crate::protocol::programs::ChangeServer;

/// The largest body a request may have.
const BODY_LIMIT: usize = 64 << 20;

/// The largest body of a request that says something of every test of a run.
const LARGEST_BODY: usize = 256 << 20;

/// Answers requests for as long as it is polled. Half of the files that may be open are for connections: nobody who opens
/// many keeps the daemon from its work.
pub(super) async fn serve(daemon: &Rc<Daemon>, listener: UnixListener) -> Infallible {
    let files = raise_file_limit() / 2;
    let connections = Connections::new(usize::try_from(files).unwrap_or(usize::MAX).max(1));
    let connections = Rc::new(connections);
    let mut served = JoinSet::new();
    loop {
        connections.room().await;
        let failed = |error: &std::io::Error| {
            tracing::warn!(%error, "cannot accept a connection yet");
            connections.end_quietest();
        };
        let stream = accept::next(&listener, failed).await;
        let peer = stream.peer_cred().ok().and_then(|peer| peer.pid());
        let runner = i32::try_from(daemon.orders.runner).ok();
        let process = peer.and_then(|peer| u32::try_from(peer).ok());
        let connection = connections.open(peer.is_some() && peer == runner, process);
        let number = connection.number;
        let daemon = daemon.clone();
        let end = served.spawn_local(async move {
            let service =
                service_fn(move |request| answer(daemon.clone(), connection.clone(), request));
            // A connection that breaks is its client's matter.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
        connections.ends_with(number, end);
        while served.try_join_next().is_some() {}
    }
}

/// What went wrong with a request.
struct Refusal(StatusCode, String);

impl From<LeaseProblem> for Refusal {
    fn from(problem: LeaseProblem) -> Self {
        let status = match problem {
            LeaseProblem::Gone(_) => StatusCode::GONE,
            LeaseProblem::NotYours(_) | LeaseProblem::Elsewhere { .. } => StatusCode::FORBIDDEN,
        };
        Self(status, problem.to_string())
    }
}

fn refuse(status: StatusCode) -> impl Fn(String) -> Refusal {
    move |error| Refusal(status, error)
}

type Answer = Result<Vec<u8>, Refusal>;

async fn answer(
    daemon: Rc<Daemon>,
    connection: Rc<Connection>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, body) = match route(&daemon, &connection, request).await {
        Ok(body) => (StatusCode::OK, body),
        Err(Refusal(status, error)) => (status, json(&Problem { error }).unwrap_or_default()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    Ok(response)
}

async fn route(
    daemon: &Rc<Daemon>,
    connection: &Rc<Connection>,
    request: Request<Incoming>,
) -> Answer {
    let (parts, body) = request.into_parts();
    let bearer = parts
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let token = Secret::new(bearer.and_then(bearer_token).unwrap_or_default());
    let path: Vec<&str> = parts.uri.path().trim_matches('/').split('/').collect();
    if matches!(
        (&parts.method, path.as_slice()),
        (&Method::POST, ["v1", "events", _])
    ) && token != daemon.orders.journal
    {
        let error = "events are taken from the run's own process only".to_owned();
        return Err(Refusal(StatusCode::FORBIDDEN, error));
    }
    let limit = match path.as_slice() {
        ["v1", "events", ..] | ["v1", "clients", _, "wishes"] => LARGEST_BODY,
        _ => BODY_LIMIT,
    };
    let body = whole(body, limit, connection).await?;
    let _answering = connection.answers();
    match (&parts.method, path.as_slice()) {
        (&Method::GET, ["v1", "status"]) => json(&clients::status(daemon)),
        (&Method::GET, ["v1", "kept"]) => json(&clients::kept(daemon)),
        (&Method::GET, ["v1", "events", after]) => {
            json(&daemon.log.follow(number(after)?, true).await)
        }
        (&Method::GET, ["v1", "events", after, "now"]) => {
            json(&daemon.log.follow(number(after)?, false).await)
        }
        (&Method::POST, ["v1", "events", first]) => {
            let events = parse::<Vec<Event>>(&body)?;
            let taken = daemon.log.take(number(first)?, &events);
            taken.map_err(|error| Refusal(StatusCode::CONFLICT, error.to_string()))?;
            nothing()
        }
        (&Method::POST, ["v1", "clients"]) => {
            json(&clients::join(daemon, &parse(&body)?, connection.process))
        }
        (&Method::POST, ["v1", "clients", client, what]) => {
            let client = clients::known(daemon, number(client)? as u64)
                .map_err(refuse(StatusCode::NOT_FOUND))?;
            match *what {
                "wishes" => {
                    let wished = clients::wish(daemon, client, parse(&body)?);
                    wished.map_err(refuse(StatusCode::BAD_REQUEST))?;
                }
                "next" => return json(&clients::next(daemon, client, &parse(&body)?).await),
                "free" => clients::free(daemon, client, &parse(&body)?),
                "drop_poll" => clients::drop_poll(daemon, client, &parse(&body)?),
                "withdraw" => clients::withdraw(daemon, client),
                "leave" => clients::leave(daemon, client),
                "fixtures-gone" => clients::fixtures_gone(daemon, client, &parse(&body)?),
                _ => return unknown(&parts),
            }
            nothing()
        }
        (&Method::POST, ["v1", "leases", lease, "begin"]) => {
            json(&holders::begin(daemon, lease, &token).await?)
        }
        (&Method::POST, ["v1", "leases", lease, "release"]) => {
            json(&holders::release(daemon, lease, &token, parse(&body)?).await?)
        }
        (&Method::POST, ["v1", "leases", lease, "on", deployment, what @ ..]) => {
            let used = holders::find(daemon, lease, &token, deployment)?;
            match what {
                ["view"] => json(used.deployment.outer_view()),
                ["health"] => json(&holders::health(&used, &parse(&body)?).await),
                ["leaders"] => json(&holders::leaders(&used, &parse(&body)?).await),
                ["processes"] => json(&used.deployment.processes()),
                ["statistics"] => json(&holders::statistics(&used, &parse(&body)?).await),
                ["evidence"] => json(&holders::evidence(&used, &parse(&body)?).await),
                ["log"] => {
                    let request = parse(&body)?;
                    let read = server_log::read(daemon, lease, &token, &used, &request);
                    let part = read.await.map_err(|error| error.to_string());
                    json(&part.map_err(refuse(StatusCode::CONFLICT))?)
                }
                ["fixtures", "claim"] => {
                    json(&holders::claim(daemon, lease, &token, &used, &parse(&body)?).await?)
                }
                ["fixtures", "settle"] => {
                    let settled = holders::settle(daemon, lease, &used, parse(&body)?);
                    settled.map_err(refuse(StatusCode::CONFLICT))?;
                    nothing()
                }
                [what] => on_ones_own(daemon, &used, what, &parts, &body).await,
                _ => unknown(&parts),
            }
        }
        (&Method::POST, ["v1", "workers"]) => {
            let started = daemon.workers.start(&parse::<StartWorker>(&body)?);
            json(&started.map_err(refuse(StatusCode::INTERNAL_SERVER_ERROR))?)
        }
        (&Method::POST, ["v1", "workers", pid, "end"]) => {
            let pid = pid
                .parse()
                .map_err(|_| Refusal(StatusCode::NOT_FOUND, format!("`{pid}` is no pid")))?;
            let exit = daemon.workers.end(pid, &parse::<EndWorker>(&body)?).await;
            json(&exit.map_err(refuse(StatusCode::NOT_FOUND))?)
        }
        (&Method::POST, ["v1", "doctor"]) => {
            let tried = doctor::try_out(daemon, &parse(&body)?).await;
            json(&tried.map_err(refuse(StatusCode::NOT_FOUND))?)
        }
        (&Method::POST, ["v1", "doctor", "stop"]) => {
            doctor::stop(daemon).await;
            nothing()
        }
        (&Method::POST, ["v1", "end"]) => {
            daemon.told_to_end.set(true);
            daemon.changed.notify_waiters();
            nothing()
        }
        (&Method::POST, ["v1", "stop"]) => {
            lifecycle::stop_all(daemon).await;
            nothing()
        }
        _ => unknown(&parts),
    }
}

/// The body of a request, if it is not longer than `limit`.
async fn whole(
    mut body: Incoming,
    limit: usize,
    connection: &Connection,
) -> Result<Vec<u8>, Refusal> {
    let too_large = || {
        let error = format!("a body of this request has at most {limit} bytes");
        Refusal(StatusCode::PAYLOAD_TOO_LARGE, error)
    };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refusal(StatusCode::BAD_REQUEST, error.to_string()))?;
        connection.is_heard();
        let data = frame.into_data().unwrap_or_default();
        if bytes.len() + data.len() > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// What only the holder of a deployment of its own may do.
async fn on_ones_own(
    daemon: &Daemon,
    used: &Used,
    what: &str,
    parts: &Parts,
    body: &[u8],
) -> Answer {
    if used.mode == LeaseMode::Shared {
        let error = "this deployment is shared: faults need Exclusive<_> or Fresh<_>".to_owned();
        return Err(Refusal(StatusCode::FORBIDDEN, error));
    }
    let deployment = &used.deployment;
    let conflict = refuse(StatusCode::CONFLICT);
    match what {
        "operate" => {
            holders::operate(daemon, used, parse(body)?)
                .await
                .map_err(conflict)?;
            nothing()
        }
        "advance-keys" => {
            let AdvanceKeys { known } = parse(body)?;
            let taken = deployment.advance_keys(known);
            let taken = taken.map_err(|error| conflict(error.to_string()))?;
            json(&KeysAdvanced { taken })
        }
        "change-server" => {
            let ChangeServer {
                server,
                program,
                options,
            } = parse(body)?;
            let changed = deployment.change_server(&server, program, &options);
            changed.map_err(|error| conflict(error.to_string()))?;
            nothing()
        }
        "links" => json(&links::operate(daemon, deployment, parse(body)?).await),
        "plan-rolling" => {
            let plan = operations::plan_rolling(used, parse(body)?).await;
            json(&plan.map_err(|error| conflict(error.to_string()))?)
        }
        "begin-operation" => {
            let begun = operations::begin(daemon, used, parse(body)?);
            json(&begun.map_err(|error| conflict(error.to_string()))?)
        }
        "wait-for-operation" => {
            let status = operations::wait(used, &parse(body)?).await;
            json(&status.map_err(|error| conflict(error.to_string()))?)
        }
        "steer-operation" => {
            let steered = operations::steer(used, &parse(body)?);
            steered.map_err(|error| conflict(error.to_string()))?;
            nothing()
        }
        "operations" => json(&deployment.operations()),
        "membership" => {
            let roll = membership::enrol(daemon, deployment, parse(body)?).await;
            json(&roll.map_err(conflict)?)
        }
        "expect-exit" => json(&exits::expect(deployment, &parse(body)?).map_err(conflict)?),
        "see-exit" => json(
            &exits::see(deployment, &parse(body)?)
                .await
                .map_err(conflict)?,
        ),
        "start-all" => {
            let started = exits::start_all(deployment, &parse(body)?).await;
            started.map_err(conflict)?;
            nothing()
        }
        "fail-start" => {
            let failed = exits::fail_start(deployment, &parse(body)?).await;
            json(&failed.map_err(conflict)?)
        }
        _ => unknown(parts),
    }
}

fn unknown(parts: &Parts) -> Answer {
    let text = format!(
        "there is no {} {} in version 1",
        parts.method,
        parts.uri.path()
    );
    Err(Refusal(StatusCode::NOT_FOUND, text))
}

/// The token of an `Authorization` header; the scheme's case does not matter (RFC 9110, section 11.1).
fn bearer_token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

fn json(value: &impl Serialize) -> Answer {
    serde_json::to_vec(value)
        .map_err(|error| Refusal(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

fn nothing() -> Answer {
    Ok(b"{}".to_vec())
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal(StatusCode::BAD_REQUEST, error.to_string()))
}

fn number(text: &str) -> Result<usize, Refusal> {
    text.parse()
        .map_err(|_| Refusal(StatusCode::BAD_REQUEST, format!("`{text}` is no number")))
}
