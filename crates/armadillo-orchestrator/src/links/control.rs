//! The proxy as whoever starts servers sees it: a process, and a socket to it.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::order::{Direction, LinkOrder};
use super::proxy::APPLET;
use super::wire::{Answer, Ask, Numbered, Setup};
use crate::applet::APPLET_WORD;
use crate::deadline::Deadline;
use crate::duration::times;
use crate::process::{CoreLimit, Environment, Output, Process, Processes, Spawn};
use crate::server::ServerKey;
use crate::server::Verb;

/// How long the proxy may take to listen, and to answer what needs no waiting, before the factor.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// How much longer than the proxy its asker waits, so that it is the proxy that says why.
const SLACK: Duration = Duration::from_secs(2);

/// Why a fault of links is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The deployment has no such links.
    #[error("{deployment} has no such links: its topology does not say `{word}`")]
    None {
        /// The deployment.
        deployment: String,
        /// What the topology would have to say.
        word: &'static str,
    },
    /// It was ordered and has had no effect, or has not been seen to heal.
    #[error("no effect of {what}: {why}")]
    NoEffect {
        /// What was ordered, and where.
        what: String,
        /// What was not seen.
        why: String,
    },
    /// The proxy refuses.
    #[error("cannot {what}: {why}")]
    Refused {
        /// What was ordered, and where.
        what: String,
        /// Why not.
        why: String,
    },
    /// The proxy does not answer.
    #[error("the proxy of the links does not answer: {0}")]
    Silent(String),
    /// The proxy could not be started.
    #[error("cannot start the proxy of the links: {0}")]
    Start(String),
}

type Waiting = Arc<Mutex<BTreeMap<u64, oneshot::Sender<Answer>>>>;

/// A proxy that runs. Dropping it ends it.
#[doc(hidden)]
pub struct Proxy {
    process: Process,
    lines: mpsc::UnboundedSender<Vec<u8>>,
    waiting: Waiting,
    next: AtomicU64,
    talk: JoinHandle<()>,
    /// How long it may take to answer what needs no waiting.
    limit: Duration,
}

/// What was undone: as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cleared {
    pub(crate) undone: Vec<String>,
    pub(crate) without_effect: Vec<String>,
}

impl Proxy {
    /// Starts one, and waits until it listens. What it says of itself goes to the file. Its limits are multiplied with `factor`.
    pub(crate) async fn start(
        processes: &Processes,
        deployment: &str,
        setup: Setup,
        log: &Path,
        factor: f64,
    ) -> Result<Self, LinkError> {
        let failed = |error: io::Error| LinkError::Start(error.to_string());
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(failed)?;
        let stderr = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(log)
            .map_err(failed)?;
        let process = processes.spawn(Spawn {
            label: format!("{deployment}/{APPLET}"),
            program: "/proc/self/exe".into(),
            args: vec![APPLET_WORD.into(), APPLET.into()],
            directory: None,
            environment: Environment::Empty(BTreeMap::new()),
            stdout: Output::from(OwnedFd::from(theirs)),
            stderr: Output::from(stderr),
            cores: CoreLimit::Inherited,
        });
        let process = process.map_err(|error| LinkError::Start(error.to_string()))?;
        ours.set_nonblocking(true).map_err(failed)?;
        let socket = UnixStream::from_std(ours).map_err(failed)?;
        let (lines, to_send) = mpsc::unbounded_channel();
        let waiting = Waiting::default();
        let proxy = Self {
            process,
            lines,
            talk: tokio::spawn(talk(socket, to_send, waiting.clone())),
            waiting,
            next: AtomicU64::new(0),
            limit: times(ANSWER_LIMIT, factor),
        };
        match proxy.send(setup, proxy.soon()).await {
            Ok(Answer::Listens) => Ok(proxy),
            Ok(other) => Err(LinkError::Start(format!("it answers {other:?}"))),
            Err(LinkError::Silent(why)) => Err(LinkError::Start(why)),
            Err(other) => Err(other),
        }
    }

    /// When it must have answered what needs no waiting.
    fn soon(&self) -> Deadline {
        Deadline::after(self.limit)
    }

    /// Whether its process runs.
    pub(crate) fn runs(&self) -> bool {
        self.process.try_exit().is_none()
    }

    /// A server has been started as this process.
    pub(crate) async fn server_started(
        &self,
        server: &ServerKey,
        pid: u32,
        start_time: u64,
    ) -> Result<(), LinkError> {
        let server = server.clone();
        let ask = Ask::Server {
            server,
            pid,
            start_time,
        };
        self.send(ask, self.soon()).await.map(drop)
    }

    /// A server uses the address of another one, which is not there, in its place.
    pub(crate) async fn server_moved(
        &self,
        server: &ServerKey,
        to: &ServerKey,
    ) -> Result<(), LinkError> {
        let (server, to) = (server.clone(), to.clone());
        self.send(Ask::Moved { server, to }, self.soon())
            .await
            .map(drop)
    }

    /// Follows an order; returns its number when it is in force.
    pub(crate) async fn order(&self, order: &LinkOrder) -> Result<u64, LinkError> {
        let ask = Ask::Order(order.clone());
        match self.send(ask, self.soon()).await? {
            Answer::Ordered { ticket } => Ok(ticket),
            Answer::Refused { why } => Err(LinkError::Refused {
                what: order.to_string(),
                why,
            }),
            other => Err(strange(&other)),
        }
    }

    /// Waits until an order has had an effect. Without one by the deadline: why, if that is known.
    pub(crate) async fn see(
        &self,
        ticket: u64,
        deadline: Deadline,
    ) -> Result<Result<Vec<Direction>, Option<String>>, LinkError> {
        let limit = deadline.left();
        let late = Deadline::after(limit.saturating_add(SLACK));
        match self.send(Ask::See { ticket, limit }, late).await? {
            Answer::Seen { on } => Ok(Ok(on)),
            Answer::NotSeen { why } => Ok(Err(why)),
            other => Err(strange(&other)),
        }
    }

    /// Undoes every fault.
    pub(crate) async fn clear(&self) -> Result<Cleared, LinkError> {
        match self.send(Ask::Clear, self.soon()).await? {
            Answer::Cleared {
                undone,
                without_effect,
            } => Ok(Cleared {
                undone,
                without_effect,
            }),
            other => Err(strange(&other)),
        }
    }

    /// How many connections have come from nobody known.
    pub(crate) async fn unattributed(&self) -> Result<u64, LinkError> {
        match self.send(Ask::Unattributed, self.soon()).await? {
            Answer::Unattributed { count } => Ok(count),
            other => Err(strange(&other)),
        }
    }

    /// Ends it.
    pub(crate) async fn end(&self, deadline: Deadline) {
        // If it is gone, that is as well.
        let _ = self.process.signal(Verb::Kill);
        let _ = deadline.bound(self.process.exited()).await;
    }

    /// Ends it without waiting.
    pub(crate) fn kill_now(&self) {
        let _ = self.process.signal(Verb::Kill);
    }

    async fn send(&self, what: impl Serialize, deadline: Deadline) -> Result<Answer, LinkError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let line = serde_json::to_vec(&Numbered { number, what });
        let mut line = line.map_err(|error| LinkError::Silent(error.to_string()))?;
        line.push(b'\n');
        let (answered, answer) = oneshot::channel();
        lock(&self.waiting).insert(number, answered);
        let gone = || LinkError::Silent("its process has ended".to_owned());
        self.lines.send(line).map_err(|_| gone())?;
        match deadline.bound(answer).await {
            Some(answer) => answer.map_err(|_| gone()),
            None => {
                lock(&self.waiting).remove(&number);
                Err(LinkError::Silent(
                    "no answer before the deadline".to_owned(),
                ))
            }
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.talk.abort();
        self.kill_now();
    }
}

fn strange(answer: &Answer) -> LinkError {
    LinkError::Silent(format!("it answers {answer:?}"))
}

fn lock(waiting: &Waiting) -> std::sync::MutexGuard<'_, BTreeMap<u64, oneshot::Sender<Answer>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends lines and hands out answers until the proxy is gone; then nobody waits for an answer any more.
async fn talk(socket: UnixStream, mut lines: mpsc::UnboundedReceiver<Vec<u8>>, waiting: Waiting) {
    let (read, mut write) = socket.into_split();
    let sends = async {
        while let Some(line) = lines.recv().await {
            if write.write_all(&line).await.is_err() {
                return;
            }
        }
    };
    let reads = async {
        let mut answers = BufReader::new(read).lines();
        while let Ok(Some(line)) = answers.next_line().await {
            let Ok(Numbered { number, what }) = serde_json::from_str(&line) else {
                return;
            };
            if let Some(asker) = lock(&waiting).remove(&number) {
                // Who asked may have given up.
                let _ = asker.send(what);
            }
        }
    };
    tokio::select! {
        () = sends => {}
        () = reads => {}
    }
    // Whoever asks from now on sees that the line is closed.
    drop(lines);
    lock(&waiting).clear();
}
