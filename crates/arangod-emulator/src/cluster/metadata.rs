//! Changes of databases and users from a coordinator: made on a copy first, where they meet the
//! same checks as on a single server, and then as one transaction of the agency whose conditions
//! are that nothing it touches has changed meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::view::{unchanged, user_key};
use super::{Cluster, Decided, PATIENCE};
use crate::auth::users;
use crate::coordinator::system;
use crate::errors::ApiError;
use crate::server::Server;
use crate::store::Store;

/// How long dbservers may take to make a database or to drop it.
const CONFIRMATION: Duration = Duration::from_secs(60);
/// So often a change is tried again because another one was faster.
const TRIES: u32 = 100;

/// Changes databases and users, on a single server or in a cluster.
pub(crate) async fn change<T>(
    server: &Server,
    change: impl Fn(&mut Store) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    change_with(server, &Map::new(), change).await
}

/// The same. In a cluster, new databases have these options.
pub(crate) async fn change_with<T>(
    server: &Server,
    options: &Map<String, Value>,
    change: impl Fn(&mut Store) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let Some(cluster) = server.cluster() else {
        return server.write(change);
    };
    for _ in 0..TRIES {
        cluster.refresh(server).await?;
        let mut scratch = cluster.replica(server);
        let value = scratch.transact(&change)?;
        let mut wanted = cluster.difference_to(&scratch, options);
        if wanted.operations.is_empty() {
            return Ok(value);
        }
        wanted.fill_databases(server, cluster, options).await?;
        let (operations, conditions) = (wanted.operations, wanted.conditions);
        let decided = cluster
            .agency
            .write(
                Value::Object(operations),
                Value::Object(conditions),
                PATIENCE,
            )
            .await?;
        if decided == Decided::Not {
            continue;
        }
        let confirmed = cluster.until(|cluster| cluster.is_confirmed(&wanted.databases));
        if timeout(CONFIRMATION, confirmed).await.is_err() {
            cluster.take_back(&wanted.databases).await;
            let text = "timeout in cluster operation";
            return Err(ApiError::new(500, ApiError::CLUSTER_TIMEOUT, text));
        }
        for (name, _) in wanted.databases.iter().filter(|(_, made)| !**made) {
            cluster.sweep(&format!("Collections/{name}")).await;
            cluster.sweep(&format!("Databases/{name}")).await;
        }
        cluster.refresh(server).await?;
        return Ok(value);
    }
    Err(ApiError::new(
        409,
        1200,
        "conflict, too many changes at once",
    ))
}

/// A transaction, and the databases that dbservers must confirm: made or dropped.
#[derive(Default)]
struct Wanted {
    operations: Map<String, Value>,
    conditions: Map<String, Value>,
    databases: BTreeMap<String, bool>,
}

impl Cluster {
    /// Lets no server of the cluster write, or lets all of them.
    pub(crate) async fn set_read_only(
        &self,
        server: &Server,
        read_only: bool,
    ) -> Result<(), ApiError> {
        let operations = json!({ "/arango/Readonly": { "op": "set", "new": read_only } });
        let agency = &self.agency;
        agency.write(operations, json!({}), PATIENCE).await?;
        self.refresh(server).await?;
        Ok(())
    }

    /// The transaction that makes the tree say what the store says.
    fn difference_to(&self, store: &Store, options: &Map<String, Value>) -> Wanted {
        let mut wanted = Wanted::default();
        let planned = self.look("Plan/Databases", Value::clone);
        let latest = self.look("Sync/LatestID", |latest| latest.as_u64().unwrap_or(1));
        let mut next = latest;
        let names: Vec<&str> = store.databases().map(|found| found.name.as_str()).collect();
        for name in names.iter().filter(|name| planned.get(**name).is_none()) {
            next += 1;
            let mut entry = options.clone();
            entry.insert(String::from("name"), json!(name));
            entry.insert(String::from("id"), json!(next.to_string()));
            entry.insert(String::from("coordinator"), json!(self.id));
            wanted.database(name, None, Some(Value::Object(entry)));
        }
        for (name, entry) in planned.as_object().into_iter().flatten() {
            if !names.contains(&name.as_str()) {
                wanted.database(name, Some(entry), None);
            }
        }
        if next > latest {
            let key = String::from("/arango/Sync/LatestID");
            wanted
                .conditions
                .insert(key.clone(), json!({ "old": latest }));
            wanted.operations.insert(key, json!(next));
        }
        if !wanted.databases.is_empty() {
            let key = String::from("/arango/Plan/Version");
            wanted.operations.insert(key, json!({ "op": "increment" }));
        }
        self.compare_users(store, &mut wanted);
        wanted
    }

    fn compare_users(&self, store: &Store, wanted: &mut Wanted) {
        let before = self.users();
        let after: BTreeMap<String, Value> = users::all(store)
            .iter()
            .map(|user| (user.name.clone(), Value::Object(users::document(user))))
            .collect();
        let mut touched = false;
        for name in before.keys().chain(after.keys()) {
            let old = before.get(name).cloned().map(Value::Object);
            let new = after.get(name);
            if old.as_ref() == new {
                continue;
            }
            let key = user_key(name);
            wanted
                .conditions
                .insert(key.clone(), unchanged(old.as_ref()));
            let operation = match new {
                Some(document) => json!({ "op": "set", "new": document }),
                None => json!({ "op": "delete" }),
            };
            wanted.operations.insert(key, operation);
            touched = true;
        }
        if touched {
            let key = String::from("/arango/Sync/UserVersion");
            wanted.operations.insert(key, json!({ "op": "increment" }));
        }
    }

    /// Removes databases that could not be made in time.
    async fn take_back(&self, databases: &BTreeMap<String, bool>) {
        let mut wanted = Wanted::default();
        for (name, _) in databases.iter().filter(|(_, made)| **made) {
            let planned = self.look(&format!("Plan/Databases/{name}"), Value::clone);
            wanted.database(name, Some(&planned), None);
        }
        let key = String::from("/arango/Plan/Version");
        wanted.operations.insert(key, json!({ "op": "increment" }));
        let (operations, conditions) = (wanted.operations, wanted.conditions);
        let (operations, conditions) = (Value::Object(operations), Value::Object(conditions));
        // The client is told that it is not known what was done.
        drop(self.agency.write(operations, conditions, PATIENCE).await);
    }

    /// Whether all dbservers that are not known to have failed have done what was planned.
    fn is_confirmed(&self, databases: &BTreeMap<String, bool>) -> Option<()> {
        let live: Vec<String> = self.look("Current/DBServers", |servers| {
            servers
                .as_object()
                .into_iter()
                .flatten()
                .map(|(id, _)| id.clone())
                .collect()
        });
        let live: Vec<&String> = live.iter().filter(|id| !self.has_failed(id)).collect();
        let done = databases.iter().all(|(name, made)| {
            // The write may not have come back to this copy yet.
            let planned = !self.look(&format!("Plan/Databases/{name}"), Value::is_null);
            let collections = format!("Current/Collections/{name}");
            let ids: Vec<String> = self.look(&collections, |shown| {
                let shown = shown.as_object().into_iter().flatten();
                shown.map(|(id, _)| id.clone()).collect()
            });
            // A dropped database takes its collections along.
            let dropped = |id: &String| self.is_dropped(&format!("Collections/{name}/{id}"));
            planned == *made
                && (!*made || self.has_all_collections(name))
                && (*made || ids.iter().all(dropped))
                && live.iter().all(|id| {
                    let path = format!("Current/Databases/{name}/{id}");
                    self.look(&path, Value::is_null) != *made
                })
        });
        done.then_some(())
    }
}

impl Wanted {
    /// Plans the system collections of the databases that are made. Every change of the plan changes its
    /// version: the servers are still members.
    async fn fill_databases(
        &mut self,
        server: &Server,
        cluster: &Cluster,
        options: &Map<String, Value>,
    ) -> Result<(), ApiError> {
        let made = self.databases.iter().filter(|(_, made)| **made);
        let made: Vec<String> = made.map(|(name, _)| name.clone()).collect();
        for name in made {
            let planned = system::planned(server, cluster, &name, options).await?;
            let key = format!("/arango/Plan/Collections/{name}");
            let set = json!({ "op": "set", "new": planned });
            self.operations.insert(key, set);
            self.conditions.extend(cluster.nobody_leaves());
            let version = cluster.look("Plan/Version", Value::clone);
            let key = String::from("/arango/Plan/Version");
            self.conditions.insert(key, unchanged(Some(&version)));
        }
        Ok(())
    }

    fn database(&mut self, name: &str, old: Option<&Value>, new: Option<Value>) {
        let made = new.is_some();
        self.databases.insert(String::from(name), made);
        let key = format!("/arango/Plan/Databases/{name}");
        self.conditions.insert(key.clone(), unchanged(old));
        let set = |value: &Value| json!({ "op": "set", "new": value });
        let delete = json!({ "op": "delete" });
        for place in ["Collections", "Views", "Analyzers"] {
            let operation = if made {
                set(&json!({}))
            } else {
                delete.clone()
            };
            self.operations
                .insert(format!("/arango/Plan/{place}/{name}"), operation);
        }
        self.operations
            .insert(key, new.as_ref().map_or(delete, set));
    }
}
