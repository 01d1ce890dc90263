//! Starts that are meant to fail: a wrong configuration, a data directory that cannot be read.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Deployment;
use super::operate::{Operation, OperationError};
use super::request::{Failure, Problem};
use super::start::Attempt;
use super::status::Server;
use crate::deadline::Deadline;
use crate::process::Exit;
use crate::server::ServerKey;

/// How a start failed that was meant to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FailedStart {
    /// How the server ended.
    pub exit: Exit,
    /// The same in words, with what the system says of it.
    pub text: String,
    /// What it logged, from this start on.
    pub log: String,
}

impl fmt::Display for FailedStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a start that was meant to fail did not, or could not even be tried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotFailed {
    /// The server got ready. It was stopped again.
    #[error("{server} was expected to fail during start-up, but became ready")]
    Ready {
        /// The server.
        server: ServerKey,
    },
    /// It neither got ready nor ended by the deadline. It was killed.
    #[error("{server} was expected to fail during start-up, but still ran after {waited:.1?}")]
    Late {
        /// The server.
        server: ServerKey,
        /// How long it was waited.
        waited: Duration,
    },
    /// It could not be started at all.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// It is in no state to be started.
    #[error(transparent)]
    Operation(#[from] OperationError),
}

impl Deployment {
    /// Starts a server that is meant to end by itself before it is ready. That is no crash.
    ///
    /// # Errors
    /// When it gets ready, or has not ended by the deadline. It does not run then, either.
    pub async fn start_expecting_failure(
        self: &Arc<Self>,
        server: &ServerKey,
        deadline: impl Into<Deadline> + Send,
    ) -> Result<FailedStart, NotFailed> {
        let deadline = deadline.into();
        let operation = Operation::Start;
        let target = self.target(server)?;
        let Some(Ok(_turn)) = deadline.bound(target.turn.acquire()).await else {
            let server = server.clone();
            return Err(OperationError::Busy { operation, server }.into());
        };
        if target.phase().is_alive() {
            return Err(OperationError::State {
                operation,
                server: server.clone(),
                phase: target.phase(),
            }
            .into());
        }
        loop {
            let log_from = self.site.log_size(server);
            match self.fail_once(target, log_from, deadline).await? {
                // It may have stumbled over the ports that are held for it, which is not what was meant.
                (_, true) if !deadline.passed() && self.site.release_ports(server) => {}
                (failed, _) => return Ok(failed),
            }
        }
    }

    /// One start; with how it failed, whether another may end otherwise.
    async fn fail_once(
        self: &Arc<Self>,
        server: &Server,
        log_from: u64,
        deadline: Deadline,
    ) -> Result<(FailedStart, bool), NotFailed> {
        let key = &server.plan.key;
        let begun = Instant::now();
        let cannot = |problem| self.failure(server, problem, log_from);
        let running = self.spawn(server, log_from).await.map_err(cannot)?;
        server.expect_exit(true);
        let reached = {
            let _attempt = Attempt(server);
            tokio::select! {
                biased;
                () = server.gone() => Err(self.ended_early(server, log_from)),
                reached = self.climb(server, running.as_ref(), deadline) => reached,
            }
        };
        let ended = match reached {
            // What will never be ready has to end all the same.
            Err(Problem::Hopeless(_) | Problem::Foreign(_))
                if deadline.bound(server.gone()).await.is_some() =>
            {
                Err(self.ended_early(server, log_from))
            }
            reached => reached,
        };
        if let Err(Problem::Exited {
            exit,
            text,
            may_pass,
        }) = ended
        {
            let log = self.log_since(key, log_from);
            return Ok((FailedStart { exit, text, log }, may_pass));
        }
        // By force, if the deadline has passed.
        self.stop_one(server, server.stop(), deadline).await;
        let server = key.clone();
        Err(match ended {
            Ok(()) => NotFailed::Ready { server },
            Err(_) => NotFailed::Late {
                server,
                waited: begun.elapsed(),
            },
        })
    }
}
