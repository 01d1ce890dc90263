//! Where workers report: the runner's socket, and what all workers are started with.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use armadillo_orchestrator::random::hex;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};
use tokio::task::JoinSet;

use super::journal::Journal;
use super::printer::ToPrinter;
use crate::accept;
use crate::client::DaemonClient;
use crate::protocol::worker::FromWorker;

/// How long a process that connects may take to say who it is.
const HELLO_LIMIT: Duration = Duration::from_secs(10);

/// How many workers are started at the same time.
const STARTING: usize = 16;

/// A worker's connection, with the version it speaks.
pub(super) type Arrived = (u32, BufReader<OwnedReadHalf>, OwnedWriteHalf);

/// What all workers of a run share.
pub(super) struct Listener {
    pub(super) daemon: DaemonClient,
    /// The run directory for sockets and pipes.
    pub(super) directory: PathBuf,
    pub(super) socket: PathBuf,
    pub(super) nonce: String,
    pub(super) thread_per_test: bool,
    pub(super) relay_output: Option<ToPrinter>,
    starting: Semaphore,
    numbers: Cell<u32>,
    expected: RefCell<HashMap<u32, oneshot::Sender<Arrived>>>,
}

impl Listener {
    /// Opens the socket in `directory`.
    pub(super) fn open(
        daemon: DaemonClient,
        directory: PathBuf,
        thread_per_test: bool,
        relay_output: Option<ToPrinter>,
    ) -> std::io::Result<(Self, UnixListener)> {
        let socket = directory.join("runner.sock");
        let bound = UnixListener::bind(&socket)?;
        let listener = Self {
            daemon,
            directory,
            socket,
            nonce: hex::<8>()?,
            thread_per_test,
            relay_output,
            starting: Semaphore::new(STARTING),
            numbers: Cell::new(0),
            expected: RefCell::default(),
        };
        Ok((listener, bound))
    }

    pub(super) fn next_number(&self) -> u32 {
        self.numbers.set(self.numbers.get() + 1);
        self.numbers.get()
    }

    /// The connection of the worker with this number, when it comes.
    pub(super) fn expect(&self, number: u32) -> oneshot::Receiver<Arrived> {
        let (sender, receiver) = oneshot::channel();
        self.expected.borrow_mut().insert(number, sender);
        receiver
    }

    /// Lets workers in for as long as it is polled. Whoever connects and says nothing holds nobody up.
    pub(super) async fn accept(
        self: Rc<Self>,
        socket: UnixListener,
        journal: &Journal,
    ) -> Infallible {
        let mut greeted = JoinSet::new();
        let mut is_told = false;
        loop {
            let failed = |error: &std::io::Error| {
                if !std::mem::replace(&mut is_told, true) {
                    journal.warn(format!(
                        "cannot accept a connection from a worker yet: {error}"
                    ));
                }
            };
            let (stream, _) = accept::next(async || socket.accept().await, failed).await;
            let listener = self.clone();
            greeted.spawn_local(async move { listener.greet(stream).await });
            while greeted.try_join_next().is_some() {}
        }
    }

    /// Waits until a worker can be started: a few at a time, so that no start waits for many others within its time limit.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.starting.acquire().await.ok()
    }

    async fn greet(&self, stream: UnixStream) {
        let (read, write) = stream.into_split();
        let mut reader = BufReader::new(read);
        let mut line = Vec::new();
        let hello = tokio::time::timeout(HELLO_LIMIT, reader.read_until(b'\n', &mut line)).await;
        if !matches!(hello, Ok(Ok(_))) {
            return;
        }
        if let Ok(FromWorker::Hello {
            version, worker, ..
        }) = serde_json::from_slice(&line)
            && let Some(waiting) = self.expected.borrow_mut().remove(&worker)
        {
            // Nobody waits any more if the run is being ended.
            let _ = waiting.send((version, reader, write));
        }
    }
}
