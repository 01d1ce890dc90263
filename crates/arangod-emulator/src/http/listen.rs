//! Listening, and the life of connections.

use std::cell::RefCell;
use std::convert::Infallible;
use std::net::TcpListener as StdListener;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::header::HeaderValue;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Response, StatusCode, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::{gate, h2c};
use crate::server::Server;
use crate::settings::Endpoint;
use crate::tls::Tls;

/// The sockets that were bound at the start, and whether TLS is spoken there.
#[derive(Debug)]
pub(crate) struct Listeners(Vec<(StdListener, bool)>);

/// Binds all endpoints. On Unix the standard library sets SO_REUSEADDR, so a port that somebody
/// holds bound with that option, but does not listen on, can be taken.
pub(crate) fn bind(endpoints: &[Endpoint]) -> Result<Listeners, (String, std::io::Error)> {
    let mut listeners = Vec::new();
    for endpoint in endpoints {
        let bound = endpoint
            .resolve()
            .and_then(|addresses| StdListener::bind(addresses.as_slice()))
            .and_then(|listener| {
                listener.set_nonblocking(true)?;
                Ok(listener)
            });
        match bound {
            Ok(listener) => listeners.push((listener, endpoint.encrypted)),
            Err(error) => return Err((endpoint.text.clone(), error)),
        }
    }
    Ok(Listeners(listeners))
}

impl Listeners {
    /// Accepts connections until `closing` turns true, and answers on those that are there until
    /// `stop` does; then it lets running requests end.
    pub(crate) async fn serve(
        self,
        server: Rc<Server>,
        closing: watch::Receiver<bool>,
        stop: watch::Receiver<bool>,
    ) {
        let mut acceptors = JoinSet::new();
        for (listener, encrypted) in self.0 {
            let server = Rc::clone(&server);
            let (closing, stop) = (closing.clone(), stop.clone());
            acceptors.spawn_local(async move {
                match TcpListener::from_std(listener) {
                    Ok(listener) => accept(listener, encrypted, server, closing, stop).await,
                    Err(error) => server.log.error("", "communication", error.to_string()),
                }
            });
        }
        while acceptors.join_next().await.is_some() {}
    }
}

async fn accept(
    listener: TcpListener,
    encrypted: bool,
    server: Rc<Server>,
    mut closing: watch::Receiver<bool>,
    stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn_local(serve(stream, encrypted, Rc::clone(&server), stop.clone()));
                }
                // Out of descriptors, or a client that gave up. Nothing tells when descriptors are
                // free again, so others get a moment to free some.
                Err(error) => {
                    server.log.warning("", "communication", format!("accept failed: {error}"));
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
            },
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    server.log.error("", "communication", format!("a connection failed: {error}"));
                }
            }
            _ = closing.wait_for(|closing| *closing) => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// A connection that is open; it is counted as long as this lives.
struct Open(Rc<Server>);

impl Open {
    fn counted(server: &Rc<Server>) -> Self {
        server.connections.set(server.connections.get() + 1);
        Self(Rc::clone(server))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let open = self.0.connections.get();
        self.0.connections.set(open.saturating_sub(1));
    }
}

/// What a request has left behind that asked to go on with HTTP/2.
type Asked = Rc<RefCell<Option<(OnUpgrade, Bytes)>>>;

async fn serve(
    stream: TcpStream,
    encrypted: bool,
    server: Rc<Server>,
    mut stop: watch::Receiver<bool>,
) {
    let _open = Open::counted(&server);
    // Requests are small and answered at once; waiting for more bytes only costs time.
    drop(stream.set_nodelay(true));
    let keep_alive = server.settings.keep_alive;
    // Which protocol it is shows in the first bytes. Who says nothing is not waited for.
    let patience = if keep_alive.is_zero() {
        Duration::MAX
    } else {
        keep_alive
    };
    let mut first = [0];
    tokio::select! {
        spoken = timeout(patience, stream.peek(&mut first)) => match spoken {
            Ok(Ok(1)) => {}
            _ => return,
        },
        _ = stop.wait_for(|stop| *stop) => return,
    }
    // A client that is gone already is nobody.
    let client = stream
        .peer_addr()
        .map_or_else(|_| String::new(), |address| address.ip().to_string());
    let client = gate::ClientAddress(client);
    let tls = server.tls().filter(|_| encrypted).map(Tls::config);
    let Some(config) = tls else {
        return converse(stream, client, server, stop).await;
    };
    let accepted = tokio::select! {
        accepted = timeout(patience, TlsAcceptor::from(config).accept(stream)) => accepted,
        _ = stop.wait_for(|stop| *stop) => return,
    };
    // A client that does not trust the certificate, speaks no TLS or says nothing is its own affair.
    if let Ok(Ok(stream)) = accepted {
        converse(stream, client, server, stop).await;
    }
}

/// Answers what is asked on a connection.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    client: gate::ClientAddress,
    server: Rc<Server>,
    mut stop: watch::Receiver<bool>,
) {
    let keep_alive = server.settings.keep_alive;
    let asked = Asked::default();
    let service = service_fn(|mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(client.clone());
        let (server, asked) = (Rc::clone(&server), Rc::clone(&asked));
        async move { Ok::<_, Infallible>(answer(server, request, &asked).await) }
    });
    let mut builder = auto::Builder::new(Local);
    builder
        .http1()
        .auto_date_header(false)
        .timer(TokioTimer::new())
        .header_read_timeout((!keep_alive.is_zero()).then_some(keep_alive))
        .max_headers(1000)
        .max_buf_size(1 << 20)
        .http2()
        .auto_date_header(false)
        .timer(TokioTimer::new());
    {
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        tokio::select! {
            // A client that breaks off is its own affair.
            ended = connection.as_mut() => drop(ended),
            _ = stop.wait_for(|stop| *stop) => {
                connection.as_mut().graceful_shutdown();
                drop(connection.await);
            }
        }
    }
    let asked = asked.take();
    if let Some((upgrade, frames)) = asked
        && let Ok(upgraded) = upgrade.await
    {
        upgraded_connection(upgraded, frames, client, server, stop).await;
    }
}

/// The rest of a connection whose client has asked for HTTP/2.
async fn upgraded_connection(
    upgraded: Upgraded,
    frames: Bytes,
    client: gate::ClientAddress,
    server: Rc<Server>,
    mut stop: watch::Receiver<bool>,
) {
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(client.clone());
        let server = Rc::clone(&server);
        async move { Ok::<_, Infallible>(gate::answer(server, request).await) }
    });
    let connection = http2::Builder::new(Local)
        .auto_date_header(false)
        .timer(TokioTimer::new())
        .serve_connection(h2c::Injected::new(upgraded, frames), service);
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => drop(ended),
        _ = stop.wait_for(|stop| *stop) => {
            connection.as_mut().graceful_shutdown();
            drop(connection.await);
        }
    }
}

/// Answers a request, or agrees to answer it in HTTP/2.
async fn answer(
    server: Rc<Server>,
    mut request: hyper::Request<Incoming>,
    asked: &Asked,
) -> Response<Full<Bytes>> {
    let small = request
        .body()
        .size_hint()
        .upper()
        .is_some_and(|size| size <= h2c::LARGEST_BODY);
    let first = request.version() == Version::HTTP_11;
    if !(first && small && h2c::is_asked_for(request.headers())) {
        return gate::answer(server, request).await;
    }
    let upgrade = hyper::upgrade::on(&mut request);
    let (parts, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        // The client is gone: nobody reads this.
        return Response::new(Full::default());
    };
    *asked.borrow_mut() = Some((upgrade, h2c::frames(&parts, &body.to_bytes())));
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert("connection", HeaderValue::from_static("Upgrade"));
    headers.insert("upgrade", HeaderValue::from_static("h2c"));
    response
}

/// Runs what a connection needs on the thread that the server lives on.
#[derive(Debug, Clone, Copy)]
struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move { drop(future.await) });
    }
}
