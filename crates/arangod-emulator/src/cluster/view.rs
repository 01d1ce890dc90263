//! The copy of the tree that every server keeps, by polling for changes.

use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use super::{AgencyError, Cluster, PATIENCE};
use crate::agency::replay;
use crate::role::Role;
use crate::server::Server;
use crate::store::Store;

/// How long one poll waits.
const POLL: Duration = Duration::from_secs(1);

impl Cluster {
    /// Keeps the copy up to date for ever.
    pub(super) async fn follow(self: Rc<Self>, server: Rc<Server>) {
        loop {
            if self.poll(&server, POLL).await.is_err() {
                sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// Brings the copy up to what was acknowledged before this was called, as soon as the agency can say it: a client
    /// waits for that as long as for a change.
    pub(crate) async fn refresh(&self, server: &Server) -> Result<(), AgencyError> {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.try_refresh(server).await {
                Err(AgencyError::Unreachable(_)) if Instant::now() < end => {
                    sleep(Duration::from_millis(20)).await;
                }
                result => return result,
            }
        }
    }

    /// The same, or an error after one look.
    pub(crate) async fn try_refresh(&self, server: &Server) -> Result<(), AgencyError> {
        self.poll(server, Duration::ZERO).await
    }

    async fn poll(&self, server: &Server, wait: Duration) -> Result<(), AgencyError> {
        let asked = match self.index.get() {
            0 => 0,
            index => index + 1,
        };
        let news = self.agency.poll(asked, wait).await?;
        if self.take_in(&news) {
            self.renew(server)?;
        }
        Ok(())
    }

    /// Brings the store up to the copy. That of a dbserver lasts; that of a coordinator is made anew.
    fn renew(&self, server: &Server) -> Result<(), AgencyError> {
        if self.role != Role::DbServer {
            server.attach(self.replica(server));
            return Ok(());
        }
        let planned = self.planned_databases();
        if planned.is_empty() {
            // Nobody drops `_system`: this is no plan.
            return Ok(());
        }
        let made = server.write(|store| {
            store.follow_databases(&planned);
            Ok(())
        });
        made.map_err(|error| AgencyError::Unreachable(error.to_string()))
    }

    /// Takes in the answer to a poll; whether databases, collections or users may have
    /// changed. Two polls may
    /// be under way, so some of it may be known.
    fn take_in(&self, news: &Value) -> bool {
        let before = self.index.get();
        let commit = news["commitIndex"].as_u64().unwrap_or(0);
        let mut touched = false;
        if let Some(root) = news["readDB"].get(0) {
            if commit <= before && before > 0 {
                return false;
            }
            *self.tree.borrow_mut() = root.clone();
            touched = true;
        }
        for change in news["log"].as_array().into_iter().flatten() {
            if change["index"].as_u64().is_none_or(|index| index <= before) {
                continue;
            }
            let operations = &change["query"];
            // The agents carry out nothing that cannot be read here.
            drop(replay(&mut self.tree.borrow_mut(), operations));
            let keys = operations.as_object().into_iter().flatten();
            touched |= keys.into_iter().any(|(key, _)| is_metadata(key));
        }
        if commit > before {
            self.index.set(commit);
            self.changed.send_modify(|turn| *turn += 1);
        }
        touched
    }

    /// A coordinator's store: the databases and the users that the copy names, and the names of
    /// collections, on which they have rights.
    pub(super) fn replica(&self, server: &Server) -> Store {
        let databases = self.planned_databases();
        let collections: Vec<(u64, String, u64)> = databases
            .iter()
            .flat_map(|(name, database)| {
                let planned = self.planned(name).into_iter();
                planned.filter_map(|found| {
                    Some((
                        *database,
                        String::from(found.name()),
                        found.id.parse().ok()?,
                    ))
                })
            })
            .collect();
        let (users, extended) = (self.users(), server.settings.extended_names);
        Store::replica(databases, collections, users.into_values(), extended)
    }

    /// The planned databases by name and id.
    fn planned_databases(&self) -> Vec<(String, u64)> {
        self.look("Plan/Databases", |plan| {
            let entry = |(name, entry): (&String, &Value)| {
                Some((name.clone(), entry["id"].as_str()?.parse().ok()?))
            };
            plan.as_object()
                .into_iter()
                .flatten()
                .filter_map(entry)
                .collect()
        })
    }

    /// The documents of the users by name.
    pub(super) fn users(&self) -> std::collections::BTreeMap<String, Map<String, Value>> {
        self.look("Emulator/Users", |users| {
            let entry = |document: &Value| {
                let name = document["user"].as_str()?;
                Some((String::from(name), document.as_object()?.clone()))
            };
            users
                .as_object()
                .into_iter()
                .flatten()
                .filter_map(|(_, user)| entry(user))
                .collect()
        })
    }
}

/// Whether a key holds databases, collections or users, or something above them.
fn is_metadata(key: &str) -> bool {
    let parts = crate::agency::tree::split(key);
    let places = [
        ["arango", "Plan", "Databases"],
        ["arango", "Plan", "Collections"],
        ["arango", "Emulator", "Users"],
    ];
    places
        .iter()
        .any(|place| parts.iter().zip(place).all(|(part, wanted)| part == wanted))
}

/// The key of a user: names may hold what separates keys.
pub(super) fn user_key(name: &str) -> String {
    let name = name.replace('%', "%25").replace('/', "%2F");
    format!("/arango/Emulator/Users/{name}")
}

/// The condition that a key still has this value.
pub(super) fn unchanged(value: Option<&Value>) -> Value {
    match value {
        Some(value) => json!({ "old": value }),
        None => json!({ "oldEmpty": true }),
    }
}
