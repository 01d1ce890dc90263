//! Health: a state for each *planned* server and a leader for each named group, as a value.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::server::ServerKey;

/// How one server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

/// Something that several servers keep copies of: a shard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Part {
    /// The server that leads it; `None` while there is none.
    pub leader: Option<ServerKey>,
    /// The servers that should have a copy and do not have everything.
    pub behind: BTreeSet<ServerKey>,
    /// The servers that have a copy and should not.
    pub leaving: BTreeSet<ServerKey>,
    /// How many servers more than it should have are to keep a copy for now: some will be told to give theirs up.
    #[serde(default)]
    pub surplus: usize,
}

impl Part {
    /// What keeps it from being as it should be, if anything does.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        let list = |servers: &BTreeSet<ServerKey>| {
            let names: Vec<&str> = servers.iter().map(ServerKey::as_str).collect();
            names.join(", ")
        };
        let behind =
            (!self.behind.is_empty()).then(|| format!("{} not in sync", list(&self.behind)));
        let leaving =
            (!self.leaving.is_empty()).then(|| format!("{} still has a copy", list(&self.leaving)));
        let leader = self.leader.is_none().then(|| "no leader".to_owned());
        let surplus =
            (self.surplus > 0).then(|| format!("{} more copies than asked for", self.surplus));
        let all = leader
            .into_iter()
            .chain(behind)
            .chain(leaving)
            .chain(surplus);
        let all: Vec<String> = all.collect();
        (!all.is_empty()).then(|| all.join(", "))
    }
}

/// One look at a deployment. A planned server that is gone is in it, as failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Health {
    /// State and, where it is not good, the reason, for every planned server.
    pub servers: BTreeMap<ServerKey, (State, String)>,
    /// The leader of each named group (`raft`, `agency`, a shard); `None` while there is none.
    pub leaders: BTreeMap<String, Option<ServerKey>>,
    /// A number for each group that grows with every change of its leader (a Raft term), where the system has one.
    #[serde(default)]
    pub terms: BTreeMap<String, u64>,
    /// What is kept in copies, by name, where the system knows: `shard s8 of db/docs`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<String, Part>,
    /// What else keeps the whole from being good although each server is.
    #[serde(default)]
    pub complaints: Vec<String>,
}

impl Health {
    /// Whether every planned server is good, every group has a leader, every part its leader and its copies, and there is no
    /// complaint.
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
        let parts = self
            .parts
            .iter()
            .filter_map(|(name, part)| Some(format!("{name}: {}", part.missing()?)));
        servers
            .chain(leaders)
            .chain(parts)
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

    /// The same without one server: for a wait that expects it to be gone. Its copies are not missed; a group or a part that it
    /// leads is led all the same.
    #[must_use]
    pub fn without(&self, server: &ServerKey) -> Self {
        let mut rest = self.clone();
        rest.servers.remove(server);
        for part in rest.parts.values_mut() {
            if part.behind.remove(server) {
                part.surplus = part.surplus.saturating_sub(1);
            }
            part.leaving.remove(server);
        }
        rest
    }

    /// The same with these servers only, those of one role, say. One that is not planned counts as failed, with the names of
    /// those that are.
    #[must_use]
    pub fn only<'a>(&self, servers: impl IntoIterator<Item = &'a ServerKey>) -> Self {
        let state = |server: &ServerKey| match self.servers.get(server) {
            Some(state) => state.clone(),
            None => (State::Failed, self.not_planned()),
        };
        let wanted = servers.into_iter();
        Self {
            servers: wanted
                .map(|server| (server.clone(), state(server)))
                .collect(),
            ..self.clone()
        }
    }

    fn not_planned(&self) -> String {
        let planned: Vec<&str> = self.servers.keys().map(ServerKey::as_str).collect();
        format!("no such server; the servers are {}", planned.join(", "))
    }

    /// The groups and the parts that this server leads.
    #[must_use]
    pub fn led_by(&self, server: &ServerKey) -> Vec<&str> {
        let parts = self.parts.iter().map(|(name, part)| (name, &part.leader));
        let led = self
            .leaders
            .iter()
            .chain(parts)
            .filter(|(_, leader)| leader.as_ref() == Some(server));
        led.map(|(name, _)| name.as_str()).collect()
    }

    /// From now on it leads nothing: its process is gone.
    pub(crate) fn depose(&mut self, server: &ServerKey) {
        let parts = self.parts.values_mut().map(|part| &mut part.leader);
        for leader in self.leaders.values_mut().chain(parts) {
            if leader.as_ref() == Some(server) {
                *leader = None;
            }
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

/// A table, a line for each server, each group, and each part that is not as it should be.
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
        if !self.parts.is_empty() {
            let good = self.parts.values().filter(|part| part.missing().is_none());
            writeln!(
                f,
                "  {} of {} parts in sync",
                good.count(),
                self.parts.len()
            )?;
        }
        for (name, part) in &self.parts {
            if let Some(missing) = part.missing() {
                writeln!(f, "  {name}: {missing}")?;
            }
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
        assert_eq!(
            health.without(&"member-2".into()).missing(),
            ["raft has no leader"]
        );
        assert_eq!(health.only(&["member-2".into()]).percent(), 0);
        assert_eq!(health.only(&["member-1".into()]).percent(), 100);
    }

    #[test]
    fn a_server_that_is_not_planned_is_not_good() {
        let mut health = Health::default();
        for server in ["a", "b"] {
            let good = (State::Good, String::new());
            health.servers.insert(server.into(), good);
        }
        let misspelt = health.only(&["a".into(), "c".into()]);
        assert_eq!((misspelt.percent(), misspelt.is_good()), (50, false));
        assert_eq!(
            misspelt.missing(),
            ["c is failed: no such server; the servers are a, b"]
        );
    }

    fn part(leader: Option<&str>, behind: &[&str]) -> Part {
        Part {
            leader: leader.map(ServerKey::from),
            behind: behind.iter().copied().map(ServerKey::from).collect(),
            ..Part::default()
        }
    }

    #[test]
    fn copies_that_are_to_be_given_up_are_waited_for() {
        let mut spare = part(Some("a"), &["b"]);
        spare.surplus = 1;
        assert_eq!(
            spare.missing().as_deref(),
            Some("b not in sync, 1 more copies than asked for")
        );
        let mut health = Health {
            parts: [("shard 1".to_owned(), spare)].into(),
            ..Health::default()
        };
        // It is the one that is excepted.
        assert!(health.without(&"b".into()).is_good());
        health.parts.get_mut("shard 1").unwrap().behind.clear();
        let missing = ["shard 1: 1 more copies than asked for"];
        assert_eq!(health.without(&"b".into()).missing(), missing);
    }

    #[test]
    fn a_copy_of_a_server_that_is_excepted_is_not_missed_but_its_lead_is() {
        let mut health = Health::default();
        for server in ["a", "b"] {
            let good = (State::Good, String::new());
            health.servers.insert(server.into(), good);
        }
        let parts = [
            ("shard 1", part(Some("a"), &[])),
            ("shard 2", part(Some("a"), &["b"])),
            ("shard 3", part(None, &["b", "c"])),
        ];
        health.parts = parts.map(|(name, part)| (name.to_owned(), part)).into();
        assert_eq!(
            health.missing(),
            [
                "shard 2: b not in sync",
                "shard 3: no leader, b, c not in sync"
            ]
        );
        assert_eq!(
            health.without(&"b".into()).missing(),
            ["shard 3: no leader, c not in sync"]
        );
        assert_eq!(health.led_by(&"a".into()), ["shard 1", "shard 2"]);
        health.depose(&"a".into());
        assert!(health.led_by(&"a".into()).is_empty());
        assert_eq!(health.missing()[0], "shard 1: no leader");
        let table = health.to_string();
        assert!(table.contains("\n  0 of 3 parts in sync\n"), "{table}");
        assert!(table.contains("\n  shard 1: no leader\n"), "{table}");
        let json = serde_json::to_string(&health).unwrap();
        assert_eq!(serde_json::from_str::<Health>(&json).unwrap(), health);
    }
}
