//! Listening, and the life of connections.

use std::net::TcpListener as StdListener;
use std::pin::pin;
use std::rc::Rc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::gate;
use crate::server::Server;
use crate::settings::Endpoint;

/// The sockets that were bound at the start.
#[derive(Debug)]
pub(crate) struct Listeners(Vec<StdListener>);

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
            Ok(listener) => listeners.push(listener),
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
        for listener in self.0 {
            let server = Rc::clone(&server);
            let (closing, stop) = (closing.clone(), stop.clone());
            acceptors.spawn_local(async move {
                match TcpListener::from_std(listener) {
                    Ok(listener) => accept(listener, server, closing, stop).await,
                    Err(error) => server.log.error("", "communication", error.to_string()),
                }
            });
        }
        while acceptors.join_next().await.is_some() {}
    }
}

async fn accept(
    listener: TcpListener,
    server: Rc<Server>,
    mut closing: watch::Receiver<bool>,
    stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn_local(serve(stream, Rc::clone(&server), stop.clone()));
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

async fn serve(stream: TcpStream, server: Rc<Server>, mut stop: watch::Receiver<bool>) {
    // Requests are small and answered at once; waiting for more bytes only costs time.
    drop(stream.set_nodelay(true));
    let keep_alive = server.settings.keep_alive;
    let service = service_fn(move |request| {
        let server = Rc::clone(&server);
        async move { Ok::<_, std::convert::Infallible>(gate::answer(server, request).await) }
    });
    let connection = http1::Builder::new()
        .auto_date_header(false)
        .timer(TokioTimer::new())
        .header_read_timeout((!keep_alive.is_zero()).then_some(keep_alive))
        .max_headers(1000)
        .max_buf_size(1 << 20)
        .serve_connection(TokioIo::new(stream), service);
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
