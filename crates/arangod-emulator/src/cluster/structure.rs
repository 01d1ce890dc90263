//! The tree that whoever comes first writes into a fresh agency (`AgencyComm.cpp` of
//! arangodb/arangodb, `tryInitializeStructure`).

use serde_json::{Value, json};

/// Everything below `/arango`. `Emulator` is no part of arangod's: users live there, whom arangod
/// keeps in a collection.
pub(super) fn structure(cluster: &str, heartbeat: u64) -> Value {
    json!({
        "Cluster": cluster,
        "Agency": { "Definition": 1 },
        "InitDone": true,
        "Plan": {
            "AsyncReplication": {},
            "Coordinators": {},
            "Databases": { "_system": { "name": "_system", "id": "1" } },
            "Lock": "UNLOCKED",
            "DBServers": {},
            "Singles": {},
            "Version": 1,
            "Collections": { "_system": {} },
            "Views": { "_system": {} },
            "Analyzers": { "_system": {} },
        },
        "Current": {
            "AsyncReplication": {},
            "Collections": { "_system": {} },
            "Version": 1,
            "ShardsCopied": {},
            "NewServers": {},
            "Coordinators": {},
            "Lock": "UNLOCKED",
            "DBServers": {},
            "Singles": {},
            "ServersRegistered": { "Version": 1 },
            "Databases": {},
        },
        "Sync": {
            "LatestID": 1,
            "Problems": {},
            "UserVersion": 1,
            "ServerStates": {},
            "HeartbeatIntervalMs": heartbeat,
        },
        "Supervision": { "Health": {}, "Shards": {}, "DBServers": {} },
        "Target": {
            "NumberOfCoordinators": null,
            "NumberOfDBServers": null,
            "CleanedServers": [],
            "ToBeCleanedServers": [],
            "FailedServers": {},
            "Lock": "UNLOCKED",
            "MapLocalToID": {},
            "Failed": {},
            "Finished": {},
            "Pending": {},
            "ToDo": {},
            "Version": 1,
        },
        "Emulator": { "Users": {} },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_tree_has_the_sections_that_servers_read() {
        let tree = structure("7c1d", 1000);
        let names = |path: &str| {
            let node = tree.pointer(path).and_then(Value::as_object);
            let names = node.into_iter().flat_map(|node| node.keys());
            names.map(String::as_str).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            names("/Plan"),
            "Analyzers AsyncReplication Collections Coordinators DBServers Databases Lock Singles Version Views"
        );
        assert_eq!(
            names("/Current"),
            "AsyncReplication Collections Coordinators DBServers Databases Lock NewServers ServersRegistered \
             ShardsCopied Singles Version"
        );
        assert_eq!(
            names("/Target"),
            "CleanedServers Failed FailedServers Finished Lock MapLocalToID NumberOfCoordinators \
             NumberOfDBServers Pending ToBeCleanedServers ToDo Version"
        );
        assert_eq!(names("/Supervision"), "DBServers Health Shards");
        assert_eq!(
            names("/Sync"),
            "HeartbeatIntervalMs LatestID Problems ServerStates UserVersion"
        );
        assert_eq!(
            (&tree["InitDone"], &tree["Cluster"]),
            (&json!(true), &json!("7c1d"))
        );
        assert_eq!(tree["Plan"]["Databases"]["_system"]["id"], "1");
    }
}
