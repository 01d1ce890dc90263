//! Collections of a cluster and their documents, from the coordinators' side.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::clusters::{Cluster, spawn};
use crate::support::{Answer, Client, wait_for};

fn create(client: &Client, name: &str, shards: u64, copies: u64) -> Value {
    let body = json!({ "name": name, "numberOfShards": shards, "replicationFactor": copies });
    let answer = client.post("/_api/collection", &body);
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

fn count(client: &Client, name: &str) -> Value {
    let path = format!("/_api/collection/{name}/count");
    client.get(&path).json()["count"].clone()
}

#[test]
fn collections_made_by_one_coordinator_are_there_on_the_other() {
    let cluster = Cluster::start(3, 2);
    cluster.wait_until_healthy(8);
    let clients = [cluster.client(0), cluster.client(1)];
    let made = create(&clients[0], "c", 3, 2);
    let id = made["id"].as_str().unwrap();
    let expected = json!({
        "cacheEnabled": false, "code": 200, "computedValues": null, "error": false,
        "globallyUniqueId": format!("c{id}/"), "id": id, "internalValidatorType": 0,
        "isDisjoint": false, "isSmart": false, "isSmartChild": false, "isSystem": false,
        "keyOptions": { "allowUserKeys": true, "type": "traditional" },
        "minReplicationFactor": 1, "name": "c", "numberOfShards": 3, "replicationFactor": 2,
        "schema": null, "shardKeys": ["_key"], "shardingStrategy": "hash", "status": 3,
        "statusString": "loaded", "supportsRBAC": true, "syncByRevision": true, "type": 2,
        "usesRevisionsAsDocumentIds": true, "waitForSync": false, "writeConcern": 1,
    });
    assert_eq!(made, expected);
    assert_eq!(
        clients[1].get("/_api/collection/c/properties").json(),
        expected
    );
    let listed = clients[1].get("/_api/collection?excludeSystem=true");
    let listed = listed.json()["result"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["name"], "c");

    // Everything is in sync at once, and spread over all servers.
    let details = clients[1].get("/_api/collection/c/shards?details=true");
    let location = "/_db/_system/_api/collection/c/shards";
    assert_eq!(details.header("location"), Some(location));
    let shards = details.json()["shards"].clone();
    let shards = shards.as_object().unwrap();
    let mut leaders: Vec<&Value> = shards.values().map(|servers| &servers[0]).collect();
    leaders.sort_by_key(|leader| leader.to_string());
    leaders.dedup();
    assert_eq!((shards.len(), leaders.len()), (3, 3));
    let distribution = clients[1].get("/_admin/cluster/shardDistribution").json();
    let found = &distribution["results"]["c"];
    assert_eq!(found["Plan"], found["Current"]);
    let shard = found["Plan"].as_object().unwrap().values().next().unwrap();
    assert!(shard["leader"].as_str().unwrap().starts_with("DBServer000"));
    assert_eq!(shard["followers"].as_array().unwrap().len(), 1);
    let one = clients[0].put(
        "/_admin/cluster/collectionShardDistribution",
        &json!({"collection": "c"}),
    );
    assert_eq!(one.json()["results"]["c"], *found);
    let path = "/_api/replication/clusterInventory?includeSystem=false";
    let inventory = clients[0].get(path).json();
    let entry = &inventory["collections"][0];
    assert_eq!(
        (&entry["isReady"], &entry["allInSync"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(entry["parameters"]["shards"].as_object().unwrap(), shards);
    let statistics = clients[0].get("/_admin/cluster/shardStatistics").json()["result"].clone();
    assert_eq!(
        statistics,
        json!({"databases": 1, "collections": 13, "shards": 30, "leaders": 15, "realLeaders": 15,
               "followers": 15, "servers": 3})
    );

    // Definitions of indexes are the cluster's, whichever coordinator is asked.
    let body = json!({ "type": "persistent", "fields": ["a"] });
    let made = clients[0].post("/_api/index?collection=c", &body);
    assert_eq!(made.status, 201);
    let again = clients[1].post("/_api/index?collection=c", &body);
    assert_eq!(
        (again.status, &again.json()["id"]),
        (200, &made.json()["id"])
    );
    let path = format!("/_api/index/{}", made.json()["id"].as_str().unwrap());
    assert_eq!(clients[1].delete(&path).status, 200);
    assert_eq!(clients[0].get(&path).error(), (404, 1212));

    // So are the options of a database, and its collections have them too.
    let body = json!({ "name": "d", "options": { "replicationFactor": 2, "writeConcern": 2 } });
    assert_eq!(clients[0].post("/_api/database", &body).status, 201);
    let current = clients[1].get("/_db/d/_api/database/current").json()["result"].clone();
    assert_eq!(
        (
            &current["replicationFactor"],
            &current["writeConcern"],
            &current["sharding"]
        ),
        (&json!(2), &json!(2), &json!(""))
    );
    let inherits = clients[1]
        .post("/_db/d/_api/collection", &json!({ "name": "c" }))
        .json();
    assert_eq!(
        (&inherits["replicationFactor"], &inherits["writeConcern"]),
        (&json!(2), &json!(2))
    );
    let one_shard = json!({ "name": "o", "options": { "sharding": "single" } });
    assert_eq!(
        clients[0].post("/_api/database", &one_shard).error(),
        (501, 501)
    );
    assert_eq!(clients[0].delete("/_api/database/d").status, 200);

    // Who is told to refuse writes is the cluster.
    let mode = |mode: &str| {
        clients[0]
            .put("/_admin/server/mode", &json!({ "mode": mode }))
            .status
    };
    assert_eq!(mode("readonly"), 200);
    wait_for("the other coordinator", || {
        let seen = clients[1].get("/_admin/server/mode").json()["mode"] == "readonly";
        seen.then_some(())
    });
    // The superuser may write all the same.
    let root = cluster.coordinators[1].1.as_ref().unwrap().anonymous();
    let root = root.basic("root", "");
    let refused = root.post("/_api/collection", &json!({ "name": "x" }));
    assert_eq!(refused.error(), (403, 11));
    assert_eq!(mode("default"), 200);
    wait_for("the other coordinator", || {
        let seen = clients[1].get("/_admin/server/mode").json()["mode"] == "default";
        seen.then_some(())
    });

    // Names are unique whoever asks, and what cannot be is refused.
    let create_at =
        |index: usize, body: &Value| clients[index].post("/_api/collection", body).error();
    for (body, expected) in [
        (json!({"name": "c"}), (409, 1207)),
        (json!({"name": "1"}), (400, 1208)),
        (json!({"name": "d", "replicationFactor": 4}), (400, 1487)),
        (json!({"name": "d", "replicationFactor": 11}), (400, 10)),
        (json!({"name": "d", "writeConcern": 2}), (400, 10)),
        (json!({"name": "d", "numberOfShards": 0}), (400, 10)),
        (json!({"name": "d", "numberOfShards": 1001}), (400, 1450)),
        (json!({"name": "d", "shardKeys": ["a"]}), (501, 501)),
        (json!({"name": "d", "shardKeys": []}), (400, 10)),
        (
            json!({"name": "d", "replicationFactor": "satellite"}),
            (501, 501),
        ),
        (
            json!({"name": "d", "keyOptions": {"type": "autoincrement"}}),
            (501, 501),
        ),
    ] {
        assert_eq!(create_at(1, &body), expected, "{body}");
    }
    assert_eq!(
        clients[1]
            .put("/_api/collection/c/rename", &json!({"name": "x"}))
            .error(),
        (501, 1470)
    );
    assert_eq!(
        clients[1].get("/_api/collection/c/figures").error(),
        (501, 501)
    );

    // Properties change in the plan, replication too.
    let body = json!({"waitForSync": true, "replicationFactor": 3, "writeConcern": 2});
    let changed = clients[1]
        .put("/_api/collection/c/properties", &body)
        .json();
    assert_eq!(
        (&changed["waitForSync"], &changed["writeConcern"]),
        (&json!(true), &json!(2))
    );
    wait_for("another follower", || {
        let found =
            clients[0].get("/_admin/cluster/shardDistribution").json()["results"]["c"].clone();
        let shards = found["Current"].as_object()?;
        let followed = |shard: &Value| shard["followers"].as_array().map(Vec::len) == Some(2);
        shards.values().all(followed).then_some(())
    });

    assert_eq!(clients[1].delete("/_api/collection/c").json()["id"], id);
    assert_eq!(clients[0].get("/_api/collection/c").error(), (404, 1203));
    assert_eq!(clients[0].delete("/_api/collection/c").error(), (404, 1203));
    let left = cluster.agents.read("/arango/Current/Collections/_system");
    assert_eq!(left.get(id), None, "{left}");
}

#[test]
fn documents_go_through_any_coordinator() {
    let cluster = Cluster::start(3, 2);
    let clients = [cluster.client(0), cluster.client(1)];
    create(&clients[0], "c", 3, 2);
    let inserted = clients[0].post(
        "/_api/document/c?returnNew=true",
        &json!({"_key": "k", "n": 1}),
    );
    assert_eq!(inserted.status, 202, "{}", inserted.text);
    let revision = inserted.json()["_rev"].clone();
    let revision = revision.as_str().unwrap();
    assert_eq!(inserted.json()["_id"], "c/k");
    assert_eq!(inserted.json()["new"]["_id"], "c/k");
    assert_eq!(
        inserted.header("etag"),
        Some(format!("\"{revision}\"").as_str())
    );
    assert_eq!(
        inserted.header("location"),
        Some("/_db/_system/_api/document/c/k")
    );
    let read = clients[1].get("/_api/document/c/k");
    assert_eq!(
        read.json(),
        json!({"_id": "c/k", "_key": "k", "_rev": revision, "n": 1})
    );
    assert_eq!(
        clients[1].send("HEAD", "/_api/document/c/k", "").status,
        200
    );
    assert_eq!(
        clients[1].send("HEAD", "/_api/document/c/x", "").status,
        404
    );
    let unchanged = clients[1].header("if-none-match", &format!("\"{revision}\""));
    assert_eq!(unchanged.get("/_api/document/c/k").status, 304);

    let twice = clients[1].post("/_api/document/c", &json!({"_key": "k"}));
    assert_eq!(twice.error(), (409, 1210));
    let wrong = clients[0].header("if-match", "\"_other\"");
    let refused = wrong.put("/_api/document/c/k", &json!({"n": 2}));
    assert_eq!(refused.error(), (412, 1200));
    assert_eq!(refused.json()["_id"], "c/k");
    let patched = clients[0].send(
        "PATCH",
        "/_api/document/c/k?waitForSync=true",
        r#"{"m": 2}"#,
    );
    assert_eq!(
        (patched.status, &patched.json()["_oldRev"]),
        (201, &json!(revision))
    );
    let read = clients[1].get("/_api/document/c/k").json();
    assert_eq!((&read["n"], &read["m"]), (&json!(1), &json!(2)));
    let replaced = clients[1].put("/_api/document/c/k?silent=true", &json!({"o": 3}));
    assert_eq!((replaced.status, replaced.text.as_str()), (202, "{}"));
    assert_eq!(clients[0].get("/_api/document/c/k").json().get("n"), None);
    // A version that is not newer changes nothing.
    let versions = "/_api/document/c/k?versionAttribute=o";
    let older = clients[0].put(versions, &json!({"o": 3})).json();
    assert_eq!(older["_rev"], older["_oldRev"]);
    let newer = clients[1].put(versions, &json!({"o": 4})).json();
    assert_ne!(newer["_rev"], newer["_oldRev"]);
    assert_eq!(clients[0].delete("/_api/document/c/k").status, 202);
    assert_eq!(clients[1].get("/_api/document/c/k").error(), (404, 1202));
    assert_eq!(clients[1].delete("/_api/document/c/k").error(), (404, 1202));
    for (path, body, expected) in [
        ("/_api/document/none", json!({}), (404, 1203)),
        ("/_api/document/c", json!(7), (400, 1227)),
        ("/_api/document/c", json!({"_key": "a/b"}), (400, 1221)),
        ("/_api/document/c?overwriteMode=x", json!({}), (400, 10)),
    ] {
        assert_eq!(
            clients[0].post(path, &body).error(),
            expected,
            "{path} {body}"
        );
    }

    // Keys made on both coordinators differ.
    let mut keys = std::collections::BTreeSet::new();
    for round in 0..20 {
        let made = clients[round % 2]
            .post("/_api/document/c", &json!({"n": round}))
            .json();
        assert!(keys.insert(made["_key"].to_string()), "{made}");
    }
    assert_eq!(count(&clients[1], "c"), 20);
    let shard = clients[0].put("/_api/collection/c/responsibleShard", &json!({"_key": "k"}));
    let shards = clients[0].get("/_api/collection/c/shards").json()["shards"].clone();
    assert!(
        shards
            .as_array()
            .unwrap()
            .contains(&shard.json()["shardId"])
    );
    assert_eq!(
        clients[0]
            .send("PUT", "/_api/collection/c/truncate", "")
            .status,
        200
    );
    assert_eq!(count(&clients[1], "c"), 0);
}

#[test]
fn batches_and_imports_are_spread_and_put_together() {
    let cluster = Cluster::start(3, 2);
    let clients = [cluster.client(0), cluster.client(1)];
    create(&clients[0], "c", 4, 2);
    let documents: Vec<Value> = (0..50)
        .map(|n| json!({"_key": format!("k{n}"), "n": n}))
        .collect();
    let answer = clients[0].post("/_api/document/c", &json!(documents));
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(answer.header("x-arango-error-codes"), None);
    let results = answer.json();
    for (n, result) in results.as_array().unwrap().iter().enumerate() {
        assert_eq!(result["_key"], format!("k{n}"));
    }
    let mixed =
        json!([{"_key": "k7"}, {"_key": "new"}, 5, {"_key": "a/b"}, {"n": 1}, {"_key": "k8"}]);
    let answer = clients[1].post("/_api/document/c", &mixed);
    let numbers: Vec<u64> = answer
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["errorNum"].as_u64().unwrap_or(0))
        .collect();
    assert_eq!(
        (answer.status, numbers),
        (202, vec![1210, 0, 1227, 1221, 0, 1210])
    );
    let codes: Value =
        serde_json::from_str(answer.header("x-arango-error-codes").unwrap()).unwrap();
    assert_eq!(codes, json!({"1210": 2, "1221": 1, "1227": 1}));
    let silent = clients[1].post("/_api/document/c?silent=true", &mixed);
    assert_eq!(silent.json().as_array().unwrap().len(), 5);
    let read = clients[1].put(
        "/_api/document/c?onlyget=true",
        &json!(["k1", "none", {"_key": "k2"}]),
    );
    let read_back = read.json();
    assert_eq!(
        (read.status, &read_back[0]["n"], &read_back[2]["n"]),
        (200, &json!(1), &json!(2))
    );
    assert_eq!(read_back[1]["errorNum"], 1202);
    assert_eq!(read.header("x-arango-error-codes"), Some("{\"1202\":1}"));
    let gone = clients[0].send("DELETE", "/_api/document/c", r#"["k1", "k2", "none"]"#);
    assert_eq!(gone.header("x-arango-error-codes"), Some("{\"1202\":1}"));
    let patched = clients[0].send(
        "PATCH",
        "/_api/document/c?returnNew=true",
        r#"[{"_key": "k3", "m": 1}]"#,
    );
    assert_eq!(patched.json()[0]["new"]["n"], 3);
    let nothing = clients[0].post("/_api/document/c", &json!([]));
    assert_eq!((nothing.status, nothing.text.as_str()), (202, "[]"));

    let import = |parameters: &str, body: &str| {
        let path = format!("/_api/import?collection=c&{parameters}");
        clients[0].send("POST", &path, body)
    };
    let before = count(&clients[0], "c").as_u64().unwrap();
    let lines: String = (0..3000).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    let counted = |answer: &Answer| {
        let body = answer.json();
        ["created", "errors", "empty", "updated", "ignored"]
            .map(|name| body[name].as_u64().unwrap())
    };
    assert_eq!(
        counted(&import("type=documents", &lines)),
        [3000, 0, 0, 0, 0]
    );
    assert_eq!(count(&clients[1], "c"), before + 3000);
    let some = "{\"_key\":\"k5\"}\n\n{\"_key\":\"i1\"}\nx\n{\"_key\":\"a/b\"}\n";
    assert_eq!(import("type=documents&complete=true", some).status, 400);
    let taken = "{\"_key\":\"i1\"}\n{\"_key\":\"k5\"}\n";
    assert_eq!(
        import("type=documents&complete=true", taken).error(),
        (409, 1210)
    );
    assert_eq!(clients[0].get("/_api/document/c/i1").status, 404);
    let detailed = import("type=documents&details=true", some);
    assert_eq!(counted(&detailed), [1, 3, 1, 0, 0]);
    assert_eq!(detailed.json()["details"].as_array().unwrap().len(), 3);
    assert_eq!(
        counted(&import("type=documents&onDuplicate=ignore", taken)),
        [0, 0, 0, 0, 2]
    );
    assert_eq!(
        counted(&import("type=documents&onDuplicate=update", taken)),
        [0, 0, 0, 2, 0]
    );
    assert_eq!(
        counted(&import("type=auto&overwrite=true", r#"[{"_key":"only"}]"#)),
        [1, 0, 0, 0, 0]
    );
    assert_eq!(count(&clients[1], "c"), 1);
}

#[test]
fn rights_databases_and_transactions() {
    let cluster = Cluster::start(2, 2);
    let clients = [cluster.client(0), cluster.client(1)];
    let body = json!({"name": "d", "users": [{"username": "eve", "passwd": "p"}]});
    assert_eq!(clients[0].post("/_api/database", &body).status, 201);
    for name in ["open", "closed", "readable"] {
        let answer = clients[0].post(
            "/_db/d/_api/collection",
            &json!({"name": name, "numberOfShards": 2}),
        );
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    let grant = |name: &str, right: &str| {
        let path = format!("/_api/user/eve/database/d/{name}");
        clients[1].put(&path, &json!({ "grant": right }))
    };
    assert_eq!(grant("closed", "none").status, 200);
    assert_eq!(grant("readable", "ro").status, 200);
    assert_eq!(grant("missing", "ro").error(), (404, 1203));
    let stranger = cluster.coordinators[1].1.as_ref().unwrap().anonymous();
    let eve = stranger.basic("eve", "p");
    let insert = |name: &str| {
        eve.post(
            &format!("/_db/d/_api/document/{name}"),
            &json!({"_key": "k"}),
        )
    };
    assert_eq!(insert("open").status, 202);
    assert_eq!(insert("readable").error(), (403, 1004));
    assert_eq!(insert("closed").error(), (403, 11));
    assert_eq!(
        eve.get("/_db/d/_api/document/readable/k").error(),
        (404, 1202)
    );
    assert_eq!(eve.get("/_db/d/_api/document/closed/k").error(), (403, 11));
    // By its id it is the same collection.
    let id = clients[0].get("/_db/d/_api/collection/closed").json()["id"].clone();
    let path = format!("/_db/d/_api/collection/{}/count", id.as_str().unwrap());
    assert_eq!(eve.get(&path).error(), (403, 11));
    let listed = eve.get("/_db/d/_api/collection?excludeSystem=true");
    let names: Vec<Value> = listed.json()["result"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| found["name"].clone())
        .collect();
    assert_eq!(names, ["open", "readable"]);
    assert_eq!(eve.get("/_api/collection").error(), (401, 11));
    assert_eq!(stranger.get("/_db/d/_api/collection").error(), (401, 11));

    // A transaction is seen through every coordinator.
    let begun = clients[0].post(
        "/_db/d/_api/transaction/begin",
        &json!({"collections": {"write": "open"}}),
    );
    assert_eq!(begun.status, 201, "{}", begun.text);
    let id = begun.json()["result"]["id"].clone();
    let path = format!("/_db/d/_api/transaction/{}", id.as_str().unwrap());
    for client in &clients {
        let listed = client.get("/_db/d/_api/transaction").json()["transactions"].clone();
        assert_eq!(listed, json!([{ "id": id, "state": "running" }]));
        assert_eq!(client.get(&path).json()["result"]["status"], "running");
    }
    assert_eq!(
        eve.get("/_db/d/_api/transaction").json()["transactions"],
        json!([])
    );
    assert_eq!(eve.delete(&path).error(), (404, 1655));
    assert_eq!(
        clients[1].delete(&path).json()["result"]["status"],
        "aborted"
    );
    assert_eq!(
        clients[0].get("/_db/d/_api/transaction").json()["transactions"],
        json!([])
    );

    // A database takes its collections along, and comes back without them.
    assert_eq!(clients[1].delete("/_api/database/d").status, 200);
    let left = cluster.agents.read("/arango/Plan/Collections/d");
    assert_eq!(left, json!(null));
    assert_eq!(
        clients[0]
            .post("/_api/database", &json!({"name": "d"}))
            .status,
        201
    );
    let listed = clients[0].get("/_db/d/_api/collection?excludeSystem=true");
    assert_eq!(listed.json()["result"], json!([]));
    create(&clients[1].clone(), "c", 1, 2);
}

/// Writes distinct keys until it is told to stop, and returns those that were acknowledged.
fn write(
    client: &Client,
    name: &str,
    writer: usize,
    stop: &AtomicBool,
    acked: &Mutex<BTreeMap<String, usize>>,
) {
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let key = format!("w{writer}-{n}");
        let body = json!({ "_key": key, "n": n });
        let answer = client.post(&format!("/_api/document/{name}"), &body);
        match answer.status {
            201 | 202 => drop(acked.lock().unwrap().insert(key, n)),
            // Not done, or nobody knows.
            500 | 503 => assert!(
                [(503, 30), (500, 1457), (503, 1465), (503, 1478)].contains(&answer.error()),
                "{}",
                answer.text
            ),
            _ => panic!("{}", answer.text),
        }
    }
}

/// What happens to a leader in mid-write.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Killed, and started again at once.
    Restart,
    /// Killed for good.
    Kill,
    /// It stands still until another one leads, and then goes on.
    Freeze,
}

/// The leaders of all shards.
fn leaders(client: &Client) -> BTreeMap<String, Value> {
    let answer = client.get("/_api/collection/c/shards?details=true").json();
    let shards = answer["shards"].as_object().unwrap().iter();
    shards
        .map(|(shard, servers)| (shard.clone(), servers[0].clone()))
        .collect()
}

/// Whatever happens to a leader, every acknowledged document is there afterwards.
fn spoil_a_leader(fault: Fault) {
    let mut cluster = Cluster::start(3, 2);
    cluster.wait_until_healthy(8);
    let clients = [cluster.client(0), cluster.client(1)];
    create(&clients[0], "c", 2, 3);
    let leader = leaders(&clients[0]).into_values().next().unwrap();
    let victim = (0..3)
        .find(|index| leader == Cluster::id(cluster.dbserver(*index)))
        .unwrap();
    let (stop, acked) = (AtomicBool::new(false), Mutex::new(BTreeMap::new()));
    let written = |least: usize| {
        let before = acked.lock().unwrap().len();
        wait_for("acknowledged documents", || {
            (acked.lock().unwrap().len() >= before + least).then_some(())
        });
    };
    let replaced = || {
        wait_for("other leaders", || {
            let all = leaders(&clients[0]);
            all.values().all(|now| *now != leader).then_some(())
        });
    };
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (client, stop, acked) = (&clients[writer % 2], &stop, &acked);
            scope.spawn(move || write(client, "c", writer, stop, acked));
        }
        // Should an assertion fail here, the writers end all the same.
        let guard = StopAtEnd(&stop);
        written(100);
        match fault {
            Fault::Freeze => {
                cluster.dbserver(victim).signal(Signal::STOP);
                replaced();
                written(100);
                cluster.dbserver(victim).signal(Signal::CONT);
            }
            Fault::Kill => {
                cluster.dbservers[victim].1.take().unwrap().kill();
                replaced();
            }
            Fault::Restart => {
                cluster.dbservers[victim].1.take().unwrap().kill();
                let mut server = spawn(&cluster.agents, &cluster.dbservers[victim].0, "PRIMARY");
                server.wait_until_ready();
                cluster.dbservers[victim].1 = Some(server);
            }
        }
        written(100);
        drop(guard);
    });
    let acked = acked.into_inner().unwrap();
    for (key, n) in &acked {
        let read = clients[n % 2].get(&format!("/_api/document/c/{key}"));
        assert_eq!(
            (read.status, &read.json()["n"]),
            (200, &json!(n)),
            "{key}: {}",
            read.text
        );
    }
    assert!(count(&clients[0], "c").as_u64().unwrap() >= acked.len() as u64);
}

#[test]
fn a_leader_that_is_restarted_loses_no_acknowledged_document() {
    spoil_a_leader(Fault::Restart);
}

#[test]
fn a_leader_that_is_killed_takes_no_acknowledged_document_along() {
    spoil_a_leader(Fault::Kill);
}

#[test]
fn a_leader_that_stood_still_loses_no_acknowledged_document() {
    spoil_a_leader(Fault::Freeze);
}

struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn without_dbservers_nothing_is_acknowledged() {
    let mut cluster = Cluster::start(2, 1);
    cluster.wait_until_healthy(6);
    let client = cluster.client(0);
    create(&client, "c", 2, 1);
    assert_eq!(
        client
            .post("/_api/document/c", &json!({"_key": "k"}))
            .status,
        202
    );
    // One of two shards is away: its documents, and no others, are not stored.
    cluster.dbservers[0].1.take().unwrap().kill();
    let documents = |name: &str| -> Vec<Value> {
        let numbers = 0..20;
        numbers
            .map(|n| json!({"_key": format!("{name}{n}")}))
            .collect()
    };
    let path = "/_api/import?collection=c&type=auto";
    let (batch, import) = std::thread::scope(|scope| {
        let batch = scope.spawn(|| client.post("/_api/document/c", &json!(documents("b"))));
        let import = scope.spawn(|| client.post(path, &json!(documents("i"))));
        (batch.join().unwrap(), import.join().unwrap())
    });
    let results = batch.json();
    let number = |result: &Value| result["errorNum"].as_u64().unwrap_or(0);
    let (stored, refused): (Vec<&Value>, Vec<&Value>) = results
        .as_array()
        .unwrap()
        .iter()
        .partition(|result| number(result) == 0);
    assert_eq!((batch.status, stored.len() + refused.len()), (202, 20));
    assert!(!stored.is_empty() && !refused.is_empty(), "{results}");
    assert!(
        refused.iter().all(|result| number(result) == 1478),
        "{results}"
    );
    let imported = import.json();
    let (created, errors) = (imported["created"].as_u64(), imported["errors"].as_u64());
    let (created, errors) = (created.unwrap(), errors.unwrap());
    assert_eq!(created + errors, 20);
    assert!(created > 0 && errors > 0, "{imported}");
    let expected = 1 + stored.len() as u64 + created;

    cluster.dbservers[1].1.take().unwrap().kill();
    let unavailable = |answer: Answer| {
        assert_eq!(answer.error(), (503, 1478), "{}", answer.text);
    };
    std::thread::scope(|scope| {
        let client = &client;
        scope.spawn(move || unavailable(client.post("/_api/document/c", &json!({"_key": "x"}))));
        scope.spawn(move || unavailable(client.post("/_api/document/c", &json!([{}, {}, {}]))));
        scope.spawn(move || unavailable(client.get("/_api/document/c/k")));
        scope.spawn(move || unavailable(client.get("/_api/collection/c/count")));
        scope.spawn(move || {
            unavailable(client.send("POST", "/_api/import?collection=c&type=auto", "[{},{}]"));
        });
    });
    for index in 0..2 {
        let mut server = spawn(&cluster.agents, &cluster.dbservers[index].0, "PRIMARY");
        server.wait_until_ready();
        cluster.dbservers[index].1 = Some(server);
    }
    assert_eq!(client.get("/_api/document/c/k").status, 200);
    assert_eq!(count(&client, "c"), expected);
    for result in stored {
        let path = format!("/_api/document/{}", result["_id"].as_str().unwrap());
        assert_eq!(client.get(&path).status, 200, "{result}");
    }
    let detailed = client.get("/_api/collection/c/count?details=true").json()["count"].clone();
    let counts = detailed.as_object().unwrap().values();
    assert_eq!(counts.filter_map(Value::as_u64).sum::<u64>(), expected);
}

/// The digits of a revision, as numbers that grow as it does.
fn digits(revision: &Value) -> Vec<u8> {
    let order = |digit: u8| match digit {
        b'-' => 0,
        b'_' => 1,
        b'0'..=b'9' => digit + 100,
        _ => digit - 60,
    };
    revision.as_str().unwrap().bytes().map(order).collect()
}

#[test]
fn the_revision_of_a_collection_is_the_newest_of_its_shards() {
    let cluster = Cluster::start(2, 1);
    cluster.wait_until_healthy(6);
    let client = cluster.client(0);
    create(&client, "c", 4, 1);
    let revision = || {
        let answer = client.get("/_api/collection/c/revision");
        assert_eq!(answer.status, 200, "{}", answer.text);
        let body = answer.json();
        assert_eq!(
            (&body["name"], &body["numberOfShards"]),
            (&json!("c"), &json!(4))
        );
        body["revision"].clone()
    };
    assert_eq!(revision(), "54");
    let mut revisions = Vec::new();
    for number in 0..12 {
        let inserted = client.post("/_api/document/c", &json!({ "_key": format!("k{number}") }));
        let own = inserted.json()["_rev"].clone();
        revisions.push(own);
        // Two leaders may give the same, or the later one the lower, within a millisecond.
        let newest = revisions.iter().max_by_key(|revision| digits(revision));
        assert_eq!(Some(&revision()), newest, "{revisions:?}");
    }
    assert_eq!(client.delete("/_api/document/c/k3").status, 202);
    let removed = revision();
    assert!(!revisions.contains(&removed), "{removed}");
}

#[test]
fn a_collection_that_cannot_be_made_leaves_nothing() {
    let cluster = Cluster::start(2, 1);
    cluster.wait_until_healthy(6);
    let client = cluster.client(0);
    let body = json!({ "name": "c", "numberOfShards": 2, "replicationFactor": 2 });
    cluster.dbserver(0).signal(Signal::STOP);
    let refused = client.post("/_api/collection", &body);
    assert_eq!(refused.error(), (500, 1457), "{}", refused.text);
    assert_eq!(client.get("/_api/collection/c").error(), (404, 1203));
    let planned = cluster.agents.read("/arango/Plan/Collections/_system");
    let mut planned = planned.as_object().unwrap().values();
    assert!(planned.all(|entry| entry["isSystem"] == true));
    // By now it is known to have failed.
    let too_few = client.post("/_api/collection", &body);
    assert_eq!(too_few.error(), (400, 1487), "{}", too_few.text);
    let fewer = client.post("/_api/collection?enforceReplicationFactor=0", &body);
    assert_eq!(fewer.status, 200, "{}", fewer.text);
    cluster.dbserver(0).signal(Signal::CONT);
    wait_for("the followers that were asked for", || {
        let answer = client.get("/_admin/cluster/shardDistribution").json();
        let shards = answer["results"]["c"]["Current"].as_object()?.clone();
        let followed = |shard: &Value| shard["followers"].as_array().map(Vec::len) == Some(1);
        shards.values().all(followed).then_some(())
    });
}

#[test]
fn without_the_agency_nobody_says_what_may_be_wrong() {
    let mut cluster = Cluster::start(2, 1);
    cluster.wait_until_healthy(6);
    let client = cluster.client(0);
    create(&client, "c", 1, 2);
    let document = json!({"_key": "k"});
    assert_eq!(client.post("/_api/document/c", &document).status, 202);
    for index in 0..3 {
        cluster.agents.kill(index);
    }
    assert_eq!(client.get("/_api/collection").error(), (500, 1457));
    assert_eq!(client.get("/_api/collection/none").error(), (500, 1457));
    // The leader may serve reads until its lease ends.
    wait_for("the end of the lease", || {
        let read = client.get("/_api/document/c/k");
        let refused = (read.status != 200).then(|| read.error())?;
        assert_eq!(refused, (503, 1478));
        Some(())
    });
    for index in 0..3 {
        cluster.agents.boot(index);
    }
    wait_for("the document", || {
        (client.get("/_api/document/c/k").status == 200).then_some(())
    });
    assert_eq!(count(&client, "c"), 1);
}

#[test]
fn while_the_agencys_leader_stands_still_requests_wait_for_the_next_one() {
    let cluster = Cluster::start(2, 1);
    cluster.wait_until_healthy(6);
    let client = cluster.client(0);
    let (leader, _) = cluster.agents.leader();
    cluster.agents.signal(leader, Signal::STOP);
    create(&client, "c", 1, 2);
    assert_eq!(client.get("/_api/collection/none").error(), (404, 1203));
    let database = json!({"name": "d"});
    assert_eq!(client.post("/_api/database", &database).status, 201);
    cluster.agents.signal(leader, Signal::CONT);
}

#[test]
fn made_at_once_on_both_coordinators_everything_is_made_once() {
    let cluster = Cluster::start(3, 2);
    cluster.wait_until_healthy(8);
    let clients = [cluster.client(0), cluster.client(1)];
    std::thread::scope(|scope| {
        for client in [&clients[0], &clients[1], &clients[0], &clients[1]] {
            scope.spawn(move || {
                for number in 0..5 {
                    let body = json!({ "name": format!("same{number}"), "replicationFactor": 2 });
                    let answer = client.post("/_api/collection", &body);
                    assert!([200, 409].contains(&answer.status), "{}", answer.text);
                }
            });
        }
    });
    let plan = cluster.agents.read("/arango/Plan/Collections/_system");
    let plan = plan.as_object().unwrap().values();
    let plan: Vec<&Value> = plan.filter(|entry| entry["isSystem"] == false).collect();
    let shards = |entry: &&Value| entry["shards"].as_object().unwrap().keys().next().cloned();
    let shards: std::collections::BTreeSet<_> = plan.iter().map(shards).collect();
    assert_eq!((plan.len(), shards.len()), (5, 5));
}
