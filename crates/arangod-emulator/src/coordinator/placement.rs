//! Which dbservers get the shards.

use serde_json::{Map, Value, json};

use crate::cluster::Cluster;

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
    pub(crate) fn usable_dbservers(&self) -> Vec<String> {
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
    pub(crate) fn nobody_leaves(&self) -> Map<String, Value> {
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
}
