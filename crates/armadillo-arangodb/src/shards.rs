//! Where the shards of a cluster are: what the agency plans, and what the leaders of shards say there is.
//!
//! `Plan/Collections/<db>/<id>` has for each shard the servers that are to keep it, the leader first;
//! `Current/Collections/<db>/<id>/<shard>` has those that are in sync, written by the leader. A leader that is asked to resign, or
//! has, stands there with an underscore before its id (`Maintenance.cpp`, `FollowerInfo.cpp`). A shard is in sync when both
//! name the same servers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use armadillo_orchestrator::health::Part;
use armadillo_orchestrator::{ServerKey, View};
use serde::Deserialize;
use serde_json::Value;

use crate::agency::{Agency, AgencyError};
use crate::client::ArangoError;
use crate::members::{Entries, SUPERVISED};

/// What is planned.
const PLAN: &str = "/arango/Plan/Collections";

/// What there is.
const CURRENT: &str = "/arango/Current/Collections";

/// A shard of a collection, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Its name: `s1000042`.
    pub name: String,
    /// The server that leads it: the plan's, once it has taken over. `None` while there is none.
    pub leader: Option<ServerKey>,
    /// The servers that are to keep it, the leader first.
    pub planned: Vec<ServerKey>,
    /// The servers that have everything, as its leader says.
    pub in_sync: Vec<ServerKey>,
    /// How many servers are to keep it, if its collection says; the plan names one more for a while when one has failed.
    pub copies: Option<usize>,
    /// Those of all these that the supervision calls failed. What they led or had is theirs until others take it over.
    pub failed: Vec<ServerKey>,
}

impl Shard {
    /// The planned servers that do not have everything.
    #[must_use]
    pub fn behind(&self) -> Vec<ServerKey> {
        let mut planned: Vec<ServerKey> = self.planned.clone();
        planned.retain(|server| !self.in_sync.contains(server));
        planned
    }

    /// The servers that have it although the plan does not name them any more.
    #[must_use]
    pub fn leaving(&self) -> Vec<ServerKey> {
        let mut leaving: Vec<ServerKey> = self.in_sync.clone();
        leaving.retain(|server| !self.planned.contains(server));
        leaving
    }

    /// Its leader, unless the supervision calls that one failed. A server that has just died is not, for some seconds.
    #[must_use]
    pub fn live_leader(&self) -> Option<&ServerKey> {
        let leader = self.leader.as_ref();
        leader.filter(|leader| !self.failed.contains(leader))
    }

    /// How many servers the plan names more than its collection asks for: a leader that fails is replaced, and a spare server
    /// is added (`FailedLeader.cpp`); what is too much then is removed later.
    #[must_use]
    pub fn surplus(&self) -> usize {
        let copies = self.copies.unwrap_or(self.planned.len());
        self.planned.len().saturating_sub(copies)
    }

    /// Whether it has a leader, exactly the planned servers have everything, they are not too many, and none of them has failed.
    #[must_use]
    pub fn is_in_sync(&self) -> bool {
        self.leader.is_some()
            && self.behind().is_empty()
            && self.leaving().is_empty()
            && self.surplus() == 0
            && self.failed.is_empty()
    }
}

/// `s1000042: dbserver-1 leads, dbserver-2 in sync, dbserver-3 not in sync, dbserver-3 has failed`.
impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.leader {
            Some(leader) => write!(f, "{}: {leader} leads", self.name)?,
            None => write!(f, "{}: no leader", self.name)?,
        }
        let followers = |server: &&ServerKey| self.leader.as_ref() != Some(server);
        for server in self.in_sync.iter().filter(followers) {
            write!(f, ", {server} in sync")?;
        }
        for server in self.behind() {
            write!(f, ", {server} not in sync")?;
        }
        for server in &self.failed {
            write!(f, ", {server} has failed")?;
        }
        match self.surplus() {
            0 => {}
            surplus => write!(f, ", {surplus} more copies than asked for")?,
        }
        Ok(())
    }
}

/// A collection with its shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) database: String,
    pub(crate) collection: String,
    pub(crate) shards: Vec<Shard>,
}

/// What the agency says of shards, and of the servers they are on.
pub(crate) struct Layout {
    pub(crate) entries: Entries,
    pub(crate) collections: Vec<Placed>,
}

#[derive(Deserialize)]
struct Planned {
    name: String,
    #[serde(default)]
    shards: BTreeMap<String, Vec<String>>,
    /// A number; 0 or a word where every dbserver keeps a copy.
    #[serde(rename = "replicationFactor", default)]
    replication_factor: Value,
}

impl Planned {
    fn copies(&self) -> Option<usize> {
        let copies = self
            .replication_factor
            .as_u64()
            .filter(|copies| *copies > 0);
        copies.and_then(|copies| usize::try_from(copies).ok())
    }
}

#[derive(Deserialize)]
struct There {
    #[serde(default)]
    servers: Vec<String>,
}

/// All shards of the cluster at one moment, or those of one database.
pub(crate) async fn layout(
    agency: &Agency,
    view: &View,
    database: Option<&str>,
) -> Result<Layout, AgencyError> {
    let of = |path: &str| match database {
        Some(name) => format!("{path}/{name}"),
        None => path.to_owned(),
    };
    let tree = agency.read(&[&of(PLAN), &of(CURRENT), SUPERVISED]).await?;
    let unreadable = |error: serde_json::Error| ArangoError::Answer {
        request: "the agency's collections".to_owned(),
        status: 200,
        reason: error.to_string(),
    };
    Ok(read(&tree, view).map_err(unreadable)?)
}

/// The same from the agency's tree.
fn read(tree: &Value, view: &View) -> Result<Layout, serde_json::Error> {
    let entries = match at(tree, SUPERVISED) {
        Some(entries) => Entries::deserialize(entries)?,
        None => Entries::default(),
    };
    let keys = entries.keys(view);
    let failed = entries.failed();
    let key = |id: &str| {
        let id = bare(id);
        // A server nobody planned is called as the cluster calls it.
        let known = keys.get(id).cloned();
        known.unwrap_or_else(|| ServerKey::from(id))
    };
    let mut collections = Vec::new();
    for (database, planned) in children(at(tree, PLAN)) {
        for (id, planned) in children(Some(planned)) {
            let planned = Planned::deserialize(planned)?;
            let copies = planned.copies();
            let mut shards = Vec::new();
            for (shard, servers) in planned.shards {
                let there = at(tree, CURRENT)
                    .and_then(|all| all.get(database)?.get(id)?.get(&shard))
                    .map(There::deserialize)
                    .transpose()?;
                let there = there.map(|there| there.servers).unwrap_or_default();
                // A leader that is asked to resign begins with an underscore in the plan, and with one in what there is
                // once it has: equal or not, nobody leads for certain.
                let leads = |id: &&String| !id.starts_with('_') && there.first() == Some(*id);
                let all: BTreeSet<&str> = servers.iter().chain(&there).map(|id| bare(id)).collect();
                let failed = all.intersection(&failed).map(|id| key(id));
                shards.push(Shard {
                    failed: failed.collect(),
                    copies,
                    leader: servers.first().filter(leads).map(|id| key(id)),
                    planned: servers.iter().map(|id| key(id)).collect(),
                    in_sync: there.iter().map(|id| key(id)).collect(),
                    name: shard,
                });
            }
            collections.push(Placed {
                database: database.clone(),
                collection: planned.name,
                shards,
            });
        }
    }
    Ok(Layout {
        entries,
        collections,
    })
}

/// The id of a server that may be asked to resign.
fn bare(id: &str) -> &str {
    id.strip_prefix('_').unwrap_or(id)
}

fn at<'a>(tree: &'a Value, path: &str) -> Option<&'a Value> {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    segments.try_fold(tree, |value, segment| value.get(segment))
}

fn children(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten()
}

impl Layout {
    /// Each shard as a part of a deployment's health.
    pub(crate) fn parts(&self) -> BTreeMap<String, Part> {
        let mut parts = BTreeMap::new();
        for placed in &self.collections {
            for shard in &placed.shards {
                let name = format!(
                    "shard {} of {}/{}",
                    shard.name, placed.database, placed.collection
                );
                let behind: BTreeSet<ServerKey> = shard.behind().into_iter().collect();
                let leaving: BTreeSet<ServerKey> = shard.leaving().into_iter().collect();
                let part = Part {
                    leader: shard.leader.clone(),
                    behind,
                    leaving,
                    surplus: shard.surplus(),
                };
                parts.insert(name, part);
            }
        }
        parts
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;
    use crate::system::tests::cluster_view;

    /// Three dbservers, and a collection of one shard, planned on and found on these.
    pub(crate) fn tree(planned: &[&str], there: Option<&[&str]>) -> Value {
        let server = |port: u32| json!({"Endpoint": format!("tcp://127.0.0.1:{port}"), "ShortName": "", "Status": "GOOD"});
        let mut tree = json!({"arango": {
            "Plan": {"Collections": {"db": {"7": {"name": "docs", "shards": {"s8": planned}}}}},
            "Current": {"Collections": {"db": {}}},
            "Supervision": {"Health": {"PRMR-1": server(10002), "PRMR-2": server(10003), "PRMR-3": server(10004)}},
        }});
        if let Some(there) = there {
            tree["arango"]["Current"]["Collections"]["db"] =
                json!({"7": {"s8": {"servers": there}}});
        }
        tree
    }

    fn shard(planned: &[&str], there: Option<&[&str]>) -> Shard {
        let layout = read(&tree(planned, there), &cluster_view(1, 3, 1)).unwrap();
        let placed = layout.collections.into_iter().next().unwrap();
        assert_eq!(
            (placed.database.as_str(), placed.collection.as_str()),
            ("db", "docs")
        );
        placed.shards.into_iter().next().unwrap()
    }

    #[test]
    fn a_shard_is_in_sync_when_plan_and_current_name_the_same_servers() {
        let good = shard(&["PRMR-1", "PRMR-2"], Some(&["PRMR-1", "PRMR-2"]));
        assert_eq!(good.to_string(), "s8: dbserver-1 leads, dbserver-2 in sync");
        assert!(good.is_in_sync());
        let order = shard(
            &["PRMR-1", "PRMR-2", "PRMR-3"],
            Some(&["PRMR-1", "PRMR-3", "PRMR-2"]),
        );
        assert!(order.is_in_sync());
    }

    #[test]
    fn a_spare_copy_is_waited_for() {
        let all = ["PRMR-2", "PRMR-1", "PRMR-3"];
        let with = |replication_factor: Value| {
            let mut tree = tree(&all, Some(&all));
            tree["arango"]["Plan"]["Collections"]["db"]["7"]["replicationFactor"] =
                replication_factor;
            let layout = read(&tree, &cluster_view(1, 3, 1)).unwrap();
            let shard = layout.collections[0].shards[0].clone();
            let part = layout.parts().into_values().next().unwrap();
            assert_eq!(part.surplus, shard.surplus());
            shard
        };
        assert!(with(json!(3)).is_in_sync());
        let spare = with(json!(2));
        assert!(!spare.is_in_sync());
        assert_eq!(
            spare.to_string(),
            "s8: dbserver-2 leads, dbserver-1 in sync, dbserver-3 in sync, 1 more copies than asked for"
        );
        for everywhere in [json!(0), json!("satellite"), Value::Null] {
            assert!(with(everywhere).is_in_sync());
        }
    }

    #[test]
    fn what_is_missing_is_told() {
        let behind = shard(&["PRMR-1", "PRMR-2", "PRMR-9"], Some(&["PRMR-1"]));
        assert_eq!(
            behind.to_string(),
            "s8: dbserver-1 leads, dbserver-2 not in sync, PRMR-9 not in sync"
        );
        assert!(!behind.is_in_sync());
        let new = shard(&["PRMR-1"], None);
        assert_eq!(new.to_string(), "s8: no leader, dbserver-1 not in sync");
        let too_many = shard(&["PRMR-1"], Some(&["PRMR-1", "PRMR-2"]));
        assert_eq!(too_many.leaving(), ["dbserver-2".into()]);
        assert!(!too_many.is_in_sync());
    }

    #[test]
    fn a_server_that_has_failed_neither_leads_nor_is_in_sync() {
        let seen = |status: &str| {
            let mut tree = tree(&["PRMR-1", "PRMR-2"], Some(&["PRMR-1", "PRMR-2"]));
            for (server, status) in [("PRMR-1", status), ("PRMR-3", "FAILED")] {
                tree["arango"]["Supervision"]["Health"][server]["Status"] = status.into();
            }
            let layout = read(&tree, &cluster_view(1, 3, 1)).unwrap();
            layout.collections[0].shards[0].clone()
        };
        let dead = seen("FAILED");
        assert_eq!(dead.leader, Some("dbserver-1".into()));
        assert_eq!(dead.live_leader(), None);
        assert!(!dead.is_in_sync());
        assert_eq!(
            dead.to_string(),
            "s8: dbserver-1 leads, dbserver-2 in sync, dbserver-1 has failed"
        );
        let late = seen("BAD");
        assert_eq!(late.live_leader(), late.leader.as_ref());
        assert!(late.is_in_sync(), "the other that failed has no part in it");
    }

    #[test]
    fn a_leader_leads_when_it_has_taken_over_and_has_not_resigned() {
        let leader = |planned: &[&str], there: &[&str]| shard(planned, Some(there)).leader;
        assert_eq!(leader(&["PRMR-2", "PRMR-1"], &["PRMR-1", "PRMR-2"]), None);
        assert_eq!(leader(&["_PRMR-1", "PRMR-2"], &["PRMR-1", "PRMR-2"]), None);
        assert_eq!(leader(&["_PRMR-1", "PRMR-2"], &["_PRMR-1", "PRMR-2"]), None);
        assert_eq!(leader(&["PRMR-1", "PRMR-2"], &["_PRMR-1", "PRMR-2"]), None);
        assert_eq!(
            leader(&["PRMR-2", "PRMR-1"], &["PRMR-2"]),
            Some("dbserver-2".into())
        );
        let resigned = shard(&["_PRMR-1", "PRMR-2"], Some(&["_PRMR-1", "PRMR-2"]));
        assert_eq!(resigned.planned, ["dbserver-1".into(), "dbserver-2".into()]);
        assert_eq!(resigned.in_sync, resigned.planned);
        assert!(!resigned.is_in_sync());
    }

    #[test]
    fn an_agency_without_collections_has_no_shards() {
        let empty = read(&json!({}), &cluster_view(1, 1, 1)).unwrap();
        assert!(empty.collections.is_empty() && empty.parts().is_empty());
        let broken = json!({"arango": {"Plan": {"Collections": {"db": {"7": {"shards": 1}}}}}});
        assert!(read(&broken, &cluster_view(1, 1, 1)).is_err());
    }
}
