//! What an agent says of itself: `GET /_api/agency/config` (`RestAgencyHandler.cpp`, `AgentConfiguration.cpp`).

use std::collections::BTreeMap;

use serde::Deserialize;

/// What an agent says of itself and of the others.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct AgentConfig {
    /// The term it is in.
    pub term: u64,
    /// The id of the leader it knows; empty while it knows none.
    #[serde(rename = "leaderId", default)]
    leader_id: String,
    /// The last entry of the log that it knows to be committed.
    #[serde(rename = "commitIndex", default)]
    pub commit_index: u64,
    /// How long ago each agent acknowledged something. Only a leader has this.
    #[serde(rename = "lastAcked", default)]
    pub last_acked: Option<BTreeMap<String, LastAcked>>,
    configuration: Configuration,
}

/// What a leader knows of one agent.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct LastAcked {
    /// How many seconds ago it acknowledged something.
    #[serde(rename = "lastAckedTime", default)]
    pub seconds_ago: f64,
    /// The last entry of the log that it has.
    #[serde(rename = "lastAckedIndex", default)]
    pub index: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
struct Configuration {
    #[serde(default)]
    id: String,
    #[serde(default)]
    endpoint: String,
    #[serde(default)]
    pool: BTreeMap<String, String>,
}

impl AgentConfig {
    /// Its own id: `AGNT-...`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.configuration.id
    }

    /// Where it says that it is reached: `tcp://127.0.0.1:4711`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.configuration.endpoint
    }

    /// The endpoints of all agents it knows, by id.
    #[must_use]
    pub fn pool(&self) -> &BTreeMap<String, String> {
        &self.configuration.pool
    }

    /// The id of the leader it knows.
    #[must_use]
    pub fn leader(&self) -> Option<&str> {
        Some(self.leader_id.as_str()).filter(|id| !id.is_empty())
    }

    /// Whether it says that it leads: it names itself, and knows what the others have acknowledged.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.last_acked.is_some() && self.leader() == Some(self.id())
    }
}
