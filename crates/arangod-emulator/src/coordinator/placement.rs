//! Which dbservers get the shards.

use serde_json::{Map, Value, json};

use super::Planned;
use crate::cluster::{Cluster, Decided, PATIENCE};
use crate::errors::ApiError;
use crate::server::Server;

/// What says that a server is on its way out, below `Target`.
pub(super) const LEAVING: [&str; 2] = ["CleanedServers", "ToBeCleanedServers"];

/// The servers of each shard, leader first: round robin, beginning with the server at `start`.
pub(super) fn distribute(
    servers: &[String],
    start: usize,
    shards: usize,
    replication: usize,
) -> Vec<Vec<String>> {
    let copies = replication.min(servers.len());
    (0..shards)
        .map(|shard| {
            let from = start.wrapping_add(shard);
            let turn = |copy| servers.get(from.wrapping_add(copy) % servers.len().max(1));
            (0..copies).filter_map(turn).cloned().collect()
        })
        .collect()
}

impl Cluster {
    /// The dbservers that may get shards: neither failed, nor cleaned out or about to be.
    pub(super) fn usable_dbservers(&self) -> Vec<String> {
        let planned: Vec<String> = self.look("Plan/DBServers", |servers| {
            let names = servers.as_object().into_iter().flatten();
            names.map(|(id, _)| id.clone()).collect()
        });
        let leaving: Vec<Value> = LEAVING
            .iter()
            .flat_map(|place| {
                self.look(&format!("Target/{place}"), |list| {
                    list.as_array().cloned().unwrap_or_default()
                })
            })
            .collect();
        let failed = |id: &String| {
            self.look(&format!("Target/FailedServers/{id}"), |entry| {
                !entry.is_null()
            }) || self.look(&format!("Supervision/Health/{id}/Status"), |status| {
                status == "FAILED"
            })
        };
        planned
            .into_iter()
            .filter(|id| !leaving.contains(&json!(id)) && !failed(id))
            .collect()
    }

    /// The conditions that nobody has been sent away meanwhile.
    pub(super) fn nobody_leaves(&self) -> Map<String, Value> {
        let condition = |place: &&str| {
            let path = format!("Target/{place}");
            let known = self.look(&path, Value::clone);
            let condition = match known {
                Value::Null => json!({ "oldEmpty": true }),
                known => json!({ "old": known }),
            };
            (format!("/arango/{path}"), condition)
        };
        LEAVING.iter().map(condition).collect()
    }
}

/// The list of a shard with another number of servers, or nothing if there are not enough. Those
/// that are not in sync go first; the leader stays.
fn resized(
    planned: &[String],
    in_sync: &[String],
    usable: &[String],
    start: usize,
    wanted: usize,
) -> Option<Vec<String>> {
    let mut list = planned.to_vec();
    while list.len() > wanted {
        let lagging = list.iter().skip(1).rposition(|id| !in_sync.contains(id));
        list.remove(lagging.map_or(list.len() - 1, |place| place + 1));
    }
    let count = usable.len().max(1);
    let turn = (0..usable.len()).filter_map(|step| usable.get((start + step) % count));
    for id in turn {
        if list.len() < wanted && !list.contains(id) {
            list.push(id.clone());
        }
    }
    (list.len() == wanted).then_some(list)
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(|id| id.as_str().map(String::from))
        .collect()
}

/// Plans as many servers for each shard as the collection's replication factor says. arangod's
/// supervision does that with jobs; here it is one transaction for each shard, whose followers
/// come or go as after any other change of the plan.
pub(crate) async fn change_replication(
    server: &Server,
    cluster: &Cluster,
    collection: &Planned,
    wanted: u64,
) -> Result<(), ApiError> {
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    for shard in collection.shards() {
        let path = format!("{}/shards/{shard}", collection.path());
        for _ in 0..100 {
            let planned = cluster.look(&format!("Plan/{path}"), Value::clone);
            let current = format!("Current/{}/{shard}/servers", collection.path());
            let in_sync = cluster.look(&current, texts);
            let (usable, start) = (cluster.usable_dbservers(), server.rotation.get());
            server.rotation.set(start.wrapping_add(1));
            let Some(list) = resized(&texts(&planned), &in_sync, &usable, start, wanted) else {
                break;
            };
            if json!(list) == planned {
                break;
            }
            let mut conditions = cluster.nobody_leaves();
            conditions.insert(format!("/arango/Plan/{path}"), json!({ "old": planned }));
            conditions.insert(
                format!("/arango/Supervision/Shards/{shard}"),
                json!({ "oldEmpty": true }),
            );
            let operations = json!({
                format!("/arango/Plan/{path}"): list,
                "/arango/Plan/Version": { "op": "increment" },
            });
            let conditions = Value::Object(conditions);
            let decided = cluster
                .agency
                .write(operations, conditions, PATIENCE)
                .await?;
            if decided != Decided::Not {
                break;
            }
            cluster.refresh(server).await?;
        }
    }
    cluster.refresh(server).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.split_terminator(' ').map(String::from).collect()
    }

    #[test]
    fn round_robin() {
        let servers = names("a b c");
        let expected = [names("c a"), names("a b"), names("b c"), names("c a")];
        assert_eq!(distribute(&servers, 2, 4, 2), expected);
        assert_eq!(distribute(&servers, 0, 1, 5), [names("a b c")]);
        assert_eq!(distribute(&[], 1, 2, 1), [names(""), names("")]);
        assert_eq!(distribute(&servers, usize::MAX, 2, 1).len(), 2);
    }

    #[test]
    fn more_and_fewer_servers() {
        let usable = names("a b c d");
        let check = |planned: &str, in_sync: &str, wanted, expected: Option<&str>| {
            let list = resized(&names(planned), &names(in_sync), &usable, 2, wanted);
            assert_eq!(list, expected.map(names), "{planned} {in_sync} {wanted}");
        };
        check("a b", "a b", 3, Some("a b c"));
        check("a", "a", 4, Some("a c d b"));
        check("a b", "a b", 5, None);
        check("a b c", "a c", 2, Some("a c"));
        check("a b c", "a b c", 1, Some("a"));
        check("a b", "a b", 2, Some("a b"));
    }
}
