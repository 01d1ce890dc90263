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
    #[error("{0}")]
    Refused(String),
    #[error("the daemon cannot be reached: {0}")]
    Transport(#[from] HttpError),
    #[error("the daemon's answer makes no sense: {0}")]
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
        limit: Duration,
    ) -> Result<T, AskError> {
        let request = Request::post(path).json(body);
        self.send(
            token
                .iter()
                .fold(request, |request, token| request.bearer(token)),
            limit,
        )
        .await
    }

    /// Gets `path`.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        limit: Duration,
    ) -> Result<T, AskError> {
        self.send(Request::get(path), limit).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        request: Request,
        limit: Duration,
    ) -> Result<T, AskError> {
        let response = self.0.send(request, Deadline::after(limit)).await?;
        if response.is_success() {
            return Ok(response.json()?);
        }
        match response.json::<Problem>() {
            Ok(problem) => Err(AskError::Refused(problem.error)),
            Err(_) => Err(AskError::Refused(format!(
                "status {}: {}",
                response.status,
                response.text()
            ))),
        }
    }
}
