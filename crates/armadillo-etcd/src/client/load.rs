//! Writers that go on whatever happens.

use std::time::Duration;

use armadillo_harness::load::{Load, Unwritten};

use super::{EtcdClient, EtcdError};

/// How long a writer waits for one answer.
const PATIENCE: Duration = Duration::from_secs(2);

impl EtcdClient {
    /// Starts so many writers, each of which puts keys of its own, with their names as values, one after the other. Each has a member
    /// of its own, in turn, and goes to another one while that surely cannot be reached. [`Load::stop`] says what became of the
    /// writes.
    #[must_use]
    pub fn load(&self, writers: usize) -> Load {
        let any = self.with_limit(PATIENCE);
        Load::start(writers, move |writer, key| {
            let any = any.clone();
            async move {
                let members = any.servers();
                let own = members.iter().cycle().nth(writer);
                let first = match own {
                    Some(own) => any.at(own)?.put(&key, &key).await,
                    None => any.put(&key, &key).await,
                };
                match first {
                    Err(EtcdError::Unreachable { .. }) => any.put(&key, &key).await,
                    outcome => outcome,
                }
            }
        })
    }
}

impl From<EtcdError> for Unwritten {
    fn from(error: EtcdError) -> Self {
        let kind = match &error {
            EtcdError::Refused { code, .. } => code.name(),
            EtcdError::Unknown { .. } => "outcome unknown",
            EtcdError::Unreachable { .. } => "no member could be reached",
            EtcdError::Malformed { .. } => "invalid response",
            EtcdError::NoLeader { .. } => "no leader",
            EtcdError::LeaseEnded { .. } => "the test has ended",
            EtcdError::NoSuchMember { .. } | EtcdError::NoPassword(_) | EtcdError::File { .. } => {
                "not sent"
            }
        };
        Self {
            kind: kind.to_owned(),
            may_be_done: error.is_unknown(),
        }
    }
}
