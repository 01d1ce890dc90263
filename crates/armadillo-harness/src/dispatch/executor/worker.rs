//! The runner's end of one worker.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use armadillo_orchestrator::duration::millis;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::super::listener::Listener;
use super::output::OutputPipe;
use crate::client::{AskError, DaemonClient};
use crate::protocol::daemon::{EndWorker, StartWorker, WorkerExit, WorkerStarted};
use crate::protocol::endpoints;
use crate::protocol::worker::{FromWorker, ToWorker};
use crate::trace::Trace;

/// How long a worker may take to come up.
const START_LIMIT: Duration = Duration::from_secs(30);

/// How long fixtures kept for a deployment may take to be torn down.
const DROP_FIXTURES_LIMIT: Duration = Duration::from_secs(60);

/// How long a worker may take to return from `main`, coverage data and destructors included.
const END_LIMIT: Duration = Duration::from_secs(10);

/// A worker process and the two ways to it.
pub(super) struct Worker {
    /// Its number, unique in the run.
    pub(super) number: u32,
    /// Its process id.
    pub(super) pid: u32,
    /// What it and its children print.
    pub(super) output: OutputPipe,
    /// The number of its last assignment.
    pub(super) sequence: u64,
    /// The number of the test that runs, or ran last.
    pub(super) current: u64,
    /// The deployments it keeps fixtures for.
    pub(super) keeps: BTreeSet<String>,
    reader: BufReader<OwnedReadHalf>,
    line: Vec<u8>,
    writer: OwnedWriteHalf,
    pipe: PathBuf,
}

/// Why there is no worker.
#[derive(Debug, thiserror::Error)]
pub(super) enum WorkerError {
    #[error("cannot create the pipe for a worker's output at {path}: {source}")]
    Pipe {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot start a worker: {0}")]
    Start(#[from] AskError),
    #[error("the worker (pid {pid}) did not report within {limit:?}")]
    Silent { pid: u32, limit: Duration },
    #[error("the worker speaks protocol version {theirs}, but the runner speaks {ours}")]
    Version { theirs: u32, ours: u32 },
}

impl Worker {
    /// Starts the next worker.
    pub(super) async fn start(listener: &Listener) -> Result<Self, WorkerError> {
        let number = listener.next_number();
        let pipe = listener.directory.join(format!("worker-{number}"));
        let output = OutputPipe::create(&pipe, &listener.nonce, listener.relay_output.clone())
            .map_err(|source| WorkerError::Pipe {
                path: pipe.clone(),
                source,
            })?;
        let arrival = listener.expect(number);
        let orders = StartWorker {
            worker: number,
            output: pipe.clone(),
            socket: listener.socket.clone(),
            nonce: listener.nonce.clone(),
            thread_per_test: listener.thread_per_test,
        };
        let WorkerStarted { pid } = listener
            .daemon
            .ask::<endpoints::StartWorker>(&[], &orders, None, START_LIMIT)
            .await?;
        let (version, reader, writer) = match tokio::time::timeout(START_LIMIT, arrival).await {
            Ok(Ok(arrived)) => arrived,
            _ => {
                end(&listener.daemon, pid, Duration::ZERO).await.ok();
                return Err(WorkerError::Silent {
                    pid,
                    limit: START_LIMIT,
                });
            }
        };
        if version != crate::protocol::VERSION {
            return Err(WorkerError::Version {
                theirs: version,
                ours: crate::protocol::VERSION,
            });
        }
        Ok(Self {
            number,
            pid,
            output,
            sequence: 0,
            current: 0,
            keeps: BTreeSet::new(),
            reader,
            line: Vec::new(),
            writer,
            pipe,
        })
    }

    /// Sends a message; an error means that the worker is gone, which reading shows too.
    pub(super) async fn send(&mut self, message: &ToWorker) -> std::io::Result<()> {
        self.send_all(std::slice::from_ref(message)).await
    }

    /// Sends several messages at once.
    pub(super) async fn send_all(&mut self, messages: &[ToWorker]) -> std::io::Result<()> {
        let mut lines = Vec::new();
        for message in messages {
            serde_json::to_writer(&mut lines, message)?;
            lines.push(b'\n');
        }
        self.writer.write_all(&lines).await
    }

    /// The next message and the output pipe at once, for a caller that waits on both; the message is `None` when the
    /// worker is gone. Cancel-safe: a line half read stays.
    pub(super) fn split(&mut self) -> (Incoming<'_>, &mut OutputPipe) {
        (
            Incoming {
                reader: &mut self.reader,
                line: &mut self.line,
            },
            &mut self.output,
        )
    }

    /// The next message; `None` when the worker is gone.
    pub(super) async fn receive(&mut self) -> Option<FromWorker> {
        self.split().0.next().await
    }

    /// Where its test is, which is about to be ended.
    pub(super) async fn whereabouts(&mut self) -> Vec<Trace> {
        let current = self.current;
        let question = ToWorker::Where {
            sequence: current,
            time_is_up: true,
        };
        if self.send(&question).await.is_err() {
            return Vec::new();
        }
        loop {
            match self.receive().await {
                Some(FromWorker::At {
                    sequence,
                    time_is_up: true,
                    traces,
                }) if sequence == current => return traces,
                Some(_) => {}
                None => return Vec::new(),
            }
        }
    }

    /// Has it tear down what it keeps for a deployment; what went wrong.
    pub(super) async fn drop_fixtures(&mut self, deployment: &str) -> Vec<String> {
        let complaints = self.ask_to_drop(Some(deployment)).await;
        self.keeps.remove(deployment);
        complaints.unwrap_or_else(lost)
    }

    /// Has it tear down all it keeps; what went wrong.
    pub(super) async fn drop_all_fixtures(&mut self) -> Vec<String> {
        match self.ask_to_drop(None).await {
            Some(complaints) => complaints,
            None if self.keeps.is_empty() => Vec::new(),
            None => lost(),
        }
    }

    /// `None` if the worker is gone.
    async fn ask_to_drop(&mut self, deployment: Option<&str>) -> Option<Vec<String>> {
        let deployment = deployment.map(str::to_owned);
        self.send(&ToWorker::DropFixtures { deployment })
            .await
            .ok()?;
        match tokio::time::timeout(DROP_FIXTURES_LIMIT, self.receive()).await {
            Ok(Some(FromWorker::FixturesGone { complaints })) => Some(complaints),
            Ok(_) => None,
            Err(_) => Some(vec![format!(
                "tear-down did not finish within {DROP_FIXTURES_LIMIT:?}"
            )]),
        }
    }

    /// Lets it return from `main` and waits for that.
    pub(super) async fn retire(self, daemon: &DaemonClient) -> Result<WorkerExit, AskError> {
        drop(self.writer);
        drop(self.reader);
        let exit = end(daemon, self.pid, END_LIMIT).await;
        // Only the file's name goes; it lies in a directory that goes as well.
        let _ = std::fs::remove_file(&self.pipe);
        exit
    }

    /// Ends it with everything below it after `limit`, or learns how it ended.
    pub(super) async fn end(
        &self,
        daemon: &DaemonClient,
        limit: Duration,
    ) -> Result<WorkerExit, AskError> {
        end(daemon, self.pid, limit).await
    }
}

fn lost() -> Vec<String> {
    vec!["was not torn down because its worker exited".to_owned()]
}

/// The reading end of a worker's socket.
pub(super) struct Incoming<'a> {
    reader: &'a mut BufReader<OwnedReadHalf>,
    line: &'a mut Vec<u8>,
}

impl Incoming<'_> {
    pub(super) async fn next(&mut self) -> Option<FromWorker> {
        match self.reader.read_until(b'\n', self.line).await {
            Ok(_) if self.line.ends_with(b"\n") => {
                let message = serde_json::from_slice(self.line).ok();
                self.line.clear();
                message
            }
            _ => None,
        }
    }
}

async fn end(daemon: &DaemonClient, pid: u32, limit: Duration) -> Result<WorkerExit, AskError> {
    let limit_ms = millis(limit);
    let (pid, orders) = (pid.to_string(), EndWorker { limit_ms });
    daemon
        .ask::<endpoints::EndWorker>(&[&pid], &orders, None, limit + START_LIMIT)
        .await
}
