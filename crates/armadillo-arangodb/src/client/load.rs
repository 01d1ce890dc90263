//! Writers that go on whatever happens.

use std::time::Duration;

use armadillo_harness::load::{Load, Unwritten};
use serde_json::json;

use super::{ArangoError, Collection};
use crate::agency::AgencyError;

/// How long a writer waits for one answer.
const PATIENCE: Duration = Duration::from_secs(2);

impl Collection {
    /// Starts so many writers, each of which inserts documents with keys of its own, one after the other. [`Load::stop`] says what
    /// became of them.
    #[must_use]
    pub fn load(&self, writers: usize) -> Load {
        let hasty = self.database().client().with_limit(PATIENCE);
        let database = hasty.database(self.database().name());
        let docs = database.collection(self.name());
        Load::start(writers, move |_, key| {
            let docs = docs.clone();
            async move { docs.insert(&json!({ "_key": key })).await }
        })
    }
}

impl From<ArangoError> for Unwritten {
    fn from(error: ArangoError) -> Self {
        let kind = match (error.status(), error.number()) {
            (Some(status), Some(number)) => format!("HTTP {status}, error {number}"),
            (Some(status), None) => format!("HTTP {status}"),
            (None, _) => "no answer".to_owned(),
        };
        Self {
            kind,
            may_be_done: error.outcome_unknown(),
        }
    }
}

impl From<AgencyError> for Unwritten {
    fn from(error: AgencyError) -> Self {
        let may_be_done = error.outcome_unknown();
        let kind = match error {
            AgencyError::Request(error) => return error.into(),
            AgencyError::Lost(_) => "outcome unknown",
            AgencyError::NoLeader { .. } | AgencyError::Led { .. } => "no leader",
            AgencyError::Conflict(_) | AgencyError::Elsewhere { .. } => "not sent",
        };
        Self {
            kind: kind.to_owned(),
            may_be_done,
        }
    }
}
