//! The logs of servers, for tests that read them.

use std::time::Duration;

use armadillo_orchestrator::{Deadline, Poll};

use super::Daemon;
use super::grants::LeaseProblem;
use super::holders::Used;
use crate::protocol::server_log::{LogPart, ReadLog};

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum LogProblem {
    #[error(transparent)]
    Lease(#[from] LeaseProblem),
    #[error("there is no server `{server}`; the servers are {known}")]
    UnknownServer { server: String, known: String },
    #[error("Armadillo cannot read the logs of servers that it did not start")]
    NotOurs,
    #[error("cannot read the log of {server}: {source}")]
    Unreadable {
        server: String,
        source: std::io::Error,
    },
}

/// The next whole lines; waits for one.
pub(super) async fn read(
    daemon: &Daemon,
    lease: &str,
    token: &armadillo_orchestrator::Secret,
    used: &Used,
    request: &ReadLog,
) -> Result<LogPart, LogProblem> {
    let (deployment, server) = (&used.deployment, &request.server);
    if deployment.view().attached().is_some() {
        return Err(LogProblem::NotOurs);
    }
    let places = &deployment.view().places;
    if !places.contains_key(server) {
        let known: Vec<&str> = places.keys().map(|key| key.as_str()).collect();
        return Err(LogProblem::UnknownServer {
            server: server.to_string(),
            known: known.join(", "),
        });
    }
    let from = match request.from {
        Some(from) => from,
        None => {
            let lease = daemon.grants.find(lease, token)?;
            daemon.grants.log_began(lease, used.no, server)
        }
    };
    let deadline = Deadline::after(Duration::from_millis(request.limit_ms));
    // Nothing announces that a file has grown.
    let mut poll = Poll::new(Duration::from_millis(2), Duration::from_millis(50));
    loop {
        let (text, to) =
            deployment
                .whole_lines(server, from)
                .map_err(|source| LogProblem::Unreadable {
                    server: server.to_string(),
                    source,
                })?;
        if !text.is_empty() || deadline.passed() {
            return Ok(LogPart { to, text });
        }
        poll.pause(deadline).await;
    }
}
