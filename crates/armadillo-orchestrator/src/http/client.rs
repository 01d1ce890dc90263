//! The client: a few kept-alive connections to one address.
//!
//! There are no background tasks. A connection is driven by the request that uses it and rests in between, so dropping
//! the future of a request ends that request at once, and dropping the last clone of a client closes its connections.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::{Handle, Id};

use super::{HttpError, Request, Response};
use crate::deadline::Deadline;
use crate::tls::{Tls, Trust, explain};

/// The largest body that is read, in bytes.
const BODY_LIMIT: usize = 64 << 20;

/// How many idle connections a client keeps.
const IDLE_LIMIT: usize = 4;

/// How long to wait for a place in the queue of a Unix socket, before the next try.
const CROWDED: Duration = Duration::from_millis(5);

/// Takes the parts of a body as they arrive.
pub type Sink<'a> = dyn FnMut(&[u8]) -> io::Result<()> + Send + 'a;

/// A client for one address. Clones share its connections.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    address: Address,
    idle: Mutex<Vec<Connection>>,
}

enum Address {
    Tcp(String),
    /// With what is checked of the server, or why that cannot be done.
    Tls(String, Result<Trust, String>),
    Unix(PathBuf),
}

/// A connection at rest. It belongs to the runtime it was made on and is used on no other.
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>,
    socket: OwnedFd,
    runtime: Id,
}

/// What became of one attempt on one connection.
enum Attempt {
    Done(Response),
    /// The connection was closed before the request was written.
    Unsent(hyper::Error),
    Failed(HttpError),
}

impl Client {
    /// A client for `host:port`: `127.0.0.1:4711`.
    #[must_use]
    pub fn tcp(address: impl Into<String>) -> Self {
        Self::new(Address::Tcp(address.into()))
    }

    /// A client for `host:port` that speaks TLS: with a server whose certificate this deployment's authority issued for that
    /// host.
    #[must_use]
    pub fn tls(address: impl Into<String>, tls: &Tls) -> Self {
        let trust = Trust::of(tls).map_err(|error| error.to_string());
        Self::new(Address::Tls(address.into(), trust))
    }

    /// The same with the server that shows just this certificate, whatever is wrong with it.
    pub(crate) fn tls_with(address: &str, certificate: &[u8], tls: &Tls) -> Self {
        let trust = Trust::only(certificate, tls.client.as_ref());
        let trust = trust.map_err(|error| error.to_string());
        Self::new(Address::Tls(address.to_owned(), trust))
    }

    /// A client for a Unix socket.
    #[must_use]
    pub fn unix(path: impl AsRef<Path>) -> Self {
        Self::new(Address::Unix(path.as_ref().to_owned()))
    }

    fn new(address: Address) -> Self {
        Self(Arc::new(Inner {
            address,
            idle: Mutex::new(Vec::new()),
        }))
    }

    /// Sends a request and reads the whole answer, whatever its status. Needs a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// When there is no answer before the deadline, none at all, or none that is HTTP with a body of at most 64 MiB.
    pub async fn send(
        &self,
        request: Request,
        deadline: impl Into<Deadline> + Send,
    ) -> Result<Response, HttpError> {
        self.exchange(request, deadline.into(), None).await
    }

    /// The same, and hands the body of a success to `sink` as it arrives, however long it is: the response has none then.
    ///
    /// # Errors
    /// Those of [`Self::send`], and when `sink` fails.
    pub async fn stream(
        &self,
        request: Request,
        sink: &mut Sink<'_>,
        deadline: impl Into<Deadline> + Send,
    ) -> Result<Response, HttpError> {
        self.exchange(request, deadline.into(), Some(sink)).await
    }

    async fn exchange(
        &self,
        request: Request,
        deadline: Deadline,
        mut sink: Option<&mut Sink<'_>>,
    ) -> Result<Response, HttpError> {
        let begun = Instant::now();
        let label = format!("{} {} at {}", request.method, request.path, self);
        let message = self.message(request, &label)?;
        let timeout = |sent| HttpError::Timeout {
            request: label.clone(),
            waited: begun.elapsed(),
            sent,
        };
        loop {
            let kept = self.take_idle();
            let was_kept = kept.is_some();
            let mut connection = match kept {
                Some(connection) => connection,
                None => deadline
                    .bound(self.connect(&label))
                    .await
                    .ok_or_else(|| timeout(false))??,
            };
            match deadline
                .bound(exchange(
                    &mut connection,
                    message.clone(),
                    sink.as_deref_mut(),
                    &label,
                ))
                .await
                .ok_or_else(|| timeout(true))?
            {
                Attempt::Done(response) => {
                    self.keep(connection).await;
                    return Ok(response);
                }
                Attempt::Unsent(_) if was_kept => {}
                Attempt::Unsent(error) => {
                    return Err(HttpError::Io {
                        request: label,
                        reason: error.to_string(),
                        sent: false,
                    });
                }
                Attempt::Failed(error) => return Err(error),
            }
        }
    }

    fn message(
        &self,
        request: Request,
        label: &str,
    ) -> Result<hyper::Request<Full<Bytes>>, HttpError> {
        let invalid = |reason: String| HttpError::Invalid {
            request: label.to_owned(),
            reason,
        };
        let host = match &self.0.address {
            Address::Tcp(address) | Address::Tls(address, _) => address.as_str(),
            Address::Unix(_) => "armadillo",
        };
        let has_body = request.body.is_some();
        let mut message = hyper::Request::builder()
            .method(request.method)
            .uri(request.path)
            .header(HOST, host)
            .body(Full::new(Bytes::from(request.body.unwrap_or_default())))
            .map_err(|error| invalid(error.to_string()))?;
        let headers = message.headers_mut();
        for (name, value) in request.headers {
            let name = hyper::header::HeaderName::try_from(name.as_str()).map_err(|_| {
                invalid("a header's name has characters that are not allowed".into())
            })?;
            let mut value = HeaderValue::try_from(value.reveal()).map_err(|_| {
                invalid(format!(
                    "the value of {name} has characters that are not allowed"
                ))
            })?;
            value.set_sensitive(true);
            headers.append(name, value);
        }
        if has_body && !headers.contains_key(CONTENT_TYPE) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(message)
    }

    async fn connect(&self, label: &str) -> Result<Connection, HttpError> {
        let failed = |source: io::Error| {
            let request = label.to_owned();
            match source.kind() {
                io::ErrorKind::ConnectionRefused => HttpError::Refused { request },
                _ => HttpError::Connect { request, source },
            }
        };
        match &self.0.address {
            Address::Tcp(address) => {
                let (stream, socket) = connect_tcp(address).await.map_err(failed)?;
                open(stream, socket).await
            }
            Address::Tls(address, trust) => {
                let tls = |reason| HttpError::Tls {
                    request: label.to_owned(),
                    reason,
                };
                let trust = trust.as_ref().map_err(|why| tls(why.clone()))?;
                let (stream, socket) = connect_tcp(address).await.map_err(failed)?;
                let stream = trust.connect(address, stream).await.map_err(tls)?;
                open(stream, socket).await
            }
            Address::Unix(path) => {
                let stream = connect_unix(path).await.map_err(failed)?;
                let socket = stream.as_fd().try_clone_to_owned().map_err(failed)?;
                open(stream, socket).await
            }
        }
        .map_err(|error| failed(io::Error::other(error)))
    }

    /// An idle connection of this runtime that the server has not closed meanwhile.
    fn take_idle(&self) -> Option<Connection> {
        let runtime = Handle::current().id();
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(Connection::is_open);
        let index = idle.iter().rposition(|known| known.runtime == runtime)?;
        Some(idle.swap_remove(index))
    }

    /// Puts a connection to rest if it can take another request.
    async fn keep(&self, mut connection: Connection) {
        let open =
            poll_fn(|context| Poll::Ready(connection.driver.as_mut().poll(context).is_pending()))
                .await;
        if open && connection.sender.is_ready() {
            let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() >= IDLE_LIMIT {
                idle.remove(0);
            }
            idle.push(connection);
        }
    }
}

impl Connection {
    /// Whether the socket is open and silent: a server has nothing to say while nobody asks.
    fn is_open(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        // It does not wait: the runtime has made the socket so that nothing on it does.
        let peeked = SockRef::from(&self.socket).peek(&mut byte);
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

async fn connect_tcp(address: &str) -> io::Result<(TcpStream, OwnedFd)> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let socket = stream.as_fd().try_clone_to_owned()?;
    Ok((stream, socket))
}

/// Connects to a Unix socket. Where more connections wait to be accepted than may wait, this one tries again until it may,
/// too: nothing announces that.
async fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                tokio::time::sleep(CROWDED).await;
            }
            connected => return connected,
        }
    }
}

async fn open<S>(stream: S, socket: OwnedFd) -> hyper::Result<Connection>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (sender, driver) = handshake(TokioIo::new(stream)).await?;
    Ok(Connection {
        sender,
        driver: Box::pin(driver),
        socket,
        runtime: Handle::current().id(),
    })
}

/// One request and its answer, while driving the connection.
async fn exchange(
    connection: &mut Connection,
    message: hyper::Request<Full<Bytes>>,
    sink: Option<&mut Sink<'_>>,
    label: &str,
) -> Attempt {
    let Connection { sender, driver, .. } = connection;
    let answer = async {
        let response = match sender.try_send_request(message).await {
            Ok(response) => response,
            Err(mut refused) => {
                let unsent = refused.take_message().is_some();
                let error = refused.into_error();
                return if unsent {
                    Attempt::Unsent(error)
                } else {
                    Attempt::Failed(broken(&error, label))
                };
            }
        };
        let (head, mut body) = response.into_parts();
        let mut sink = sink.filter(|_| head.status.is_success());
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => {
                    if let (Some(data), Some(sink)) = (frame.data_ref(), &mut sink) {
                        if let Err(error) = sink(data) {
                            return Attempt::Failed(HttpError::Io {
                                request: label.to_owned(),
                                reason: error.to_string(),
                                sent: true,
                            });
                        }
                    } else if let Some(data) = frame.data_ref() {
                        if bytes.len() + data.len() > BODY_LIMIT {
                            return Attempt::Failed(HttpError::TooLarge {
                                request: label.to_owned(),
                                limit: BODY_LIMIT,
                            });
                        }
                        bytes.extend_from_slice(data);
                    }
                }
                Err(error) => return Attempt::Failed(broken(&error, label)),
            }
        }
        Attempt::Done(Response {
            status: head.status.as_u16(),
            headers: head
                .headers
                .iter()
                .map(|(name, value)| {
                    let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                    (name.as_str().to_owned(), value)
                })
                .collect(),
            body: bytes,
        })
    };
    let mut answer = std::pin::pin!(answer);
    let mut driven = true;
    poll_fn(|context| {
        if driven && driver.as_mut().poll(context).is_ready() {
            driven = false;
            *driver = Box::pin(std::future::ready(Ok(())));
        }
        let polled = answer.as_mut().poll(context);
        if polled.is_pending() && driven && driver.as_mut().poll(context).is_ready() {
            driven = false;
            *driver = Box::pin(std::future::ready(Ok(())));
            context.waker().wake_by_ref();
        }
        polled
    })
    .await
}

fn broken(error: &hyper::Error, label: &str) -> HttpError {
    let request = label.to_owned();
    let reason = match (explain(error), std::error::Error::source(error)) {
        (Some(words), _) => words,
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    };
    if error.is_parse() {
        HttpError::Protocol { request, reason }
    } else {
        HttpError::Io {
            request,
            reason,
            sent: true,
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.address {
            Address::Tcp(address) | Address::Tls(address, _) => f.write_str(address),
            Address::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({self})")
    }
}

#[cfg(test)]
mod tests;
