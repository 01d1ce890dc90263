//! The daemon's API: see [`crate::protocol::endpoints`] for requests and answers.

mod lease;
mod run;

use std::convert::Infallible;
use std::rc::Rc;

use armadillo_orchestrator::Secret;
use armadillo_orchestrator::process::raise_file_limit;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixListener;
use tokio::task::JoinSet;

use super::Daemon;
use super::connections::{Connection, Connections};
use super::grants::LeaseProblem;
use crate::accept;
use crate::protocol::daemon::Problem;
use crate::protocol::endpoints::{Access, Done, Endpoint, Places, Route};

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
        let (stream, _) = accept::next(async || listener.accept().await, failed).await;
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

/// A request that is known, with who sends it and whatever it says.
struct Call<'a> {
    route: Route,
    places: Places<'a>,
    token: Secret,
    body: Vec<u8>,
    process: Option<u32>,
}

async fn route(
    daemon: &Rc<Daemon>,
    connection: &Rc<Connection>,
    request: Request<Incoming>,
) -> Answer {
    let (parts, body) = request.into_parts();
    let Some((route, places)) = Route::find(parts.method.as_str(), parts.uri.path()) else {
        return unknown(&parts);
    };
    let bearer = parts
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let token = Secret::new(bearer.and_then(bearer_token).unwrap_or_default());
    if route.access() == Access::Run && token != daemon.orders.journal {
        let error = "events are taken from the run's own process only".to_owned();
        return Err(Refusal(StatusCode::FORBIDDEN, error));
    }
    let limit = match route {
        Route::TakeEvents | Route::Wish => LARGEST_BODY,
        _ => BODY_LIMIT,
    };
    let body = whole(body, limit, connection).await?;
    let _answering = connection.answers();
    let call = Call {
        route,
        places,
        token,
        body,
        process: connection.process,
    };
    match route.access() {
        Access::Owner | Access::Run => run::answer(daemon, &call).await,
        Access::Lease | Access::LeaseAlone => lease::answer(daemon, &call).await,
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

impl Call<'_> {
    /// The body, which is of the type that the endpoint names.
    fn read<E: Endpoint>(&self) -> Result<E::Body, Refusal>
    where
        E::Body: DeserializeOwned,
    {
        serde_json::from_slice(&self.body)
            .map_err(|error| Refusal(StatusCode::BAD_REQUEST, error.to_string()))
    }

    fn number(&self, place: &str) -> Result<usize, Refusal> {
        let text = self.places.get(place);
        text.parse()
            .map_err(|_| Refusal(StatusCode::BAD_REQUEST, format!("`{text}` is no number")))
    }

    /// Each endpoint is answered where those with its access are: what is not is a defect of this file.
    fn unanswered(&self) -> Answer {
        let error = format!("nothing answers {}", self.route.template());
        Err(Refusal(StatusCode::NOT_IMPLEMENTED, error))
    }
}

/// The answer, which is of the type that the endpoint names.
fn say<E: Endpoint>(answer: &E::Answer) -> Answer
where
    E::Answer: Serialize,
{
    json(answer)
}

fn done<E: Endpoint<Answer = Done>>() -> Answer {
    say::<E>(&Done {})
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
