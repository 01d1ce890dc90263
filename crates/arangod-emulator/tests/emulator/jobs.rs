//! Supervision's jobs, on dbservers that exist only in the agency.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::agents::{Agents, Fate};
use crate::support::{Client, pause, wait_for};

/// Dbservers that say that they live, and do nothing else by themselves.
struct Dummies {
    agents: Agents,
    alive: Arc<Mutex<BTreeSet<&'static str>>>,
    done: Arc<AtomicBool>,
    beats: Option<JoinHandle<()>>,
}

impl Drop for Dummies {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(beats) = self.beats.take() {
            drop(beats.join());
        }
    }
}

impl Dummies {
    fn start(agents: usize, names: &[&'static str]) -> Self {
        let agents = Agents::start(agents, &[]);
        let mut tree = json!({
            "Plan": { "Version": 1, "DBServers": {}, "Coordinators": {}, "Collections": {} },
            "Current": { "Version": 1, "Collections": {} },
            "Supervision": { "Health": {}, "Shards": {}, "DBServers": {} },
            "Sync": { "LatestID": 1 },
            "Target": {
                "ToDo": {}, "Pending": {}, "Finished": {}, "Failed": {}, "FailedServers": {},
                "CleanedServers": [], "ToBeCleanedServers": [], "MapUniqueToShortID": {},
            },
        });
        for name in names {
            tree["Plan"]["DBServers"][name] = json!("none");
            tree["Target"]["MapUniqueToShortID"][name] = json!({ "ShortName": name });
        }
        let clients: Vec<Client> = (0..agents.places.len())
            .map(|index| agents.client(index))
            .collect();
        let alive = Arc::new(Mutex::new(names.iter().copied().collect::<BTreeSet<_>>()));
        let done = Arc::new(AtomicBool::new(false));
        let beats = {
            let (alive, done) = (Arc::clone(&alive), Arc::clone(&done));
            std::thread::spawn(move || beat(&clients, &alive, &done))
        };
        let dummies = Self {
            agents,
            alive,
            done,
            beats: Some(beats),
        };
        dummies.write(json!({ "/arango": tree }));
        for name in names {
            dummies.wait_for(&format!("Supervision/Health/{name}/Status"), &json!("GOOD"));
        }
        dummies
    }

    fn write(&self, operations: Value) {
        static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let client = format!("dummies-{number}");
        assert_eq!(
            self.agents.write(&operations, &json!({}), &client),
            Fate::Done
        );
    }

    fn set(&self, path: &str, value: Value) {
        self.write(json!({ format!("/arango/{path}"): { "op": "set", "new": value } }));
    }

    fn read(&self, path: &str) -> Value {
        self.agents.read(&format!("/arango/{path}"))
    }

    fn wait_for(&self, path: &str, value: &Value) {
        wait_for(&format!("{path} to be {value}"), || {
            (self.read(path) == *value).then_some(())
        });
    }

    fn plan(&self, shard: &str, servers: &[&str]) {
        self.set(&format!("{COLLECTION}/shards/{shard}"), json!(servers));
    }

    fn current(&self, shard: &str, servers: &[&str]) {
        let path = format!("Current/Collections/_system/7/{shard}");
        self.set(&path, json!({ "servers": servers }));
    }

    fn die(&self, name: &str) {
        self.alive.lock().unwrap().remove(name);
    }

    fn revive(&self, name: &'static str) {
        self.alive.lock().unwrap().insert(name);
    }

    fn wait_for_plan(&self, shard: &str, servers: &[&str]) {
        self.wait_for(&format!("{COLLECTION}/shards/{shard}"), &json!(servers));
    }

    fn wait_for_status(&self, name: &str, status: &str) {
        let path = format!("Supervision/Health/{name}/Status");
        self.wait_for(&path, &json!(status));
    }

    /// The only job of this type in a stage.
    fn wait_for_job(&self, stage: &str, kind: &str) -> Value {
        wait_for(&format!("{kind} in {stage}"), || {
            let jobs = self.read(&format!("Target/{stage}"));
            let mut jobs = jobs.as_object()?.values();
            jobs.find(|job| job["type"] == kind).cloned()
        })
    }
}

const COLLECTION: &str = "Plan/Collections/_system/7";

/// Says of all who live that they do.
fn beat(clients: &[Client], alive: &Mutex<BTreeSet<&'static str>>, done: &AtomicBool) {
    let mut number = 0_u64;
    while !done.load(Ordering::Relaxed) {
        number += 1;
        let alive = alive.lock().unwrap().clone();
        let states = alive.iter().map(|name| {
            let path = format!("/arango/Sync/ServerStates/{name}");
            let state = json!({ "status": "SERVING", "time": number.to_string() });
            (path, json!({ "op": "set", "new": state }))
        });
        let states: serde_json::Map<String, Value> = states.collect();
        let body = json!([[states]]).to_string();
        for client in clients {
            // Whoever does not lead says so.
            drop(client.try_send("POST", "/_api/agency/transient", &body));
        }
        for _ in 0..25 {
            pause();
        }
    }
}

#[test]
fn the_grace_period_is_in_the_agency() {
    let dummies = Dummies::start(1, &["A"]);
    assert_eq!(dummies.read("Emulator/Grace"), 2.5);
}

#[test]
fn the_leader_of_a_shard_fails() {
    let mut dummies = Dummies::start(3, &["A", "B", "C"]);
    dummies.set(&format!("{COLLECTION}/replicationFactor"), json!(2));
    dummies.plan("s1", &["A", "B"]);
    dummies.current("s1", &["A", "B"]);
    // In the plan only.
    dummies.plan("s2", &["A", "C"]);
    dummies.current("s2", &["A"]);
    dummies.die("A");
    dummies.wait_for_plan("s1", &["B", "A"]);
    assert_eq!(dummies.read("Target/FailedServers/A"), json!([]));
    let job = dummies.wait_for_job("Pending", "failedLeader");
    assert_eq!(
        (&job["fromServer"], &job["toServer"], &job["shard"]),
        (&json!("A"), &json!("B"), &json!("s1"))
    );
    let parent = String::from(job["parentJob"].as_str().unwrap());
    assert_eq!(
        dummies.read(&format!("Target/Pending/{parent}"))["type"],
        "failedServer"
    );

    // Another agent goes on where this one was killed.
    let (leader, _) = dummies.agents.leader();
    dummies.agents.kill(leader);
    dummies.current("s1", &["B"]);
    dummies.wait_for_plan("s1", &["B", "C"]);
    dummies.wait_for_job("Finished", "failedLeader");
    dummies.wait_for_status("A", "FAILED");
    dummies.wait_for_plan("s2", &["A", "C"]);

    dummies.revive("A");
    dummies.wait_for_status("A", "GOOD");
    dummies.wait_for_job("Finished", "failedServer");
    assert_eq!(dummies.read("Target/FailedServers"), json!({}));
    dummies.wait_for_plan("s2", &["A", "C"]);
    assert_eq!(dummies.read("Supervision/Shards"), json!({}));
    assert_eq!(dummies.read("Supervision/DBServers"), json!({}));
    assert_eq!(dummies.read("Target/Pending"), json!({}));
    assert_eq!(dummies.read("Target/ToDo"), json!({}));
}
