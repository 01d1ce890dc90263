//! What the agency says about a shard, and what follows for a server.

use serde_json::{Map, Value, json};

use crate::cluster::Cluster;
use crate::planted::{self, Bug};

/// A shard, and where it is in the tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) database: String,
    pub(super) collection: String,
    /// `s` and a number.
    pub(super) name: String,
    /// The number, which is the id of the local collection.
    pub(super) id: u64,
}

/// What is planned for a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Planned {
    /// The leader, then the followers.
    pub(super) servers: Vec<String>,
    pub(super) write_concern: usize,
    pub(super) wait_for_sync: bool,
    /// 2 for documents, 3 for edges.
    pub(super) kind: u8,
}

/// What a server has to do about a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Duty {
    /// Nobody has made it yet: make it, and lead it.
    Found,
    /// Lead it.
    Lead,
    /// Give up leading it.
    Resign,
    /// Take what the leader sends.
    Follow,
    /// Nobody needs it here.
    Leave,
}

/// The name of a server without the mark of one that has resigned.
pub(super) fn plain(server: &str) -> &str {
    server.strip_prefix('_').unwrap_or(server)
}

fn texts(list: &Value) -> Vec<String> {
    let texts = list.as_array().into_iter().flatten();
    texts
        .filter_map(|text| text.as_str().map(String::from))
        .collect()
}

/// The servers that an entry of `Current` names, the leader first.
pub(super) fn confirmed(entry: &Value) -> Vec<String> {
    texts(&entry["servers"])
}

/// What follows for `me` from the planned servers and the entry in `Current`.
pub(super) fn duty(me: &str, planned: &[String], entry: &Value) -> Duty {
    let confirmed = confirmed(entry);
    let in_sync = confirmed.iter().any(|server| plain(server) == me);
    let first = planned.first().map_or("", String::as_str);
    if first == me {
        return match (entry.is_null(), in_sync) {
            (true, _) => Duty::Found,
            // Whoever is not in sync must never lead.
            (false, false) if !planted::has(Bug::PromoteAnybody) => Duty::Follow,
            (false, _) => Duty::Lead,
        };
    }
    if first.strip_prefix('_') == Some(me) && confirmed.first().is_some_and(|first| first == me) {
        return Duty::Resign;
    }
    // Who is in `Current` may be promoted, or be asked who leads: it stays until the leader has taken it out.
    if in_sync || planned.iter().any(|server| plain(server) == me) {
        Duty::Follow
    } else {
        Duty::Leave
    }
}

impl Place {
    /// The shard of this name; nothing if that is no name of a shard.
    pub(super) fn new(database: &str, collection: &str, name: &str) -> Option<Self> {
        let id = name.strip_prefix('s')?.parse().ok()?;
        Some(Self {
            database: String::from(database),
            collection: String::from(collection),
            name: String::from(name),
            id,
        })
    }

    fn collection_path(&self, half: &str) -> String {
        format!("{half}/Collections/{}/{}", self.database, self.collection)
    }

    /// The key of the planned servers.
    pub(super) fn servers_key(&self) -> String {
        format!(
            "/arango/{}/shards/{}",
            self.collection_path("Plan"),
            self.name
        )
    }

    /// The key of the entry in `Current`.
    pub(super) fn current_key(&self) -> String {
        format!("/arango/{}/{}", self.collection_path("Current"), self.name)
    }

    /// What is planned for it, as far as this server knows.
    pub(super) fn planned(&self, cluster: &Cluster) -> Option<Planned> {
        cluster.look(&self.collection_path("Plan"), |plan| {
            let servers = texts(plan["shards"].get(&self.name)?);
            let concern = plan["writeConcern"].as_u64().unwrap_or(1);
            Some(Planned {
                servers,
                write_concern: usize::try_from(concern).unwrap_or(usize::MAX),
                wait_for_sync: plan["waitForSync"] == true,
                kind: if plan["type"] == 3 { 3 } else { 2 },
            })
        })
    }

    /// Its entry in `Current`, as far as this server knows.
    pub(super) fn current(&self, cluster: &Cluster) -> Value {
        let path = self.collection_path("Current");
        cluster.look(&path, |shards| shards[&self.name].clone())
    }

    /// What this server has to do about it, as far as it knows.
    pub(super) fn duty(&self, cluster: &Cluster) -> Duty {
        match self.planned(cluster) {
            Some(planned) => duty(&cluster.id, &planned.servers, &self.current(cluster)),
            None => Duty::Leave,
        }
    }
}

/// All shards that are planned.
pub(super) fn all(cluster: &Cluster) -> Vec<Place> {
    cluster.look("Plan/Collections", |databases| {
        let mut places = Vec::new();
        each_shard(databases, |database, collection, shards| {
            let shards = shards["shards"].as_object().into_iter().flatten();
            places.extend(shards.filter_map(|(name, _)| Place::new(database, collection, name)));
        });
        places
    })
}

/// Goes through the collections of `Plan` or `Current`.
pub(super) fn each_shard(databases: &Value, mut each: impl FnMut(&str, &str, &Value)) {
    for (database, collections) in databases.as_object().into_iter().flatten() {
        for (collection, shards) in collections.as_object().into_iter().flatten() {
            each(database, collection, shards);
        }
    }
}

/// The condition that a key has a value, or none.
pub(super) fn still(value: &Value) -> Value {
    if value.is_null() {
        json!({ "oldEmpty": true })
    } else {
        json!({ "old": value })
    }
}

/// An entry in `Current`. The stamp makes it differ from all that were there before, so that a
/// transaction whose condition is an old entry cannot come through later.
pub(super) fn entry(servers: &[String], stamp: &str) -> Value {
    json!({
        "servers": servers,
        "failoverCandidates": servers,
        "error": false,
        "errorNum": 0,
        "errorMessage": "",
        "indexes": [],
        "stamp": stamp,
    })
}

/// The operations that put something into `Current`.
pub(super) fn into_current(key: String, operation: Value) -> Map<String, Value> {
    let increment = json!({ "op": "increment" });
    Map::from_iter([
        (key, operation),
        (String::from("/arango/Current/Version"), increment),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duties() {
        let check = |planned: &[&str], current: &[&str], wanted: Duty| {
            let planned: Vec<String> = planned.iter().map(|name| String::from(*name)).collect();
            let current = match current {
                [] => Value::Null,
                servers => json!({ "servers": servers }),
            };
            assert_eq!(
                duty("A", &planned, &current),
                wanted,
                "{planned:?} {current}"
            );
        };
        check(&["A", "B"], &[], Duty::Found);
        check(&["A", "B"], &["A", "B"], Duty::Lead);
        check(&["A", "B"], &["B", "A"], Duty::Lead);
        check(&["A", "B"], &["_A", "B"], Duty::Lead);
        check(&["A", "B"], &["B"], Duty::Follow);
        check(&["_A", "B"], &["A", "B"], Duty::Resign);
        check(&["_A", "B"], &["_A", "B"], Duty::Follow);
        check(&["_A", "B"], &["B", "A"], Duty::Follow);
        check(&["_A", "B"], &[], Duty::Follow);
        check(&["B", "A"], &[], Duty::Follow);
        check(&["B", "A"], &["A", "B"], Duty::Follow);
        check(&["B"], &["A", "B"], Duty::Follow);
        check(&["B"], &["_A", "B"], Duty::Follow);
        check(&["B"], &["B"], Duty::Leave);
        check(&["B"], &[], Duty::Leave);
    }
}
