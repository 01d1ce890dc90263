//! What is checked before a handler is asked, in the order of arangod (`CommTask.cpp`): shutdown,
//! server mode, database, path, and then the handler itself.

use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Method, Response};

use super::encoding::{Encoding, decode, encode};
use super::paths::is_own;
use super::{Answer, Request, router, velocypack};
use crate::api::async_job;
use crate::auth::{Credentials, Identity, Right, database_right, identify};
use crate::errors::ApiError;
use crate::logging::Level;
use crate::role::Role;
use crate::server::{Server, Stage};

/// Longer addresses are refused (page "General request handling").
const LONGEST_URL: usize = 16 << 10;
/// What servers that users do not talk to leave out (`CommTask.cpp` of arangodb/arangodb).
const FOR_USERS: [&str; 7] = [
    "cache-control",
    "content-security-policy",
    "expires",
    "pragma",
    "strict-transport-security",
    "x-arango-queue-time-seconds",
    "x-content-type-options",
];
/// Larger bodies are refused (same page).
const LARGEST_BODY: usize = 1 << 30;

/// The address that a request comes from, among its extensions.
#[derive(Clone, Debug)]
pub(crate) struct ClientAddress(pub(crate) String);

/// A request whose end is logged, because its topic shows that.
struct Told {
    client: String,
    method: Method,
    url: String,
    began: Instant,
}

impl Told {
    fn of(server: &Server, request: &hyper::Request<Incoming>) -> Option<Self> {
        let shown = server.log.shows("requests", Level::Debug);
        let client = request.extensions().get::<ClientAddress>();
        shown.then(|| Self {
            client: client.map_or_else(String::new, |client| client.0.clone()),
            method: request.method().clone(),
            url: request.uri().to_string(),
            began: Instant::now(),
        })
    }

    /// As `HttpCommTask.cpp` says it. Nothing waits in a queue here.
    fn end(self, server: &Server, status: u16) {
        let message = format!(
            "\"http-request-end\",\"{server:p}\",\"{}\",\"{}\",\"{}\",\"{status}\",{:.6},{:.6}",
            self.client,
            self.method,
            self.url,
            self.began.elapsed().as_secs_f64(),
            0.0
        );
        server
            .log
            .write(Level::Debug, "8f555", "requests", &message);
    }
}

/// Answers one request.
pub(crate) async fn answer(
    server: Rc<Server>,
    request: hyper::Request<Incoming>,
) -> Response<Full<Bytes>> {
    let head = *request.method() == Method::HEAD;
    let omit = request.headers().contains_key("x-omit-www-authenticate");
    let close = request
        .headers()
        .get("connection")
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"));
    let accepted = request.headers().get("accept-encoding");
    let accepted = accepted
        .and_then(|names| Encoding::named(names.to_str().ok()?))
        .filter(|_| !head);
    let accept = request.headers().get("accept");
    let binary = velocypack::is_named(accept.and_then(|kind| kind.to_str().ok()));
    let told = Told::of(&server, &request);
    let answer = match handle(&server, request).await {
        Ok(answer) => answer,
        Err(error) => Answer::from(error),
    };
    server.answered.set(server.answered.get() + 1);
    let (response, body) = answer.into_response(omit, binary);
    if let Some(told) = told {
        told.end(&server, response.status().as_u16());
    }
    let mut response = encode(response, &body, accepted, server.settings.encodings);
    if !matches!(server.settings.role, Role::Single | Role::Coordinator) {
        for name in FOR_USERS {
            response.headers_mut().remove(name);
        }
    }
    if close || server.stage() == Stage::Stopping {
        response
            .headers_mut()
            .insert("connection", HeaderValue::from_static("Close"));
    }
    // hyper sends no body for HEAD, and then no length either; arangod sends the length.
    if head && let Some(length) = hyper::body::Body::size_hint(response.body()).exact() {
        response
            .headers_mut()
            .insert("content-length", HeaderValue::from(length));
    }
    response
}

async fn handle(
    server: &Rc<Server>,
    incoming: hyper::Request<Incoming>,
) -> Result<Answer, ApiError> {
    let (parts, body) = incoming.into_parts();
    if parts.uri.to_string().len() > LONGEST_URL {
        return Err(ApiError::new(414, 414, "the URL is too long"));
    }
    let mut request = Request::new(parts.method, &parts.uri, parts.headers)?;
    if request.method == Method::OPTIONS {
        return Ok(Answer::text(200, String::new())
            .with("allow", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"));
    }
    request.identity = who(server, &request);
    if server.stage() == Stage::Serving && is_news(server, &request) {
        // A user or a database that another coordinator has made a moment ago.
        if let Some(cluster) = server.cluster() {
            drop(cluster.try_refresh(server).await);
        }
        request.identity = who(server, &request);
    }
    check_stage(server, &request)?;
    if server.stage() == Stage::Serving {
        check_access(server, &request)?;
        if !server.settings.foxx && !is_own(&request.path) {
            let text = "access to Foxx apps is turned off on this instance";
            return Err(ApiError::new(403, 11, text));
        }
    }
    if request.is_of_another_version {
        return Err(ApiError::not_implemented("this version of the API"));
    }
    refuse_headers(&request)?;
    let body = Limited::new(body, LARGEST_BODY)
        .collect()
        .await
        .map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                ApiError::new(413, 413, "the body is too large")
            } else {
                ApiError::bad("the body cannot be read")
            }
        })?
        .to_bytes();
    request.body = decode(&request, body, server.settings.encodings, LARGEST_BODY)?;
    if velocypack::is_named(request.header("content-type")) && !request.body.is_empty() {
        let wrong = || ApiError::corrupted_json("the body is no VelocyPack");
        let value = velocypack::decode(&request.body).ok_or_else(wrong)?;
        request.body = value.to_string().into();
    }
    // The stage may have changed while the body came.
    check_stage(server, &request)?;
    if let Some(answer) = async_job::begin(server, &request) {
        return Ok(answer);
    }
    router::dispatch(server, &request).await
}

fn who(server: &Server, request: &Request) -> Identity {
    if !server.settings.authentication {
        return Identity::Superuser;
    }
    let credentials = Credentials::read(request.header("authorization"));
    server.peek(|store| {
        let users = store.filter(|_| server.knows_users.get());
        identify(&credentials, &server.secrets, users, &request.path)
    })
}

/// Whether the request names somebody or something that is not known here.
fn is_news(server: &Server, request: &Request) -> bool {
    let stranger =
        request.identity == Identity::Nobody && request.header("authorization").is_some();
    let nowhere = |store: Option<&crate::store::Store>| {
        store.is_some_and(|store| store.database(&request.database).is_err())
    };
    stranger || server.peek(nowhere)
}

/// What answers before a server serves, with `--server.early-connections`.
const PROBES: [&str; 3] = ["/_api/version", "/_admin/version", "/_admin/status"];

fn check_stage(server: &Server, request: &Request) -> Result<(), ApiError> {
    let probe = PROBES.contains(&request.path.as_str());
    match server.stage() {
        Stage::Serving => Ok(()),
        Stage::Stopping => Err(ApiError::shutting_down()),
        // Nobody is asked who they are in this stage.
        Stage::Maintenance if probe && server.settings.early_connections => Ok(()),
        Stage::Maintenance => Err(ApiError::maintenance()),
        Stage::Early => {
            // Only these answer before recovery, and only tokens are understood (page "General
            // request handling", "Respond to liveliness probes").
            let header = request.header("authorization");
            match (&request.identity, Credentials::read(header)) {
                (Identity::Superuser, _) if probe => Ok(()),
                (Identity::Superuser, _) | (_, Credentials::Basic(..)) => {
                    Err(ApiError::maintenance())
                }
                _ => Err(ApiError::unauthorized()),
            }
        }
    }
}

/// Paths that need no user.
fn is_open(server: &Server, path: &str) -> bool {
    path == "/"
        || path.starts_with("/_open/")
        || path.starts_with("/_admin/aardvark/")
        || path == "/_admin/server/availability"
        || path == "/openapi.json"
        || (server.settings.system_only && !path.starts_with("/_"))
}

/// Paths for which a user needs no right on the database; their handlers look closer.
fn is_for_every_user(request: &Request) -> bool {
    let path: Vec<&str> = request.segments.iter().map(String::as_str).collect();
    matches!(
        path.as_slice(),
        ["_api", "user" | "token", _, ..] | ["_api", "cluster", "endpoints"]
    )
}

fn check_access(server: &Server, request: &Request) -> Result<(), ApiError> {
    if is_open(server, &request.path) {
        return Ok(());
    }
    server.read(|store| {
        let known = store.database(&request.database).is_ok();
        match &request.identity {
            Identity::Superuser if known => Ok(()),
            Identity::Superuser => Err(ApiError::database_not_found()),
            Identity::Nobody => Err(ApiError::unauthorized()),
            Identity::User(_) => {
                let right = database_right(store, &request.identity, &request.database);
                match (right, known) {
                    (Right::None, true) if is_for_every_user(request) => Ok(()),
                    (Right::None, _) => Err(ApiError::unauthorized()),
                    (_, true) => Ok(()),
                    (_, false) => Err(ApiError::database_not_found()),
                }
            }
        }
    })
}

/// Headers that change what a request means, and that the emulator cannot obey.
fn refuse_headers(request: &Request) -> Result<(), ApiError> {
    if request.header("x-arango-trx-id").is_some() {
        return Err(ApiError::not_implemented("stream transactions"));
    }
    Ok(())
}
