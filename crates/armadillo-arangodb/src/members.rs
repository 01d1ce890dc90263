//! Dbservers and coordinators as the cluster itself knows them: ids, short names, and what its supervision says.
//!
//! A coordinator answers `GET /_admin/cluster/health` (documentation, "HTTP interfaces for cluster management"); where none
//! can be asked, the agency's `Supervision/Health` says the same of the same servers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use armadillo_orchestrator::{Request, ServerKey, View};
use serde::Deserialize;
use serde_json::Value;

use crate::client::{ArangoClient, ArangoError};
use crate::launch::PORT;

/// What the supervision says of servers: it has their addresses.
pub(crate) const SUPERVISED: &str = "/arango/Supervision/Health";

/// What the supervision says of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerStatus {
    /// Its heartbeats come.
    Good,
    /// Its last heartbeat is older than the first threshold.
    Bad,
    /// Its last heartbeat is so old that others take over what it did.
    Failed,
    /// The supervision has not said anything of it, or nothing known.
    Unknown,
}

impl ServerStatus {
    fn of(said: &str) -> Self {
        match said {
            "GOOD" => Self::Good,
            "BAD" => Self::Bad,
            "FAILED" => Self::Failed,
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for ServerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "GOOD",
            Self::Bad => "BAD",
            Self::Failed => "FAILED",
            Self::Unknown => "unknown",
        })
    }
}

/// A server as the cluster knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id: `PRMR-...`, `CRDN-...`, `AGNT-...`.
    pub id: String,
    /// Its name within the deployment; `None` for one that is not planned.
    pub server: Option<ServerKey>,
    /// The name people are shown: `DBServer0001`. A coordinator gets another one at each start; an agent has none.
    pub short_name: String,
    /// What the supervision says of it.
    pub status: ServerStatus,
    /// Where its peers reach it: `tcp://127.0.0.1:4711`.
    pub endpoint: String,
    /// Its version; empty if the supervision does not know it.
    pub version: String,
    /// Whether the cluster would forget it: it has failed, and nothing is planned on it.
    pub can_be_deleted: bool,
    /// The time in its last heartbeat, as in ISO 8601; `None` for an agent, and for a server that has sent none.
    pub last_heartbeat: Option<String>,
}

/// One entry of a cluster's health.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Entry {
    #[serde(rename = "Role", default)]
    pub(crate) role: String,
    #[serde(rename = "Endpoint", default)]
    pub(crate) endpoint: String,
    #[serde(rename = "ShortName", default)]
    pub(crate) short_name: String,
    #[serde(rename = "Status", default)]
    status: String,
    #[serde(rename = "Version", default)]
    version: String,
    /// Absent for agents.
    #[serde(rename = "SyncTime", default)]
    sync_time: Option<String>,
    /// In the answers of coordinators only.
    #[serde(rename = "CanBeDeleted", default)]
    can_be_deleted: bool,
}

impl Entry {
    /// Whether the supervision calls it failed.
    pub(crate) fn is_failed(&self) -> bool {
        ServerStatus::of(&self.status) == ServerStatus::Failed
    }
}

#[derive(Deserialize)]
struct ClusterHealth {
    #[serde(rename = "Health")]
    health: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Enclosed {
    result: String,
}

/// The entries of a health, by id: of the answer of a coordinator, or of the agency.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Entries(BTreeMap<String, Entry>);

impl Entries {
    /// The names of planned servers, by id.
    pub(crate) fn keys(&self, view: &View) -> BTreeMap<String, ServerKey> {
        let entries = self.0.iter();
        entries
            .filter_map(|(id, entry)| Some((id.clone(), server_at(view, &entry.endpoint)?)))
            .collect()
    }

    /// The ids of those that the supervision calls failed.
    pub(crate) fn failed(&self) -> BTreeSet<&str> {
        let entries = self.0.iter();
        entries
            .filter(|(_, entry)| entry.is_failed())
            .map(|(id, _)| id.as_str())
            .collect()
    }

    /// Those of planned servers with their names.
    pub(crate) fn members(self, view: &View) -> Vec<Member> {
        let entries = self.0.into_iter();
        let members = entries.map(|(id, entry)| Member {
            server: server_at(view, &entry.endpoint),
            id,
            short_name: entry.short_name,
            status: ServerStatus::of(&entry.status),
            endpoint: entry.endpoint,
            version: entry.version,
            can_be_deleted: entry.can_be_deleted,
            last_heartbeat: entry.sync_time.filter(|time| !time.is_empty()),
        });
        members.collect()
    }
}

/// The name of the server with this id; the id itself for one that is not planned. `tree` is the agency's, with
/// [`SUPERVISED`] in it.
pub(crate) fn name_of(tree: &Value, view: &View, id: &str) -> ServerKey {
    let endpoint = tree
        .pointer(SUPERVISED)
        .and_then(|servers| servers.get(id)?.get("Endpoint")?.as_str());
    let found = endpoint.and_then(|endpoint| server_at(view, endpoint));
    found.unwrap_or_else(|| ServerKey::from(id))
}

/// The id of a planned server, the opposite of [`name_of`].
pub(crate) fn id_of<'a>(tree: &'a Value, view: &View, server: &ServerKey) -> Option<&'a str> {
    let servers = tree.pointer(SUPERVISED)?.as_object()?;
    let mut ids = servers.keys().map(String::as_str);
    ids.find(|id| name_of(tree, view, id) == *server)
}

/// What a coordinator says.
pub(crate) async fn by_coordinator(client: &ArangoClient) -> Result<Entries, ArangoError> {
    let health: ClusterHealth = client.call(Request::get("/_admin/cluster/health")).await?;
    Ok(Entries(health.health))
}

/// The mode of the supervision: `Normal` or `Maintenance`.
pub(crate) async fn supervision_mode(client: &ArangoClient) -> Result<String, ArangoError> {
    let request = Request::get("/_admin/cluster/maintenance");
    let mode: Enclosed = client.call(request).await?;
    Ok(mode.result)
}

/// The planned server that advertises this endpoint.
fn server_at(view: &View, endpoint: &str) -> Option<ServerKey> {
    let (_, address) = endpoint.split_once("://")?;
    let mut places = view.places.iter();
    let is_there = |advertised: &String| advertised == address;
    let found = places.find(|(_, place)| place.advertise.get(PORT).is_some_and(is_there));
    found.map(|(key, _)| key.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::tests::cluster_view;

    #[test]
    fn entries_are_told_apart_by_their_endpoints() {
        let entries = r#"{
            "PRMR-1": {"Endpoint":"tcp://127.0.0.1:10002","ShortName":"DBServer0001","Status":"GOOD","Role":"DBServer"},
            "CRDN-1": {"Endpoint":"tcp://127.0.0.1:10003","ShortName":"Coordinator0001","Status":"BAD"},
            "PRMR-9": {"Endpoint":"tcp://127.0.0.1:1","ShortName":"DBServer0009","Status":"FAILED"},
            "AGNT-1": {"Endpoint":"tcp://127.0.0.1:10001","Leading":true}
        }"#;
        let entries: Entries = serde_json::from_str(entries).unwrap();
        let all = entries.members(&cluster_view(1, 1, 1));
        let known: Vec<_> = all
            .iter()
            .map(|member| (member.server.as_ref().map(ServerKey::as_str), member.status))
            .collect();
        assert_eq!(
            known,
            [
                (Some("agent-1"), ServerStatus::Unknown),
                (Some("coordinator-1"), ServerStatus::Bad),
                (Some("dbserver-1"), ServerStatus::Good),
                (None, ServerStatus::Failed),
            ]
        );
    }
}
