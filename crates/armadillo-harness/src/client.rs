//! Requests to the daemon.

use std::path::Path;
use std::time::Duration;

use armadillo_orchestrator::{Client, Deadline, HttpError, Request, Secret};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::protocol::daemon::Problem;

/// A request without a deadline of its own: the wait for a lease, which counts in no time limit.
pub(crate) const WITHOUT_LIMIT: Duration = Duration::from_secs(365 * 24 * 3600);

/// A client of the daemon's API.
#[derive(Clone)]
pub(crate) struct DaemonClient(Client);

/// Why the daemon did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("{reason}")]
    Refused {
        /// The status of its answer.
        status: u16,
        reason: String,
    },
    #[error("cannot connect to the daemon: {0}")]
    Transport(#[from] HttpError),
    #[error("invalid answer from the daemon: {0}")]
    Nonsense(#[from] serde_json::Error),
}

impl DaemonClient {
    pub(crate) fn new(socket: &Path) -> Self {
        Self(Client::unix(socket))
    }

    /// Posts `body` and reads the answer.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        token: Option<&Secret>,
        deadline: impl Into<Deadline>,
    ) -> Result<T, AskError> {
        let request = Request::post(path).json(body);
        let request = match token {
            Some(token) => request.bearer(token),
            None => request,
        };
        self.send(request, deadline.into()).await
    }

    /// Gets `path`.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        limit: Duration,
    ) -> Result<T, AskError> {
        self.send(Request::get(path), Deadline::after(limit)).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        request: Request,
        deadline: Deadline,
    ) -> Result<T, AskError> {
        let response = self.0.send(request, deadline).await?;
        if response.is_success() {
            return Ok(response.json()?);
        }
        let status = response.status;
        let reason = match response.json::<Problem>() {
            Ok(problem) => problem.error,
            Err(_) => format!("status {status}: {}", response.text()),
        };
        Err(AskError::Refused { status, reason })
    }
}
