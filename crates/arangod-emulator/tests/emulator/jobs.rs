//! Supervision's jobs, on dbservers that exist only in the agency.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::agents::Agents;
use crate::clusters::Cluster;
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
            let registered = json!({ "endpoint": "tcp://127.0.0.1:1" });
            tree["Current"]["ServersRegistered"][name] = registered;
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
        dummies.agents.set(&json!({ "/arango": tree }));
        for name in names {
            dummies.wait_for(&format!("Supervision/Health/{name}/Status"), &json!("GOOD"));
        }
        dummies
    }

    fn set(&self, path: &str, value: Value) {
        let path = format!("/arango/{path}");
        self.agents
            .set(&json!({ path: { "op": "set", "new": value } }));
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
    // A server that does not have the shard is another follower.
    dummies.wait_for_plan("s1", &["B", "A", "C"]);
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
    dummies.wait_for_job("Finished", "failedLeader");
    dummies.wait_for_plan("s1", &["B", "A", "C"]);
    // The replication factor is met without the failed server.
    dummies.current("s1", &["B", "C"]);
    dummies.wait_for_plan("s1", &["B", "C"]);
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

#[test]
fn a_dbserver_in_maintenance_is_not_failed_over() {
    let mut cluster = Cluster::start(3, 1);
    cluster.wait_until_healthy(7);
    let ids: Vec<String> = (0..3)
        .map(|index| Cluster::id(cluster.dbserver(index)))
        .collect();
    let client = cluster.client(0);
    let path = format!("/_admin/cluster/maintenance/{}", ids[0]);
    assert_eq!(client.get(&path).json().get("result"), None);
    let on = json!({ "mode": "maintenance", "timeout": 600 });
    assert_eq!(client.put(&path, &on).status, 200);
    assert_eq!(client.get(&path).json()["result"]["Mode"], "maintenance");
    let failed = || cluster.agents.read("/arango/Target/FailedServers");
    cluster.dbserver(0).signal(Signal::STOP);
    cluster.wait_for_status(&ids[0], "FAILED");
    assert_eq!(failed(), json!({}));

    // It is asked for and ended while the server is well. Without the request nobody is spared: what
    // was left is done.
    let off = json!({ "mode": "normal" });
    assert_eq!(client.put(&path, &off).error(), (412, 412));
    let wish = format!("/arango/Target/MaintenanceDBServers/{}", ids[0]);
    let end = json!({ &wish: { "op": "delete" } });
    cluster.agents.set(&end);
    wait_for("the end of maintenance", || {
        let entry = client.get(&path).json();
        entry.get("result").is_none().then_some(())
    });
    wait_for("the failed server", || {
        (failed() == json!({ &ids[0]: [] })).then_some(())
    });
    cluster.dbserver(0).signal(Signal::CONT);
    cluster.wait_for_status(&ids[0], "GOOD");
    for (path, body, error) in [
        (path.as_str(), json!({ "mode": "?" }), (400, 10)),
        ("/_admin/cluster/maintenance/PRMR-x", on, (412, 412)),
        (
            "/_admin/cluster/maintenance/DBServer0001",
            off.clone(),
            (412, 412),
        ),
    ] {
        assert_eq!(client.put(path, &body).error(), error, "{path} {body}");
    }

    // A time that cannot be read means an hour.
    for timeout in [json!(null), json!(0), json!("x")] {
        let on = json!({ "mode": "maintenance", "timeout": timeout });
        assert_eq!(client.put(&path, &on).status, 200);
        let until = client.get(&path).json()["result"]["Until"].clone();
        assert!(until.is_string());
        assert_eq!(client.put(&path, &off).status, 200);
    }
    let unknown = client.get("/_admin/cluster/maintenance/PRMR-x");
    assert_eq!((unknown.status, unknown.json().get("result")), (200, None));

    // Nobody is forgotten who lives, and nobody who has a shard.
    let remove = |name: &str| client.post("/_admin/cluster/removeServer", &json!(name));
    assert_eq!(remove("nobody").error(), (404, 404));
    assert_eq!(remove("DBServer0001").error(), (412, 412));
    cluster.dbservers[2].1.take().unwrap().kill();
    let body = json!({ "server": ids[2] });
    assert_eq!(
        client.post("/_admin/cluster/removeServer", &body).status,
        200
    );
    assert!(
        cluster
            .agents
            .read(&format!("/arango/Target/RemovedServers/{}", ids[2]))
            .is_string()
    );
    assert_eq!(cluster.health().get(&ids[2]), None);
    cluster.wait_until_healthy(6);
}

#[test]
fn jobs_are_asked_for_at_coordinators() {
    // One of two servers can be cleaned out if the other one may have everything alone.
    let alone = ["--cluster.system-replication-factor=1"];
    let cluster = Cluster::start_with(&[], &alone, 2, 1);
    cluster.wait_until_healthy(6);
    let client = cluster.client(0);
    let ids = [0, 1].map(|index| Cluster::id(cluster.dbserver(index)));
    let done = |answer: crate::support::Answer| {
        assert_eq!(answer.status, 202, "{}", answer.text);
        let id = String::from(answer.json()["id"].as_str().unwrap());
        let path = format!("/_admin/cluster/queryAgencyJob?id={id}");
        let job = wait_for("the end of the job", || {
            let job = client.get(&path).json();
            ["Finished", "Failed"]
                .iter()
                .any(|stage| job["status"] == *stage)
                .then_some(job)
        });
        assert_eq!((&job["job"], &job["error"]), (&json!(id), &json!(false)));
        job
    };
    let job = done(client.post(
        "/_admin/cluster/resignLeadership",
        &json!({ "server": ids[0] }),
    ));
    assert_eq!(
        (&job["status"], &job["server"]),
        (&json!("Finished"), &json!(ids[0]))
    );
    // By its short name.
    let job = done(client.post(
        "/_admin/cluster/cleanOutServer",
        &json!({ "server": "DBServer0002" }),
    ));
    assert_eq!(
        (&job["status"], &job["type"]),
        (&json!("Finished"), &json!("cleanOutServer"))
    );
    let numbers = "/_admin/cluster/numberOfServers";
    assert_eq!(
        client.get(numbers).json()["cleanedServers"],
        json!([job["server"]])
    );
    assert_eq!(
        client.put(numbers, &json!({ "cleanedServers": [] })).status,
        200
    );
    assert_eq!(client.get(numbers).json()["cleanedServers"], json!([]));

    let ask = |name: &str, body: Value| {
        client
            .post(&format!("/_admin/cluster/{name}"), &body)
            .error()
    };
    let too_late = json!({ "id": job["job"] });
    assert_eq!(ask("cancelAgencyJob", too_late), (400, 10));
    assert_eq!(ask("cleanOutServer", json!({})), (400, 10));
    // Whether there is such a server, the job finds out.
    for name in ["cleanOutServer", "resignLeadership"] {
        let body = json!({ "server": "x" });
        let failed = done(client.post(&format!("/_admin/cluster/{name}"), &body));
        assert_eq!(failed["status"], "Failed", "{failed}");
        assert_eq!(
            failed["reason"],
            "server does not exist as DBServer in Plan"
        );
    }
    let collection = json!({ "name": "c", "shards": { "s1": [ids[0]] } });
    let set = |path: &str, value: &Value| {
        cluster
            .agents
            .set(&json!({ path: { "op": "set", "new": value } }));
    };
    set("/arango/Plan/Collections/_system/77", &collection);
    let mut body = json!({
        "collection": "c", "shard": "s1", "fromServer": ids[0], "toServer": ids[1],
    });
    for (name, value, error) in [
        ("fromServer", json!(ids[1]), (404, 404)),
        ("toServer", json!("x"), (404, 404)),
        ("shard", json!("s2"), (404, 404)),
        ("collection", json!("d"), (404, 404)),
        ("database", json!("d"), (404, 404)),
        ("shard", json!(1), (400, 10)),
    ] {
        let mut wrong = body.clone();
        wrong[name] = value;
        assert_eq!(ask("moveShard", wrong), error, "{name}");
    }
    // The server that is to get the shard is taken, so the job waits until it is cancelled.
    let taken = format!("/arango/Supervision/DBServers/{}", ids[1]);
    set(&taken, &json!("another job"));
    let asked = client.post("/_admin/cluster/moveShard", &body);
    assert_eq!(asked.status, 202);
    let id = asked.json()["id"].clone();
    let cancelled = client.post("/_admin/cluster/cancelAgencyJob", &json!({ "id": id }));
    assert_eq!(
        cancelled.json(),
        json!({ "job": id, "status": "aborted", "error": false })
    );
    let killed = done(asked);
    assert_eq!(
        (&killed["status"], &killed["reason"]),
        (&json!("Failed"), &json!("Killed via API"))
    );
    assert_eq!(ask("cancelAgencyJob", json!({ "id": id })), (400, 10));
    // Coordinators show what the agency has.
    let plan = "/arango/Plan/Collections/_system/77/name";
    let copy = client.get("/_api/cluster/agency-cache").json();
    assert!(copy["index"].as_u64().unwrap() > 0);
    assert_eq!(copy["cache"][0].pointer(plan), Some(&json!("c")));
    let dump = client.get("/_api/cluster/agency-dump").json();
    assert_eq!(dump["readDB"][0].pointer(plan), Some(&json!("c")));
    set(
        "/arango/Plan/Collections/_system/77/distributeShardsLike",
        &json!("d"),
    );
    body["database"] = json!("_system");
    assert_eq!(ask("moveShard", body), (403, 403));
    for (path, error) in [("?id=0", (404, 404)), ("?id=", (400, 10)), ("", (400, 10))] {
        let path = format!("/_admin/cluster/queryAgencyJob{path}");
        assert_eq!(client.get(&path).error(), error, "{path}");
    }
    assert_eq!(client.get("/_admin/cluster/moveShard").error(), (405, 405));
    let rebalance = client.put("/_admin/cluster/rebalance", &json!({ "version": 1 }));
    assert_eq!(rebalance.error(), (501, 501));
}
