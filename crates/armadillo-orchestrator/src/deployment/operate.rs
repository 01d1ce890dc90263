//! Operations on one server. Each returns when its effect has been seen, and one without effect is an error.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Deployment;
use super::exits::LAST_LINES;
use super::request::Failure;
use super::status::{Phase, Server};
use crate::backend::{BackEndError, Running};
use crate::deadline::Deadline;
use crate::notice::Notice;
use crate::poll::Poll;
use crate::server::{ServerKey, Verb};
use crate::tls::Certificate;

/// What can be done to a server of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// End it at once; seen when its exit by that signal was reaped and all it had started is gone.
    Kill,
    /// End it as its system says: politely, and if it does not end in its time, less so.
    Stop,
    /// Ask it to end and wait, without escalation.
    Terminate,
    /// Start it, after it has ended; seen when it is ready and proven to be ours.
    Start,
    /// Stop it if it runs, then start it.
    Restart,
    /// Freeze it; seen when all its threads are stopped.
    Pause,
    /// Let it go on after a pause; seen when none of its threads is stopped.
    Resume,
    /// End it with a core, as if it had crashed, and yet expected.
    Abort,
    /// Give it another certificate to show to clients, while it runs; seen when new connections are shown it.
    Certify(Certificate),
}

/// An operation that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Done {
    /// How long it took.
    pub took: Duration,
    /// What else should be known: that a stop had to escalate.
    pub note: Option<String>,
}

/// An operation that was not done, or had no effect.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperationError {
    /// There is no such server.
    #[error("no server {server} in {deployment}")]
    Unknown {
        /// The name asked for.
        server: ServerKey,
        /// The deployment's id.
        deployment: String,
    },
    /// The deployment has been ended.
    #[error("{deployment} has been stopped")]
    Ended {
        /// The deployment's id.
        deployment: String,
    },
    /// The server is a spare, or was removed.
    #[error("cannot {operation} {server}: it is not part of the deployment")]
    Outside {
        /// The operation.
        operation: Operation,
        /// The server.
        server: ServerKey,
    },
    /// The server is in no state for it.
    #[error("cannot {operation} {server}: it is {phase}")]
    State {
        /// The operation.
        operation: Operation,
        /// The server.
        server: ServerKey,
        /// How it is.
        phase: Phase,
    },
    /// The back end has no means for it.
    #[error("cannot {operation} {server}: its backend does not support this")]
    Unsupported {
        /// The operation.
        operation: Operation,
        /// The server.
        server: ServerKey,
    },
    /// It was done, and what should have come of it did not.
    #[error("{operation} of {server} failed: {why}")]
    NoEffect {
        /// The operation.
        operation: Operation,
        /// The server.
        server: ServerKey,
        /// What was seen instead.
        why: String,
    },
    /// It has no certificate.
    #[error("cannot {operation} {server}: {deployment} does not use TLS")]
    NoTls {
        /// The operation.
        operation: Operation,
        /// The server.
        server: ServerKey,
        /// The deployment's id.
        deployment: String,
    },
    /// Another operation on the same server did not end before the deadline.
    #[error("cannot {operation} {server}: another operation on it is in progress")]
    Busy {
        /// The operation.
        operation: Operation,
        /// The server.
        server: ServerKey,
    },
    /// The back end could not do it.
    #[error("cannot {operation} {server}: {source}")]
    BackEnd {
        /// The operation.
        operation: Operation,
        /// The server.
        server: ServerKey,
        /// What it said.
        source: BackEndError,
    },
    /// The server did not get ready again.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// An operation on its way: what its errors name.
pub(super) struct Step<'a> {
    pub(super) operation: Operation,
    pub(super) server: &'a Server,
    pub(super) deadline: Deadline,
}

impl Deployment {
    /// Does something to a server and returns when the effect has been seen. The server's exit by it is expected, and no
    /// crash. Operations on one server wait for each other. Dropping the future gives up waiting; what was sent is sent.
    ///
    /// # Errors
    /// When it cannot be done, has no effect, or none by the deadline.
    pub async fn operate(
        self: &Arc<Self>,
        server: &ServerKey,
        operation: Operation,
        deadline: impl Into<Deadline> + Send,
    ) -> Result<Done, OperationError> {
        let deadline = deadline.into();
        let begun = Instant::now();
        let target = self.target(server)?;
        let step = Step {
            operation,
            server: target,
            deadline,
        };
        let result = self.take_turn(&step).await;
        let took = begun.elapsed();
        self.notices.send(Notice::Operation {
            server: server.clone(),
            operation,
            took,
            result: match &result {
                Ok(_) => Ok(()),
                Err(error) => Err(error.to_string()),
            },
        });
        self.changed();
        let note = result?;
        if let Some(note) = &note {
            self.notices.warn(format!("{server} {note}"));
        }
        Ok(Done { took, note })
    }

    /// Cancels the operation on the whole that is in progress, and waits until none is under way on any server, or the deadline.
    pub async fn operations_done(&self, deadline: impl Into<Deadline> + Send) {
        let deadline = deadline.into();
        self.end_operations(deadline).await;
        for server in self.servers.values() {
            // It is never closed; the turn is given back at once.
            let _ = deadline.bound(server.turn.acquire()).await;
        }
    }

    /// The server of that name.
    pub(super) fn target(&self, server: &ServerKey) -> Result<&Server, OperationError> {
        self.servers
            .get(server)
            .ok_or_else(|| OperationError::Unknown {
                server: server.clone(),
                deployment: self.id().to_owned(),
            })
    }

    async fn take_turn(
        self: &Arc<Self>,
        step: &Step<'_>,
    ) -> Result<Option<String>, OperationError> {
        let Some(Ok(_turn)) = step.deadline.bound(step.server.turn.acquire()).await else {
            return Err(OperationError::Busy {
                operation: step.operation,
                server: step.key(),
            });
        };
        if self.ended.load(Ordering::SeqCst) {
            return Err(OperationError::Ended {
                deployment: self.id().to_owned(),
            });
        }
        for verb in step.operation.verbs() {
            if !self.back_end.can(*verb) {
                return Err(OperationError::Unsupported {
                    operation: step.operation,
                    server: step.key(),
                });
            }
        }
        if matches!(step.operation, Operation::Start | Operation::Restart)
            && !self.is_part(&step.key())
        {
            return Err(OperationError::Outside {
                operation: step.operation,
                server: step.key(),
            });
        }
        match step.operation {
            Operation::Kill => self.end_by(step, Verb::Kill).await,
            Operation::Abort => self.end_by(step, Verb::Abort).await,
            Operation::Terminate => self.end_by(step, Verb::Terminate).await,
            Operation::Stop => {
                step.running()?;
                self.stop_politely(step).await
            }
            Operation::Start => {
                if step.server.phase().is_alive() {
                    return Err(step.in_no_state());
                }
                self.bring_up(step.server, step.deadline).await?;
                Ok(None)
            }
            Operation::Restart => {
                let note = if step.server.phase().is_alive() {
                    self.stop_politely(step).await?
                } else {
                    None
                };
                self.bring_up(step.server, step.deadline).await?;
                Ok(note)
            }
            Operation::Pause => self.freeze(step, true).await,
            Operation::Resume => self.freeze(step, false).await,
            Operation::Certify(which) => self.certify(step, which).await,
        }
    }

    /// Sends what ends a server, and waits until it has ended by just that.
    async fn end_by(&self, step: &Step<'_>, verb: Verb) -> Result<Option<String>, OperationError> {
        let running = step.running()?;
        step.server.expect_exit(true);
        if step.server.phase() == Phase::Paused && verb != Verb::Kill {
            // A frozen process takes nothing but SIGKILL.
            step.sent(running.deliver(Verb::Resume, step.deadline).await)?;
        }
        step.sent(running.deliver(verb, step.deadline).await)?;
        if step.deadline.bound(step.server.gone()).await.is_none() {
            return Err(step.no_effect("it is still running"));
        }
        match step.server.last_exit() {
            // What a server makes of a request to end is its own affair, but nobody survives or catches this one.
            Some(exit) if verb == Verb::Kill && !exit.is_by(verb) => {
                let how = self.describe(step.server, exit);
                if !step.server.exit_was_meant() {
                    let log = self.last_lines(&step.server.plan.key, LAST_LINES);
                    let (pid, noticed) = (running.pid(), Instant::now());
                    self.remember_crash(step.server, pid, exit, how.clone(), &log, noticed);
                }
                Err(step.no_effect(&format!("it had already exited: {how}")))
            }
            _ => Ok(None),
        }
    }

    async fn stop_politely(&self, step: &Step<'_>) -> Result<Option<String>, OperationError> {
        let stop = step.server.stop();
        let outcome = self.stop_one(step.server, stop, step.deadline).await;
        if step.server.phase().is_alive() {
            return Err(step.no_effect("it is still running after it was killed"));
        }
        Ok(outcome.escalated)
    }

    async fn freeze(&self, step: &Step<'_>, pause: bool) -> Result<Option<String>, OperationError> {
        let running = step.running()?;
        if (step.server.phase() == Phase::Paused) == pause {
            return Err(step.in_no_state());
        }
        let verb = if pause { Verb::Pause } else { Verb::Resume };
        let seen = async {
            let mut poll = Poll::new(Duration::from_millis(1), Duration::from_millis(20));
            loop {
                // Again each time: it may have started another process meanwhile.
                step.sent(running.deliver(verb, step.deadline).await)?;
                if running.is_paused() == Some(pause) {
                    return Ok(());
                }
                poll.pause(step.deadline).await;
            }
        };
        let outcome = tokio::select! {
            biased;
            () = step.server.gone() => Err(step.no_effect("it exited")),
            outcome = step.deadline.bound(seen) => {
                outcome.unwrap_or_else(|| Err(step.no_effect(if pause {
                    "not all of its threads are stopped"
                } else {
                    "some of its threads are still stopped"
                })))
            }
        };
        outcome?;
        step.server.paused(pause);
        Ok(None)
    }
}

impl Step<'_> {
    pub(super) fn key(&self) -> ServerKey {
        self.server.plan.key.clone()
    }

    fn running(&self) -> Result<Arc<dyn Running>, OperationError> {
        self.server.running().ok_or_else(|| self.in_no_state())
    }

    fn in_no_state(&self) -> OperationError {
        OperationError::State {
            operation: self.operation,
            server: self.key(),
            phase: self.server.phase(),
        }
    }

    pub(super) fn no_effect(&self, why: &str) -> OperationError {
        OperationError::NoEffect {
            operation: self.operation,
            server: self.key(),
            why: why.to_owned(),
        }
    }

    fn sent(&self, result: Result<(), BackEndError>) -> Result<(), OperationError> {
        result.map_err(|source| OperationError::BackEnd {
            operation: self.operation,
            server: self.key(),
            source,
        })
    }
}

impl Operation {
    /// What a back end must be able to do for it.
    fn verbs(self) -> &'static [Verb] {
        match self {
            Self::Kill => &[Verb::Kill],
            Self::Stop | Self::Terminate | Self::Restart => &[Verb::Terminate],
            Self::Start | Self::Certify(_) => &[],
            Self::Pause => &[Verb::Pause],
            Self::Resume => &[Verb::Resume],
            Self::Abort => &[Verb::Abort],
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Terminate => "terminate",
            Self::Start => "start",
            Self::Restart => "restart",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Abort => "abort",
            Self::Certify(_) => "change the certificate of",
        })
    }
}
