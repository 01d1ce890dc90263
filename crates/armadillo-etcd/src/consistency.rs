//! The vocabulary of the proof that acknowledged data survives, spoken with the client that every test has.

use std::time::Duration;

use armadillo_consistency::{Leadership, Subject, Wrote};
use armadillo_orchestrator::ServerKey;

use crate::all::all;
use crate::client::{EtcdClient, EtcdError, MemberStatus};
use crate::health::GROUP;

/// How long a look at one member may take: one that is frozen does not answer at all.
const LOOK: Duration = Duration::from_millis(300);

/// The keys of a client as registers, for a `Proof`: written by `put`, read linearizably by `get`.
///
/// Every client of the proof has a member of its own, and goes to another only when that one surely was not reached.
#[derive(Clone, Debug)]
pub struct EtcdRegisters {
    any: EtcdClient,
}

impl EtcdRegisters {
    /// The keys below the client's prefix.
    #[must_use]
    pub fn new(client: &EtcdClient) -> Self {
        Self {
            any: client.clone(),
        }
    }

    /// A client that asks only the member that this client of the proof has for its own, of those that there are now.
    fn at_own_member(&self, client: usize) -> Result<EtcdClient, EtcdError> {
        match self.any.servers().iter().cycle().nth(client) {
            Some(member) => self.any.at(member),
            None => Ok(self.any.clone()),
        }
    }

    /// One look at every member but these.
    async fn looks(
        &self,
        except: &[ServerKey],
    ) -> Vec<(ServerKey, Result<MemberStatus, EtcdError>)> {
        let client = self.any.with_limit(LOOK);
        let client = &client;
        let members = self.any.servers().into_iter();
        let looked = members.filter(|server| !except.contains(server));
        let looks = looked.map(|server| async move {
            let status = client.status(&server).await;
            (server, status)
        });
        all(looks).await
    }
}

impl Subject for EtcdRegisters {
    async fn write(&self, client: usize, key: &str, body: &str) -> Wrote {
        let first = match self.at_own_member(client) {
            Ok(own) => own.put(key, body).await,
            Err(error) => Err(error),
        };
        let outcome = match first {
            Err(EtcdError::Unreachable { .. }) => self.any.put(key, body).await,
            outcome => outcome,
        };
        match outcome {
            Ok(_) => Wrote::Acknowledged,
            Err(error) if error.is_refused() => Wrote::Refused(error.to_string()),
            Err(error) => Wrote::Unknown(error.to_string()),
        }
    }

    async fn read(&self, client: usize, key: &str) -> Result<Option<String>, String> {
        let first = match self.at_own_member(client) {
            Ok(own) => own.get(key).await,
            Err(error) => Err(error),
        };
        let outcome = match first {
            Err(EtcdError::Unreachable { .. }) => self.any.get(key).await,
            outcome => outcome,
        };
        let found = outcome.map_err(|error| error.to_string())?;
        Ok(found.map(|found| found.text()))
    }

    async fn leadership(&self, _key: &str) -> Result<Leadership, String> {
        let leader = self.any.with_limit(LOOK).leader().await;
        let leader = leader.map_err(|error| error.to_string())?;
        let members = self.any.servers().into_iter();
        Ok(Leadership {
            group: GROUP.to_owned(),
            followers: members.filter(|member| *member != leader).collect(),
            leader,
        })
    }

    /// A member is in sync when it has applied what some member knew to be committed a moment before.
    async fn not_in_sync(&self, except: &[ServerKey]) -> Vec<String> {
        let before = self.looks(except).await;
        let committed = before
            .iter()
            .filter_map(|(_, look)| Some(look.as_ref().ok()?.raft_index));
        let committed = committed.max().unwrap_or(0);
        let after = self.looks(except).await.into_iter();
        let missing = after.filter_map(|(server, look)| match look {
            Err(error) => Some(error.to_string()),
            Ok(status) if status.leader.is_none() => Some(format!("{server} has no leader")),
            Ok(status) if status.applied_index < committed => Some(format!(
                "{server} has applied {} of {committed}",
                status.applied_index
            )),
            Ok(_) => None,
        });
        missing.collect()
    }

    async fn forget(&self, prefix: &str) -> Result<(), String> {
        let deleted = self.any.delete_prefix(&format!("{prefix}.")).await;
        deleted.map(drop).map_err(|error| error.to_string())
    }
}
