//! Health: a state for each *planned* server and a leader for each named group, as a value.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::server::ServerKey;

/// How one server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It does its part.
    Good,
    /// It answers, but something about it is not as it should be.
    Degraded,
    /// It does not answer, or its process is gone.
    Failed,
    /// Nobody has looked yet, or nobody could say.
    Unknown,
}

/// One look at a deployment. A planned server that is gone is in it, as failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// State and, where it is not good, the reason, for every planned server.
    pub servers: BTreeMap<ServerKey, (State, String)>,
    /// The leader of each named group (`raft`, `agency`, a shard); `None` while there is none.
    pub leaders: BTreeMap<String, Option<ServerKey>>,
    /// A number for each group that grows with every change of its leader (a Raft term), where the system has one.
    #[serde(default)]
    pub terms: BTreeMap<String, u64>,
    /// What keeps the whole from being good although each server is: shards not in sync, say.
    #[serde(default)]
    pub complaints: Vec<String>,
}

impl Health {
    /// Whether every planned server is good, every group has a leader and there is no complaint.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.missing().is_empty()
    }

    /// Everything that keeps [`Self::is_good`] from being true, one sentence each.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let servers = self
            .servers
            .iter()
            .filter(|(_, (state, _))| *state != State::Good)
            .map(|(key, (state, why))| {
                if why.is_empty() {
                    format!("{key} is {state}")
                } else {
                    format!("{key} is {state}: {why}")
                }
            });
        let leaders = self
            .leaders
            .iter()
            .filter(|(_, leader)| leader.is_none())
            .map(|(group, _)| format!("{group} has no leader"));
        servers
            .chain(leaders)
            .chain(self.complaints.iter().cloned())
            .collect()
    }

    /// Good servers over planned servers, in per cent; 100 for an empty plan.
    #[must_use]
    pub fn percent(&self) -> u32 {
        let good = self
            .servers
            .values()
            .filter(|(state, _)| *state == State::Good)
            .count();
        u32::try_from((good * 100).checked_div(self.servers.len()).unwrap_or(100)).unwrap_or(100)
    }

    /// The same without one server: for a wait that expects it to be gone.
    #[must_use]
    pub fn without(&self, server: &ServerKey) -> Self {
        let mut rest = self.clone();
        rest.servers.remove(server);
        rest
    }

    /// The same with these servers only, those of one role, say.
    #[must_use]
    pub fn only<'a>(&self, servers: impl IntoIterator<Item = &'a ServerKey>) -> Self {
        let wanted = servers.into_iter().filter_map(|server| {
            let (key, state) = self.servers.get_key_value(server)?;
            Some((key.clone(), state.clone()))
        });
        Self {
            servers: wanted.collect(),
            ..self.clone()
        }
    }

    /// The leader of `group`.
    #[must_use]
    pub fn leader(&self, group: &str) -> Option<&ServerKey> {
        self.leaders.get(group)?.as_ref()
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "good",
            Self::Degraded => "degraded",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        })
    }
}

/// A table, a line for each server and each group.
impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let good = self
            .servers
            .values()
            .filter(|(state, _)| *state == State::Good)
            .count();
        writeln!(
            f,
            "{good} of {} servers good ({} %)",
            self.servers.len(),
            self.percent()
        )?;
        let width = self
            .servers
            .keys()
            .map(|key| key.as_str().len())
            .max()
            .unwrap_or(0);
        for (key, (state, why)) in &self.servers {
            writeln!(
                f,
                "  {:width$}  {state:9}{}{why}",
                key.as_str(),
                if why.is_empty() { "" } else { " " }
            )?;
        }
        for (group, leader) in &self.leaders {
            let term = self
                .terms
                .get(group)
                .map(|term| format!(", term {term}"))
                .unwrap_or_default();
            writeln!(
                f,
                "  leader of {group}: {}{term}",
                leader.as_ref().map_or("none", ServerKey::as_str)
            )?;
        }
        for complaint in &self.complaints {
            writeln!(f, "  {complaint}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_server_counts_as_missing() {
        let mut health = Health::default();
        health
            .servers
            .insert("member-1".into(), (State::Good, String::new()));
        health.servers.insert(
            "member-2".into(),
            (State::Failed, "connection refused".into()),
        );
        health.leaders.insert("raft".into(), None);
        assert_eq!(health.percent(), 50);
        assert_eq!(
            health.missing(),
            [
                "member-2 is failed: connection refused",
                "raft has no leader"
            ]
        );
        assert!(!health.without(&"member-2".into()).is_good());
        assert_eq!(health.only(&["member-2".into()]).percent(), 0);
        assert_eq!(health.only(&["member-1".into()]).percent(), 100);
    }
}
