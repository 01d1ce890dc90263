//! The tree of the agency as jobs read it.

use serde_json::Value;

use crate::agency::tree;
use crate::supervision::health::Status;

/// The tree, below `/arango`.
#[derive(Debug, Clone, Copy)]
pub(in crate::supervision) struct View<'a> {
    root: &'a Value,
}

/// A shard, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) database: String,
    pub(super) collection: String,
    pub(super) shard: String,
}

impl Place {
    /// The key of its planned servers.
    pub(super) fn plan(&self) -> String {
        let (database, collection) = (&self.database, &self.collection);
        format!(
            "Plan/Collections/{database}/{collection}/shards/{}",
            self.shard
        )
    }

    /// The key of the servers that have it in sync.
    pub(super) fn servers(&self) -> String {
        let (database, collection) = (&self.database, &self.collection);
        format!(
            "Current/Collections/{database}/{collection}/{}/servers",
            self.shard
        )
    }

    /// The key of the job that works on it.
    pub(super) fn lock(&self) -> String {
        format!("Supervision/Shards/{}", self.shard)
    }
}

/// The server that an entry of a list of servers names: one that resigns has `_` in front.
pub(super) fn server_of(entry: &str) -> &str {
    entry.strip_prefix('_').unwrap_or(entry)
}

/// The collection whose servers a collection has.
fn model(collection: &Value) -> Option<&str> {
    collection["distributeShardsLike"].as_str()
}

/// The shards of a collection in the order of their numbers: `s999` comes before `s1000`.
fn shard_names(collection: &Value) -> Vec<&str> {
    let shards = collection["shards"].as_object().into_iter().flatten();
    let mut names: Vec<&str> = shards.map(|(name, _)| name.as_str()).collect();
    names.sort_by_key(|name| (name.len(), *name));
    names
}

fn texts(value: &Value) -> Vec<&str> {
    let list = value.as_array();
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

impl<'a> View<'a> {
    /// A view of the whole tree of the agency.
    pub(in crate::supervision) fn new(root: &'a Value) -> Self {
        Self { root }
    }

    /// What is at a path; null if nothing is.
    pub(in crate::supervision) fn at(self, path: &str) -> &'a Value {
        let arango = &self.root["arango"];
        tree::at(arango, path).unwrap_or(&Value::Null)
    }

    /// The names below a path.
    pub(super) fn names(self, path: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let children = self.at(path).as_object();
        children
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str())
    }

    /// Whether a list at a path names a server.
    pub(super) fn lists(self, path: &str, server: &str) -> bool {
        texts(self.at(path)).contains(&server)
    }

    /// What supervision has written of a server.
    pub(super) fn status(self, server: &str) -> Option<Status> {
        let status = self.at(&format!("Supervision/Health/{server}/Status"));
        status.as_str().and_then(Status::parse)
    }

    /// Whether somebody has asked to leave a dbserver alone.
    pub(in crate::supervision) fn is_maintained(self, server: &str) -> bool {
        let entry = self.at(&format!("Target/MaintenanceDBServers/{server}"));
        entry["Mode"] == "maintenance"
    }

    /// Whether a dbserver may be given a shard, or be made its leader.
    pub(super) fn is_fit(self, server: &str) -> bool {
        self.status(server) == Some(Status::Good)
            && !self.at(&format!("Plan/DBServers/{server}")).is_null()
            && self.at(&format!("Target/FailedServers/{server}")).is_null()
            && !self.is_maintained(server)
    }

    /// Whether a dbserver may be given a shard that it has not got yet.
    pub(super) fn is_open(self, server: &str) -> bool {
        let lists = ["Target/CleanedServers", "Target/ToBeCleanedServers"];
        self.is_fit(server) && !lists.iter().any(|list| self.lists(list, server))
    }

    /// How many dbservers have neither failed nor are cleaned out or about to be.
    pub(super) fn available(self) -> usize {
        let lists = ["Target/CleanedServers", "Target/ToBeCleanedServers"];
        let stays = |server: &&str| {
            self.at(&format!("Target/FailedServers/{server}")).is_null()
                && !lists.iter().any(|list| self.lists(list, server))
        };
        self.names("Plan/DBServers").filter(stays).count()
    }

    /// The servers a shard is planned on, the leader first.
    pub(super) fn planned(self, place: &Place) -> Vec<&'a str> {
        texts(self.at(&place.plan()))
    }

    /// A shard, and those of collections that are distributed like its own: they are on the same servers.
    pub(super) fn group(self, place: &Place) -> Vec<Place> {
        let collections = self.at(&format!("Plan/Collections/{}", place.database));
        let number = |entry: &Value, shard: &str| {
            let place = shard_names(entry);
            place.iter().position(|name| *name == shard)
        };
        let place_in_order = number(&collections[&place.collection], &place.shard);
        let collections = collections.as_object().into_iter().flatten();
        let like = collections.filter(|(_, entry)| model(entry) == Some(place.collection.as_str()));
        let alike = like.filter_map(|(id, entry)| {
            Some(Place {
                database: place.database.clone(),
                collection: id.clone(),
                shard: String::from(*shard_names(entry).get(place_in_order?)?),
            })
        });
        [place.clone()].into_iter().chain(alike).collect()
    }

    /// The servers that have a shard in sync and all that are distributed like it.
    pub(super) fn in_sync(self, place: &Place) -> Vec<&'a str> {
        let mut in_sync = texts(self.at(&place.servers()));
        for other in self.group(place).iter().skip(1) {
            let known = texts(self.at(&other.servers()));
            in_sync.retain(|server| known.contains(server));
        }
        in_sync
    }

    /// The leader of a shard, and of all that are distributed like it, as `Current` has it.
    pub(super) fn leader(self, place: &Place) -> Option<&'a str> {
        let first = |place: &Place| texts(self.at(&place.servers())).first().copied();
        let leader = first(place)?;
        let group = self.group(place);
        group
            .iter()
            .all(|other| first(other) == Some(leader))
            .then_some(leader)
    }

    /// How many servers are to have a shard.
    pub(super) fn factor(self, place: &Place) -> Option<usize> {
        let (database, collection) = (&place.database, &place.collection);
        let path = format!("Plan/Collections/{database}/{collection}/replicationFactor");
        let factor = self.at(&path).as_u64().filter(|factor| *factor > 0)?;
        usize::try_from(factor).ok()
    }

    /// Every planned shard, but for those that are distributed like another one: they go where it goes.
    pub(super) fn shards(self) -> Vec<Place> {
        let mut all = Vec::new();
        for database in self.names("Plan/Collections") {
            for collection in self.names(&format!("Plan/Collections/{database}")) {
                let entry = self.at(&format!("Plan/Collections/{database}/{collection}"));
                if model(entry).is_some() {
                    continue;
                }
                let path = format!("Plan/Collections/{database}/{collection}/shards");
                all.extend(self.names(&path).map(|shard| Place {
                    database: String::from(database),
                    collection: String::from(collection),
                    shard: String::from(shard),
                }));
            }
        }
        all
    }

    /// The shards that are planned on a server.
    pub(super) fn shards_on(self, server: &str) -> Vec<Place> {
        let on = |place: &Place| {
            let planned = self.planned(place);
            planned.iter().any(|entry| server_of(entry) == server)
        };
        self.shards().into_iter().filter(on).collect()
    }

    /// Who may take a shard that is on none of these servers: whoever has the fewest.
    pub(super) fn spare(self, planned: &[&str]) -> Option<&'a str> {
        let free = |server: &&str| {
            self.is_open(server) && !planned.iter().any(|entry| server_of(entry) == *server)
        };
        let servers = self.names("Plan/DBServers").filter(free);
        servers.min_by_key(|server| self.shards_on(server).len())
    }
}
