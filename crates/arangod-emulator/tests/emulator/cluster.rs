//! Whole clusters: members, health, supervision, and what coordinators share.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::agents::Agents;
use crate::clusters::{Cluster, spawn, spawn_with};
use crate::support::{Place, wait_for};

#[test]
fn members_and_their_health() {
    let cluster = Cluster::start(3, 1);
    cluster.wait_until_healthy(7);
    let health = cluster.health();
    let roles = |role: &str| {
        let entries = health.as_object().unwrap().values();
        entries.filter(|entry| entry["Role"] == role).count()
    };
    assert_eq!(
        (roles("Agent"), roles("DBServer"), roles("Coordinator")),
        (3, 3, 1)
    );
    let leading = |entry: &&Value| entry["Leading"] == true;
    assert_eq!(
        health.as_object().unwrap().values().filter(leading).count(),
        1
    );

    let client = cluster.client(0);
    let coordinator = Cluster::id(cluster.coordinators[0].1.as_ref().unwrap());
    let dbserver = Cluster::id(cluster.dbserver(0));
    assert!(coordinator.starts_with("CRDN-") && dbserver.starts_with("PRMR-"));
    assert_eq!(health[&coordinator]["ShortName"], "Coordinator0001");
    let short = health[&dbserver]["ShortName"].as_str().unwrap();
    assert!(short.starts_with("DBServer000"));
    let status = client.get("/_admin/status").json();
    let info = &status["serverInfo"];
    assert_eq!(
        (&info["serverId"], &info["rebootId"]),
        (&json!(coordinator), &json!(1))
    );
    assert_eq!(status["coordinator"]["isFoxxmaster"], true);
    assert_eq!(
        status["agency"]["agencyComm"]["endpoints"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let endpoint = format!("tcp://{}", cluster.coordinators[0].0.port.address);
    let endpoints = client.get("/_api/cluster/endpoints").json();
    assert_eq!(endpoints["endpoints"], json!([{ "endpoint": endpoint }]));
    assert_eq!(
        client.get("/_admin/server/role").json()["role"],
        "COORDINATOR"
    );
    assert_eq!(
        client.get("/_admin/cluster/numberOfServers").json()["numberOfDBServers"],
        json!(null)
    );
    assert_eq!(
        client
            .put(
                "/_admin/cluster/numberOfServers",
                &json!({"numberOfDBServers": 3})
            )
            .status,
        200
    );
    assert_eq!(
        client.get("/_admin/cluster/numberOfServers").json()["numberOfDBServers"],
        3
    );

    // The agency says the same.
    let agency = &cluster.agents;
    assert_eq!(
        agency
            .read("/arango/Plan/DBServers")
            .as_object()
            .unwrap()
            .len(),
        3
    );
    let known = agency.read("/arango/Current/ServersKnown");
    assert_eq!(known[&dbserver]["rebootId"], 1);
    assert_eq!(
        agency.read("/arango/Bootstrap"),
        format!("{coordinator}: done")
    );
    assert_eq!(agency.read("/arango/InitDone"), true);

    // Health, as far as it is written there.
    let entry = &agency.read("/arango/Supervision/Health")[&dbserver];
    for name in [
        "Endpoint",
        "Host",
        "ShortName",
        "Status",
        "SyncStatus",
        "Version",
        "Engine",
    ] {
        assert!(entry[name].is_string(), "{name} in {entry}");
    }
    let registered = &agency.read("/arango/Current/ServersRegistered")[&dbserver];
    assert_eq!(
        (&registered["version"], &registered["engine"]),
        (&json!(31210), &json!("rocksdb"))
    );
    let named = &agency.read("/arango/Target/MapUniqueToShortID")[&dbserver];
    assert_eq!(named["ShortName"], health[&dbserver]["ShortName"]);

    // Nobody but servers gets in there.
    let stranger = cluster.dbserver(0).anonymous().basic("root", "");
    assert_eq!(stranger.get("/_api/version").error(), (401, 11));
    assert_eq!(
        cluster
            .dbserver(0)
            .client()
            .get("/_admin/cluster/health")
            .error(),
        (403, 403)
    );
}

#[test]
fn a_dbserver_fails_and_comes_back() {
    let mut cluster = Cluster::start(3, 1);
    cluster.wait_until_healthy(7);
    let id = Cluster::id(cluster.dbserver(0));
    let failed = || {
        cluster
            .agents
            .read(&format!("/arango/Target/FailedServers/{id}"))
    };
    cluster.dbserver(0).signal(Signal::STOP);
    cluster.wait_for_status(&id, "FAILED");
    assert_eq!(failed(), json!([]));
    // The others take over all it has.
    wait_for("the end of what it is needed for", || {
        (cluster.health()[&id]["CanBeDeleted"] == true).then_some(())
    });
    // A database need not wait for a server that is known to be gone.
    let client = cluster.client(0);
    assert_eq!(
        client.post("/_api/database", &json!({"name": "d"})).status,
        201
    );
    cluster.dbserver(0).signal(Signal::CONT);
    cluster.wait_for_status(&id, "GOOD");
    assert_eq!(failed(), json!(null));
    let confirmed = format!("/arango/Current/Databases/d/{id}");
    wait_for("the database there", || {
        cluster.agents.read(&confirmed).is_object().then_some(())
    });

    // Killed and started again it is the same server, by its id and its short name.
    let short = cluster.health()[&id]["ShortName"].clone();
    cluster.dbservers[0].1.take().unwrap().kill();
    let mut server = spawn(&cluster.agents, &cluster.dbservers[0].0, "DBSERVER");
    server.wait_until_ready();
    assert_eq!(Cluster::id(&server), id);
    let info = server.client().get("/_admin/status").json()["serverInfo"].clone();
    assert_eq!(info["rebootId"], 2);
    cluster.dbservers[0].1 = Some(server);
    cluster.wait_for_status(&id, "GOOD");
    assert_eq!(cluster.health()[&id]["ShortName"], short);
}

#[test]
fn supervision_goes_on_with_another_leader_and_rests_in_maintenance() {
    let mut cluster = Cluster::start(1, 2);
    cluster.wait_until_healthy(6);
    let client = cluster.client(0);
    let mode = || client.get("/_admin/cluster/maintenance").json()["result"].clone();
    let switch = |to: &str| client.put("/_admin/cluster/maintenance", &json!(to)).status;
    assert_eq!(mode(), "Normal");
    assert_eq!((switch("on"), mode()), (200, json!("Maintenance")));
    assert_eq!((switch("off"), mode()), (200, json!("Normal")));
    assert_eq!((switch("soon"), switch("7")), (400, 200));
    assert_eq!((switch("off"), mode()), (200, json!("Normal")));

    let (leader, term) = cluster.agents.leader();
    cluster.agents.kill(leader);
    assert!(cluster.agents.leader().1 > term);
    let gone = cluster.coordinators[1].1.take().unwrap();
    let id = Cluster::id(&gone);
    let reboot = format!("/arango/Current/ServersKnown/{id}/rebootId");
    let before = cluster.agents.read(&reboot).as_u64().unwrap();
    gone.kill();
    cluster.wait_for_status(&id, "FAILED");
    assert_eq!(cluster.agents.read(&reboot), before + 1);
    let other = Cluster::id(cluster.coordinators[0].1.as_ref().unwrap());
    wait_for("a Foxxmaster", || {
        (cluster.agents.read("/arango/Current/Foxxmaster") == other).then_some(())
    });
    // Two agents, a dbserver, a coordinator.
    cluster.wait_until_healthy(4);
    // A coordinator gets another short name when it comes back.
    let mut server = spawn(&cluster.agents, &cluster.coordinators[1].0, "COORDINATOR");
    server.wait_until_ready();
    cluster.coordinators[1].1 = Some(server);
    cluster.wait_for_status(&id, "GOOD");
    wait_for("a new name", || {
        (cluster.health()[&id]["ShortName"] == "Coordinator0003").then_some(())
    });
}

#[test]
fn coordinators_share_databases_and_users() {
    let cluster = Cluster::start(2, 2);
    let clients = [cluster.client(0), cluster.client(1)];
    let names = |index: usize| clients[index].get("/_api/database").json()["result"].clone();
    for round in 0..4 {
        let (here, there) = (round % 2, 1 - round % 2);
        let name = format!("d{round}");
        let body = json!({ "name": name, "users": [{"username": "eve", "passwd": "p"}] });
        assert_eq!(clients[here].post("/_api/database", &body).status, 201);
        assert_eq!(names(there), json!(["_system", name]));
        assert_eq!(
            clients[there].post("/_api/database", &body).error(),
            (409, 1207)
        );
        let current = clients[there]
            .get(&format!("/_db/{name}/_api/database/current"))
            .json();
        assert_eq!(current["result"]["name"], json!(name));
        let confirmed = cluster
            .agents
            .read(&format!("/arango/Current/Databases/{name}"));
        assert_eq!(confirmed.as_object().unwrap().len(), 2);
        // Eve may use it, on both.
        let eve = cluster.coordinators[there]
            .1
            .as_ref()
            .unwrap()
            .anonymous()
            .basic("eve", "p");
        assert_eq!(
            eve.get(&format!("/_db/{name}/_api/database/current"))
                .status,
            200
        );
        assert_eq!(eve.get("/_api/database").error(), (401, 11));
        assert_eq!(
            clients[there]
                .delete(&format!("/_api/database/{name}"))
                .status,
            200
        );
        assert_eq!(names(here), json!(["_system"]));
        let left = cluster.agents.read("/arango/Current/Databases");
        assert!(left.get(&name).is_none(), "{left}");
        assert_eq!(
            clients[here]
                .get(&format!("/_db/{name}/_api/version"))
                .error(),
            (404, 1228)
        );
    }
    let user = json!({"user": "a/b%", "passwd": "x"});
    assert_eq!(clients[0].post("/_api/user", &user).status, 201);
    assert_eq!(clients[1].post("/_api/user", &user).error(), (409, 1702));
    let grant = json!({"grant": "rw"});
    assert_eq!(
        clients[1]
            .put("/_api/user/a%2Fb%25/database/_system", &grant)
            .status,
        200
    );
    let right = clients[0]
        .get("/_api/user/a%2Fb%25/database/_system")
        .json();
    assert_eq!(right["result"], "rw");
    let login = json!({"username": "a/b%", "password": "x"});
    let stranger = cluster.coordinators[0].1.as_ref().unwrap().anonymous();
    let token = stranger.post("/_open/auth", &login).json()["jwt"].clone();
    let other = cluster.coordinators[1].1.as_ref().unwrap().anonymous();
    assert_eq!(
        other
            .bearer(token.as_str().unwrap())
            .get("/_api/user")
            .status,
        200
    );
    assert_eq!(clients[1].delete("/_api/user/a%2Fb%25").status, 202);
    assert_eq!(clients[0].get("/_api/user/a%2Fb%25").error(), (404, 1703));

    // All at once from both: everything is made once.
    std::thread::scope(|scope| {
        for client in &clients {
            scope.spawn(move || {
                for number in 0..4 {
                    let name = format!("same{number}");
                    let answer = client.post("/_api/database", &json!({ "name": name }));
                    assert!([201, 409].contains(&answer.status), "{}", answer.text);
                }
            });
        }
    });
    assert_eq!(names(0).as_array().unwrap().len(), 5);
    let plan = cluster.agents.read("/arango/Plan/Databases");
    let ids: std::collections::BTreeSet<String> = plan
        .as_object()
        .unwrap()
        .values()
        .map(|entry| entry["id"].to_string())
        .collect();
    assert_eq!(ids.len(), 5);
}

#[test]
fn without_the_agency_little_is_left() {
    let mut cluster = Cluster::start(1, 1);
    cluster.wait_until_healthy(5);
    let client = cluster.client(0);
    for index in 0..3 {
        cluster.agents.kill(index);
    }
    assert_eq!(client.get("/_api/version").status, 200);
    let health = client.get("/_admin/cluster/health");
    assert_eq!(health.error(), (500, 500));
    assert!(health.text.contains("agency communication failed"));
    for index in 0..3 {
        cluster.agents.boot(index);
    }
    cluster.wait_until_healthy(5);
    assert_eq!(
        client.post("/_api/database", &json!({"name": "d"})).status,
        201
    );
    for (_, server) in cluster
        .dbservers
        .iter_mut()
        .chain(&mut cluster.coordinators)
    {
        let mut server = server.take().unwrap();
        server.signal(Signal::TERM);
        assert_eq!(server.wait().code(), Some(0));
    }
}

#[test]
fn timers_are_arangods_own_on_request() {
    let pace = ["--pace", "realistic"];
    let agents = Agents::start(1, &pace);
    let place = Place::new();
    let mut dbserver = spawn_with(&agents, &place, "PRIMARY", &pace);
    dbserver.wait_until_ready();
    let config = agents.client(0).get("/_api/agency/config").json();
    let config = &config["configuration"];
    let said = |name: &str| config[name].as_f64().unwrap();
    assert_eq!((said("min ping"), said("max ping")), (1.0, 5.0));
    assert_eq!(said("supervision frequency"), 1.0);
    assert_eq!(said("supervision grace period"), 10.0);
    assert_eq!(said("supervision ok threshold"), 5.0);
    assert_eq!(said("compaction keep size"), 50_000.0);
    assert_eq!(agents.read("/arango/Sync/HeartbeatIntervalMs"), 1000);
}

#[test]
fn a_coordinator_waits_for_as_many_dbservers_as_system_collections_have_copies() {
    let agents = Agents::start(3, &[]);
    let (first, second, third) = (Place::new(), Place::new(), Place::new());
    let mut coordinator = spawn(&agents, &first, "COORDINATOR");
    let planned = || {
        agents
            .read("/arango/Plan/Coordinators")
            .as_object()
            .map(serde_json::Map::len)
    };
    wait_for("the registration", || (planned() == Some(1)).then_some(()));
    let answer = wait_for("an open port", || {
        coordinator.client().try_get("/_api/version")
    });
    assert_eq!(answer.error(), (503, 503));
    let mut dbserver = spawn(&agents, &second, "PRIMARY");
    dbserver.wait_until_ready();
    wait_for("what it waits for", || {
        let text = "the system collections need 2 dbservers, and there are 1";
        first.log().contains(text).then_some(())
    });
    assert_eq!(
        coordinator.client().get("/_api/version").error(),
        (503, 503)
    );
    let mut dbserver = spawn(&agents, &third, "PRIMARY");
    dbserver.wait_until_ready();
    coordinator.wait_until_ready();
    assert_eq!(coordinator.client().get("/_api/version").status, 200);
}
