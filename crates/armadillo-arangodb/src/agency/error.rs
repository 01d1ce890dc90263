//! What can go wrong with the agency.

use std::time::Duration;

use armadillo_orchestrator::HttpError;

use super::conflict::Conflict;
use crate::client::ArangoError;

/// A request to the agency that did not do what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgencyError {
    /// There was no leader in time, so nothing was done.
    #[error("the agency had no leader for {waited:.1?}: {last}")]
    NoLeader {
        /// How long it was waited.
        waited: Duration,
        /// What the last agent said.
        last: String,
    },
    /// There was a leader until the end.
    #[error("timed out after {waited:.1?} waiting for the agency to lose its leader: {last}")]
    Led {
        /// How long it was waited.
        waited: Duration,
        /// What the agents said last.
        last: String,
    },
    /// An agent refused it, failed, or did not answer.
    #[error(transparent)]
    Request(#[from] ArangoError),
    /// A transaction says two things of one key of which the agency takes one. Nothing was sent.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The agent that was asked to write did not say what became of it, and it could not be found out.
    #[error("unknown whether it was written: {0}")]
    Lost(#[source] ArangoError),
    /// An agent names a leader that is none of the planned agents.
    #[error("{request}: redirected to {location:?}, which is not an agent")]
    Elsewhere {
        /// Method and path.
        request: String,
        /// Where it was sent on to.
        location: String,
    },
}

impl AgencyError {
    /// Whether the request may or may not have had its effect.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        match self {
            Self::Request(error) => error.outcome_unknown(),
            Self::Lost(_) => true,
            Self::NoLeader { .. }
            | Self::Led { .. }
            | Self::Conflict(_)
            | Self::Elsewhere { .. } => false,
        }
    }
}

impl From<HttpError> for AgencyError {
    fn from(error: HttpError) -> Self {
        Self::Request(error.into())
    }
}
