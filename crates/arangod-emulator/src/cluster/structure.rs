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
