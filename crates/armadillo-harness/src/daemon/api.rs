//! The daemon's API: see [`crate::protocol::daemon`] for requests and answers.

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use armadillo_orchestrator::{Deadline, Deployment, Secret};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixListener;
use tokio::task::JoinSet;

use super::Daemon;
use super::pools::{self, LeaseProblem};
use super::{exits, lifecycle, release};
use crate::event::Event;
use crate::needs::LeaseMode;
use crate::protocol::daemon::{
    Ask, Claim, Claimed, Collect, Collected, DeploymentStatus, EndWorker, HealthAfter, Leaders,
    Operate, Problem, Release, Settle, StartWorker, Status, VersionedHealth, Want,
};

/// The largest body a request may have: a batch of events with the output of tests that failed.
const BODY_LIMIT: usize = 1 << 30;

/// Answers requests for as long as it is polled.
pub(super) async fn serve(daemon: &Rc<Daemon>, listener: UnixListener) -> std::io::Error {
    let mut connections = JoinSet::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => return error,
        };
        let daemon = daemon.clone();
        connections.spawn_local(async move {
            let service = service_fn(move |request| answer(daemon.clone(), request));
            // A connection that breaks is its client's matter.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
        while connections.try_join_next().is_some() {}
    }
}

/// What went wrong with a request.
struct Refusal(StatusCode, String);

impl From<LeaseProblem> for Refusal {
    fn from(problem: LeaseProblem) -> Self {
        let status = match problem {
            LeaseProblem::Gone(_) => StatusCode::GONE,
            LeaseProblem::NotYours(_) => StatusCode::FORBIDDEN,
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
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, body) = match route(&daemon, request).await {
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

async fn route(daemon: &Rc<Daemon>, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let bearer = parts
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let token = Secret::new(bearer.and_then(bearer_token).unwrap_or_default());
    let body = Limited::new(body, BODY_LIMIT)
        .collect()
        .await
        .map_err(|error| Refusal(StatusCode::BAD_REQUEST, error.to_string()))?
        .to_bytes();
    let path: Vec<&str> = parts.uri.path().trim_matches('/').split('/').collect();
    match (&parts.method, path.as_slice()) {
        (&Method::GET, ["v1", "status"]) => json(&status(daemon)),
        (&Method::GET, ["v1", "events", after]) => {
            json(&daemon.log.follow(number(after)?, true).await)
        }
        (&Method::GET, ["v1", "events", after, "now"]) => {
            json(&daemon.log.follow(number(after)?, false).await)
        }
        (&Method::POST, ["v1", "events", first]) => {
            daemon
                .log
                .take(number(first)?, &parse::<Vec<Event>>(&body)?);
            nothing()
        }
        (&Method::POST, ["v1", "topologies"]) => {
            pools::want(daemon, parse::<Want>(&body)?);
            nothing()
        }
        (&Method::POST, ["v1", "leases"]) => lease(daemon, parse(&body)?).await,
        (&Method::POST, ["v1", "leases", lease, "release"]) => {
            json(&release::release(daemon, lease, &token, parse::<Release>(&body)?).await?)
        }
        (&Method::POST, ["v1", "leases", lease, "operate"]) => {
            operate(daemon, lease, &token, parse(&body)?).await
        }
        (&Method::POST, ["v1", "leases", lease, "expect-exit"]) => {
            let deployment = owned(daemon, lease, &token)?;
            let expected = exits::expect(&deployment, &parse(&body)?);
            json(&expected.map_err(refuse(StatusCode::CONFLICT))?)
        }
        (&Method::POST, ["v1", "leases", lease, "see-exit"]) => {
            let deployment = owned(daemon, lease, &token)?;
            let seen = exits::see(&deployment, &parse(&body)?).await;
            json(&seen.map_err(refuse(StatusCode::CONFLICT))?)
        }
        (&Method::POST, ["v1", "leases", lease, "start-all"]) => {
            let deployment = owned(daemon, lease, &token)?;
            let started = exits::start_all(&deployment, &parse(&body)?).await;
            started.map_err(refuse(StatusCode::CONFLICT))?;
            nothing()
        }
        (&Method::POST, ["v1", "leases", lease, "fail-start"]) => {
            let deployment = owned(daemon, lease, &token)?;
            let failed = exits::fail_start(&deployment, &parse(&body)?).await;
            json(&failed.map_err(refuse(StatusCode::CONFLICT))?)
        }
        (&Method::POST, ["v1", "leases", lease, "health"]) => {
            health(daemon, lease, &token, parse(&body)?).await
        }
        (&Method::POST, ["v1", "leases", lease, "leaders"]) => {
            leaders(daemon, lease, &token, parse(&body)?).await
        }
        (&Method::POST, ["v1", "leases", lease, "evidence"]) => {
            evidence(daemon, lease, &token, parse(&body)?).await
        }
        (&Method::POST, ["v1", "leases", lease, "fixtures", "claim"]) => {
            claim(daemon, lease, &token, parse(&body)?).await
        }
        (&Method::POST, ["v1", "leases", lease, "fixtures", "settle"]) => {
            settle(daemon, lease, &token, parse(&body)?)
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
        (&Method::POST, ["v1", "stop"]) => {
            lifecycle::stop_all(daemon).await;
            nothing()
        }
        (method, _) => Err(Refusal(
            StatusCode::NOT_FOUND,
            format!("there is no {method} {} in version 1", parts.uri.path()),
        )),
    }
}

/// The token of an `Authorization` header; the scheme's case does not matter (RFC 9110, section 11.1).
fn bearer_token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

async fn lease(daemon: &Rc<Daemon>, ask: Ask) -> Answer {
    let gone = || {
        Refusal(
            StatusCode::SERVICE_UNAVAILABLE,
            "the deployment is gone".to_owned(),
        )
    };
    let granted = pools::ask(daemon, ask).await.map_err(|_| gone())?;
    let grant = granted
        .map_err(refuse(StatusCode::SERVICE_UNAVAILABLE))?
        .deliver();
    json(&grant.ok_or_else(gone)?)
}

/// The deployment of a lease under which faults are allowed.
fn owned(daemon: &Daemon, lease: &str, token: &Secret) -> Result<Arc<Deployment>, Refusal> {
    let (id, deployment) = daemon.pools.find(lease, token)?;
    let mode = daemon
        .pools
        .with(id, |pool| pool.leases.get(lease).map(|held| held.mode))
        .flatten();
    if mode == Some(LeaseMode::Shared) {
        let error = "others use this deployment: faults need Exclusive<_> or Fresh<_>".to_owned();
        return Err(Refusal(StatusCode::FORBIDDEN, error));
    }
    Ok(deployment)
}

async fn operate(daemon: &Daemon, lease: &str, token: &Secret, request: Operate) -> Answer {
    let deployment = owned(daemon, lease, token)?;
    let deadline = Deadline::after(Duration::from_millis(request.limit_ms));
    let done = deployment
        .operate(&request.server, request.operation, deadline)
        .await;
    done.map_err(|error| Refusal(StatusCode::CONFLICT, error.to_string()))?;
    nothing()
}

async fn health(daemon: &Daemon, lease: &str, token: &Secret, request: HealthAfter) -> Answer {
    let (_, deployment) = daemon.pools.find(lease, token)?;
    let deadline = Deadline::after(Duration::from_millis(request.limit_ms));
    let (version, health) = deployment.wait_for_health(request.after, deadline).await;
    json(&VersionedHealth { version, health })
}

/// The look is for what happened just now.
async fn leaders(daemon: &Daemon, lease: &str, token: &Secret, request: Leaders) -> Answer {
    let (_, deployment) = daemon.pools.find(lease, token)?;
    deployment
        .health(Duration::from_millis(request.limit_ms))
        .await;
    json(&deployment.leadership_log())
}

async fn evidence(daemon: &Daemon, lease: &str, token: &Secret, request: Collect) -> Answer {
    let (_, deployment) = daemon.pools.find(lease, token)?;
    let deadline = Deadline::after(Duration::from_millis(request.limit_ms));
    let evidence = deployment.evidence(&request.directory, deadline).await;
    let files = evidence
        .saved
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    json(&Collected {
        files,
        missing: evidence.failed,
    })
}

/// Waits while another test sets the fixture up; the wait ends with the connection, or when that test ends.
async fn claim(daemon: &Daemon, lease: &str, token: &Secret, request: Claim) -> Answer {
    loop {
        // Before the look, so that nothing that happens after it is missed.
        let mut settled = std::pin::pin!(daemon.pools.fixtures_changed.notified());
        settled.as_mut().enable();
        let (id, _) = daemon.pools.find(lease, token)?;
        let claimed: Option<Claimed> = daemon
            .pools
            .with(id, |pool| pool.fixtures.claim(&request.fixture, lease))
            .flatten();
        match claimed {
            Some(claimed) => return json(&claimed),
            None => settled.await,
        }
    }
}

fn settle(daemon: &Daemon, lease: &str, token: &Secret, request: Settle) -> Answer {
    let (id, _) = daemon.pools.find(lease, token)?;
    let settled = daemon.pools.with(id, |pool| {
        pool.fixtures
            .settle(&request.fixture, lease, request.outcome)
    });
    daemon.pools.fixtures_changed.notify_waiters();
    match settled {
        Some(true) => nothing(),
        _ => Err(Refusal(
            StatusCode::CONFLICT,
            format!("`{}` was not claimed under this lease", request.fixture),
        )),
    }
}

fn status(daemon: &Daemon) -> Status {
    let mut status = Status {
        version: crate::protocol::VERSION,
        run: daemon.orders.run.clone(),
        pid: std::process::id(),
        deployments: Default::default(),
        waiting: 0,
    };
    daemon.pools.each(|id, pool| {
        status.waiting += pool.queue.len();
        let name = pool.deployment().map_or_else(
            || format!("{id}"),
            |deployment| deployment.view().deployment.clone(),
        );
        let leases = pool.leases.values().map(|held| held.test.clone()).collect();
        let places = pool
            .deployment()
            .map(|deployment| deployment.view().places.clone())
            .unwrap_or_default();
        let servers = places
            .into_iter()
            .map(|(server, place)| (server, place.reach))
            .collect();
        let state = pool.state_word().to_owned();
        status.deployments.insert(
            name,
            DeploymentStatus {
                topology: pool.topology.to_string(),
                state,
                leases,
                failed_somebody: pool.failed_somebody,
                servers,
            },
        );
    });
    status
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
