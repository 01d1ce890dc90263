//! Requests to the daemon.

use std::path::Path;
use std::time::Duration;

use armadillo_orchestrator::duration::times;
use armadillo_orchestrator::{Client, Deadline, HttpError, Request, Secret};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::protocol::daemon::Problem;
use crate::protocol::endpoints::{Endpoint, Method};

/// A request without a deadline of its own: the wait for a lease, which counts in no time limit.
pub(crate) const WITHOUT_LIMIT: Duration = Duration::from_secs(365 * 24 * 3600);

/// A client of the daemon's API.
#[derive(Clone)]
pub(crate) struct DaemonClient {
    client: Client,
    /// By how much the daemon may take longer than the limits of requests say.
    factor: f64,
}

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
        Self {
            client: Client::unix(socket),
            factor: 1.0,
        }
    }

    /// The same with more patience: on a slow machine the daemon is slow, too. A factor below 1 changes nothing.
    pub(crate) fn with_factor(self, factor: f64) -> Self {
        Self {
            factor: factor.max(1.0),
            ..self
        }
    }

    /// Sends a request of this kind, with these values in the places of its path, and reads the answer.
    pub(crate) async fn ask<E>(
        &self,
        places: &[&str],
        body: &E::Body,
        token: Option<&Secret>,
        deadline: impl Into<Deadline>,
    ) -> Result<E::Answer, AskError>
    where
        E: Endpoint<Body: Serialize, Answer: DeserializeOwned>,
    {
        self.ask_with::<E>(places, body, token, deadline).await
    }

    /// The same with a body that serializes as that of the endpoint does.
    pub(crate) async fn ask_with<E>(
        &self,
        places: &[&str],
        body: &impl Serialize,
        token: Option<&Secret>,
        deadline: impl Into<Deadline>,
    ) -> Result<E::Answer, AskError>
    where
        E: Endpoint<Answer: DeserializeOwned>,
    {
        let path = E::ROUTE.path(places);
        let request = match E::ROUTE.method() {
            Method::Get => Request::get(&path),
            Method::Post => Request::post(&path).json(body),
        };
        let request = match token {
            Some(token) => request.bearer(token),
            None => request,
        };
        let limit = times(deadline.into().left(), self.factor);
        self.send(request, limit.into()).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        request: Request,
        deadline: Deadline,
    ) -> Result<T, AskError> {
        let response = self.client.send(request, deadline).await?;
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
