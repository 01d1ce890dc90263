//! Asking other servers.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::HeaderMap;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::auth::Secrets;
use crate::settings::Endpoint;
use crate::tls;

/// So many connections to one server are kept for the next request.
const IDLE: usize = 4;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The other server surely has not got the request.
    #[error("{0}")]
    NotSent(String),
    /// It may have got it, and has not answered in time.
    #[error("{0}")]
    Lost(String),
    /// It may have got it, and the connection was closed.
    #[error("{0}")]
    Closed(String),
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The header `location`.
    pub(crate) location: Option<String>,
    /// All headers.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Bytes,
}

impl Reply {
    /// The body as JSON; null if it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// Connections to other servers, and the token that opens them.
#[derive(Debug)]
pub(crate) struct Client {
    secrets: Rc<Secrets>,
    idle: RefCell<HashMap<String, Vec<SendRequest<Full<Bytes>>>>>,
}

impl Client {
    /// A client that shows the token of this server.
    pub(crate) fn new(secrets: Rc<Secrets>) -> Self {
        Self {
            secrets,
            idle: RefCell::new(HashMap::new()),
        }
    }

    /// Sends a request to `tcp://host:port` or `ssl://host:port` and waits so long for the whole answer.
    pub(crate) async fn send(
        &self,
        endpoint: &str,
        method: Method,
        path: &str,
        body: Vec<u8>,
        patience: Duration,
    ) -> Result<Reply, ClientError> {
        let body = Bytes::from(body);
        self.send_with(endpoint, method, path, &[], body, patience)
            .await
    }

    /// The same with more headers.
    pub(crate) async fn send_with(
        &self,
        endpoint: &str,
        method: Method,
        path: &str,
        headers: &[(&'static str, String)],
        body: Bytes,
        patience: Duration,
    ) -> Result<Reply, ClientError> {
        match timeout(
            patience,
            self.exchange(endpoint, method, path, headers, body),
        )
        .await
        {
            Ok(result) => result,
            Err(_) => Err(ClientError::Lost(format!("no answer from {endpoint}"))),
        }
    }

    /// Posts JSON.
    pub(crate) async fn post(
        &self,
        endpoint: &str,
        path: &str,
        body: &impl serde::Serialize,
        patience: Duration,
    ) -> Result<Reply, ClientError> {
        let body =
            serde_json::to_vec(body).map_err(|error| ClientError::NotSent(error.to_string()))?;
        self.send(endpoint, Method::POST, path, body, patience)
            .await
    }

    /// Gets something.
    pub(crate) async fn get(
        &self,
        endpoint: &str,
        path: &str,
        patience: Duration,
    ) -> Result<Reply, ClientError> {
        self.send(endpoint, Method::GET, path, Vec::new(), patience)
            .await
    }

    async fn exchange(
        &self,
        endpoint: &str,
        method: Method,
        path: &str,
        headers: &[(&'static str, String)],
        body: Bytes,
    ) -> Result<Reply, ClientError> {
        let not_sent = |error: &dyn std::fmt::Display| {
            ClientError::NotSent(format!("cannot reach {endpoint}: {error}"))
        };
        loop {
            let kept = self.idle.borrow_mut().get_mut(endpoint).and_then(Vec::pop);
            let used = kept.is_some();
            let mut sender = match kept {
                Some(sender) => sender,
                None => connect(endpoint).await.map_err(|error| not_sent(&error))?,
            };
            if let Err(error) = sender.ready().await {
                if used {
                    continue;
                }
                return Err(not_sent(&error));
            }
            let mut request = Request::builder()
                .method(method.clone())
                .uri(path)
                .header("host", "server")
                .header("content-type", "application/json");
            if let Some(authorization) = self.secrets.own_header() {
                request = request.header("authorization", authorization);
            }
            for (name, value) in headers {
                request = request.header(*name, value);
            }
            let request = request
                .body(Full::new(body.clone()))
                .map_err(|error| not_sent(&error))?;
            let response = match sender.send_request(request).await {
                Ok(response) => response,
                // It was closed before anything went out.
                Err(error) if used && error.is_canceled() => continue,
                Err(error) => return Err(ClientError::Closed(error.to_string())),
            };
            let (parts, incoming) = response.into_parts();
            let closed = |error: hyper::Error| ClientError::Closed(error.to_string());
            let body = incoming.collect().await.map_err(closed)?.to_bytes();
            let location = parts.headers.get("location");
            let reply = Reply {
                status: parts.status.as_u16(),
                location: location.and_then(|text| text.to_str().ok().map(String::from)),
                headers: parts.headers,
                body,
            };
            let mut idle = self.idle.borrow_mut();
            let kept = idle.entry(String::from(endpoint)).or_default();
            if kept.len() < IDLE {
                kept.push(sender);
            }
            return Ok(reply);
        }
    }
}

async fn connect(endpoint: &str) -> std::io::Result<SendRequest<Full<Bytes>>> {
    let endpoint = Endpoint::parse(endpoint).map_err(std::io::Error::other)?;
    let addresses = endpoint.resolve()?;
    let stream = TcpStream::connect(addresses.as_slice()).await?;
    stream.set_nodelay(true)?;
    match endpoint.encrypted {
        false => begin(stream).await,
        true => begin(tls::connect(endpoint.host(), stream).await?).await,
    }
}

async fn begin(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
) -> std::io::Result<SendRequest<Full<Bytes>>> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(std::io::Error::other)?;
    // It ends when the sender is dropped, or the other side goes away.
    tokio::task::spawn_local(async move { drop(connection.await) });
    Ok(sender)
}
