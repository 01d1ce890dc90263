//! The system collections that every database of a cluster has.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::clusters::{Cluster, spawn};
use crate::support::{Client, wait_for};

/// Those of a database that is not `_system`.
const OF_ALL: [&str; 8] = [
    "_analyzers",
    "_appbundles",
    "_apps",
    "_aqlfunctions",
    "_frontend",
    "_graphs",
    "_jobs",
    "_queues",
];

fn names(client: &Client, database: &str) -> Vec<String> {
    let listed = client.get(&format!("/_db/{database}/_api/collection"));
    let listed = listed.json()["result"].clone();
    let name = |found: &Value| String::from(found["name"].as_str().unwrap());
    listed.as_array().unwrap().iter().map(name).collect()
}

/// The planned servers and those in sync of every collection of a database, by its name.
fn placed(cluster: &Cluster, database: &str) -> Vec<(String, Value, Value)> {
    let tree = cluster.agents.read("/arango");
    let collections = tree["Plan"]["Collections"][database].clone();
    let collections = collections.as_object().unwrap().iter();
    let entry = |(id, entry): (&String, &Value)| {
        let shards = entry["shards"].as_object().unwrap();
        assert_eq!(shards.len(), 1, "{entry}");
        let (shard, planned) = shards.iter().next().unwrap();
        let current = &tree["Current"]["Collections"][database][id][shard]["servers"];
        let name = String::from(entry["name"].as_str().unwrap());
        (name, planned.clone(), current.clone())
    };
    collections.map(entry).collect()
}

fn create(client: &Client, body: Value) {
    let made = client.post("/_api/database", &body);
    assert_eq!(made.status, 201, "{}", made.text);
}

#[test]
fn every_database_has_its_own_on_the_same_servers() {
    let cluster = Cluster::start(3, 2);
    cluster.wait_until_healthy(8);
    let (client, other) = (cluster.client(0), cluster.client(1));
    assert_eq!(names(&client, "_system").len(), 12);
    assert!(names(&client, "_system").contains(&String::from("_users")));
    create(&client, json!({ "name": "d" }));
    create(
        &other,
        json!({ "name": "e", "options": { "replicationFactor": 3 } }),
    );
    for (database, model, copies) in [
        ("_system", "_users", 2),
        ("d", "_graphs", 2),
        ("e", "_graphs", 3),
    ] {
        if database != "_system" {
            assert_eq!(names(&client, database), OF_ALL);
        }
        // All of it is there when the answer is.
        let placed = placed(&cluster, database);
        for (name, planned, current) in &placed {
            assert_eq!(planned.as_array().unwrap().len(), copies, "{name}");
            assert_eq!((planned, current), (&placed[0].1, planned), "{name}");
        }
        for name in names(&client, database) {
            let path = format!("/_db/{database}/_api/collection/{name}/properties");
            let properties = other.get(&path).json();
            let like = &properties["distributeShardsLike"];
            match name == model {
                true => assert_eq!(like, &Value::Null, "{properties}"),
                false => assert_eq!(like, model, "{properties}"),
            }
            assert_eq!(properties["isSystem"], true);
            assert_eq!(properties["globallyUniqueId"], json!(name));
            assert_eq!(properties["replicationFactor"], copies);
        }
    }
    let inventory = client
        .get("/_db/d/_api/replication/clusterInventory")
        .json();
    let collections = inventory["collections"].as_array().unwrap().clone();
    let ready = |entry: &&Value| entry["isReady"] == true && entry["allInSync"] == true;
    assert_eq!(collections.iter().filter(ready).count(), 8);
    let without = "/_db/d/_api/replication/clusterInventory?includeSystem=false";
    assert_eq!(client.get(without).json()["collections"], json!([]));

    // They hold documents as all collections do.
    let stored = client.post("/_db/d/_api/document/_graphs", &json!({ "_key": "g" }));
    assert_eq!(stored.status, 202, "{}", stored.text);
    assert_eq!(other.get("/_db/d/_api/document/_graphs/g").status, 200);

    // What the others depend on can be changed, for all of them, but not dropped.
    let properties = |name: &str, body: Value| {
        client.put(&format!("/_db/d/_api/collection/{name}/properties"), &body)
    };
    assert_eq!(
        properties("_jobs", json!({ "replicationFactor": 3 })).error(),
        (403, 11)
    );
    assert_eq!(
        properties("_graphs", json!({ "replicationFactor": 3 })).status,
        200
    );
    wait_for("more copies of all of them", || {
        let all = placed(&cluster, "d");
        let three = |list: &Value| list.as_array().map(Vec::len) == Some(3);
        all.iter()
            .all(|(_, planned, current)| three(planned) && three(current))
            .then_some(())
    });
    let model = client.delete("/_db/d/_api/collection/_graphs?isSystem=true");
    assert_eq!(model.error(), (500, 1485));
    let one = client.delete("/_db/d/_api/collection/_jobs?isSystem=true");
    assert_eq!(one.status, 200, "{}", one.text);
    assert_eq!(names(&other, "d").len(), 7);

    // A database takes all of it along.
    assert_eq!(client.delete("/_api/database/d").status, 200);
    let left = cluster.agents.read("/arango/Current/Collections");
    assert_eq!(left.get("d"), None);
}

#[test]
fn when_their_leader_dies_another_one_leads_all_of_them() {
    let mut cluster = Cluster::start(3, 1);
    cluster.wait_until_healthy(7);
    let client = cluster.client(0);
    create(&client, json!({ "name": "d" }));
    let stored = client.post("/_db/d/_api/document/_jobs", &json!({ "_key": "j" }));
    assert_eq!(stored.status, 202, "{}", stored.text);
    let leader = placed(&cluster, "d")[0].1[0].clone();
    let ids = [0, 1, 2].map(|index| Cluster::id(cluster.dbserver(index)));
    let victim = ids.iter().position(|id| leader == json!(id)).unwrap();
    cluster.dbserver(victim).signal(Signal::KILL);
    wait_for("another leader of all of them, with two copies", || {
        let all = placed(&cluster, "d");
        let level = |(_, planned, current): &(String, Value, Value)| {
            assert_eq!(planned, &all[0].1);
            let two = planned.as_array().map(Vec::len) == Some(2);
            two && planned[0] != leader && planned == current
        };
        all.iter().all(level).then_some(())
    });
    assert_eq!(client.get("/_db/d/_api/document/_jobs/j").status, 200);
    // Two dbservers are left: a database with two copies can still be created.
    create(&client, json!({ "name": "e" }));
    let too_many = json!({ "name": "f", "options": { "replicationFactor": 3 } });
    assert_eq!(
        client.post("/_api/database", &too_many).error(),
        (400, 1487)
    );
    assert_eq!(client.get("/_db/f/_api/version").error(), (404, 1228));
    let place = &cluster.dbservers[victim].0;
    let mut server = spawn(&cluster.agents, place, "PRIMARY");
    server.wait_until_ready();
    cluster.dbservers[victim].1 = Some(server);
    cluster.wait_until_healthy(7);
    create(&client, too_many);
}
