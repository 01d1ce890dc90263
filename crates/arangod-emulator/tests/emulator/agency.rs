//! The agency: its API, its leaders, and what it keeps.

use serde_json::json;

use crate::agents::{Agents, PATIENT};
use crate::support::{Place, wait_for};

#[test]
fn a_leader_answers_and_the_others_say_who_it_is() {
    let agents = Agents::start(3, &PATIENT);
    let (leader, term) = agents.leader();
    let client = agents.client(leader);
    let config = client.get("/_api/agency/config").json();
    assert_eq!(
        config["configuration"]["pool"].as_object().unwrap().len(),
        3
    );
    assert_eq!(config["lastAcked"].as_object().unwrap().len(), 3);
    assert!(config["leaderId"].as_str().unwrap().starts_with("AGNT-"));
    let id = std::fs::read_to_string(agents.places[leader].data().join("UUID")).unwrap();
    assert_eq!(config["leaderId"], id);
    let status = client.get("/_admin/status").json();
    assert_eq!(
        (&status["agent"]["leading"], &status["agent"]["term"]),
        (&json!(true), &json!(term))
    );
    assert_eq!(client.get("/_admin/server/role").json()["role"], "AGENT");

    let follower = agents.client((leader + 1) % 3);
    for verb in ["read", "write", "transact", "inquire", "transient"] {
        let body = match verb {
            "write" => json!([[{"/a": 1}]]),
            _ => json!([["/"]]),
        };
        let answer = follower.post(&format!("/_api/agency/{verb}"), &body);
        assert_eq!((answer.status, answer.text.as_str()), (307, ""), "{verb}");
        let expected = format!(
            "http://{}/_api/agency/{verb}",
            agents.places[leader].port.address
        );
        assert_eq!(answer.header("location"), Some(expected.as_str()));
    }
    assert!(
        follower
            .get("/_api/agency/config")
            .json()
            .get("lastAcked")
            .is_none()
    );
    // Nobody but servers, and whoever has their secret, gets in.
    let stranger = agents.servers[leader].as_ref().unwrap().anonymous();
    assert_eq!(stranger.get("/_api/agency/config").error(), (401, 11));
    let root = stranger.basic("root", "");
    assert_eq!(
        root.post("/_api/agency/read", &json!([["/"]])).error(),
        (401, 11)
    );
    assert_eq!(client.get("/_api/collection").status, 501);
}

#[test]
fn transactions() {
    let agents = Agents::start(1, &[]);
    let client = agents.client(0);
    let post = |verb: &str, body| {
        let answer = client.post(&format!("/_api/agency/{verb}"), &body);
        (answer.status, answer.json())
    };
    let (status, body) = post(
        "write",
        json!([
            [{"/a/b": {"op": "set", "new": 1}}],
            [{"a//c": [1, 2]}, {"/a/b": {"old": 2}}],
            [{"/a/c": {"op": "push", "new": 3}}, {"/a/c": {"oldEmpty": true}}, "me"],
            [{"/d": {"e": {}}}, {"/a/b": 1}, "you"],
        ]),
    );
    let results: Vec<u64> = serde_json::from_value(body["results"].clone()).unwrap();
    assert_eq!((status, results[1]), (412, 0));
    assert!(results[0] > 0 && results[2] == results[0] + 2 && results[3] == results[0] + 3);
    let everything = json!({"a": {"b": 1, "c": [3]}, "d": {"e": {}}});
    assert_eq!(
        post("read", json!([["/"], ["/d/e", "/x"], ["/a/x"]])),
        (200, json!([everything, {"d": {"e": {}}}, {}]))
    );
    let (status, body) = post(
        "transact",
        json!([
            ["/a/b"],
            [{"/a/b": {"op": "increment", "step": 4}}],
            ["/a/b"],
            [{"/a/b": 9}, {"/a/b": {"old": 1}, "/a/c": {"in": 3}}],
        ]),
    );
    assert_eq!(status, 412);
    assert_eq!(
        (&body[0], &body[2], &body[3]),
        (
            &json!({"a": {"b": 1}}),
            &json!({"a": {"b": 5}}),
            &json!({"a": {"b": 5}})
        )
    );
    assert_eq!(body[1], results[3] + 1);
    assert_eq!(
        post("inquire", json!(["me", "you"])),
        (
            200,
            json!({"results": [results[2], results[3]], "inquired": true})
        )
    );
    assert_eq!(post("inquire", json!(["nobody"])).0, 404);
    assert_eq!(
        post(
            "transient",
            json!([[{"/t": 1}], ["/t"], [{"/t": 2}, {"/t": 7}]])
        ),
        (412, json!([true, {"t": 1}, false]))
    );

    assert_eq!(post("write", json!({})).0, 400);
    assert_eq!(
        post("write", json!([])),
        (400, json!({"message": "Empty request"}))
    );
    assert_eq!(post("write", json!(["/a"])).0, 400);
    assert_eq!(
        post("write", json!([[{"/a": {"op": "dance"}}]])),
        (412, json!({"results": [0]}))
    );
    for operation in ["observe", "unobserve", "read-lock"] {
        let body = json!([[{"/a": {"op": operation, "url": "http://h"}}]]);
        assert_eq!(post("write", body).0, 501, "{operation}");
    }
    assert_eq!(client.get("/_api/agency/dance").error(), (404, 405));
    assert_eq!(client.get("/_api/agency").error(), (404, 404));
    assert_eq!(client.get("/_api/agency/read").error(), (405, 405));
}

#[test]
fn polls_wait_for_news_and_keys_expire() {
    let agents = Agents::start(3, &PATIENT);
    let client = agents.client(agents.leader().0);
    let poll =
        |query: &str| client.get(&format!("/_api/agency/poll?{query}")).json()["result"].clone();
    agents.set(&json!({"/a": 1}));
    let all = poll("index=0");
    assert_eq!(all["readDB"], json!([{"a": 1}]));
    let next = all["commitIndex"].as_u64().unwrap() + 1;
    assert_eq!(poll(&format!("index={next}&timeout=0"))["log"], json!([]));
    let news = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| poll(&format!("index={next}&timeout=50")));
        let key = json!({"/b": {"op": "set", "new": 2, "ttl": 0.05}});
        agents.set(&key);
        waiting.join().unwrap()
    });
    assert_eq!(news["log"][0]["query"]["/b"]["new"], 2);
    wait_for("the end of a key", || {
        agents.read("/b").is_null().then_some(())
    });
    // On a slow machine the answer may know of more than it was waited for.
    let later = news["log"][0]["index"].as_u64().unwrap() + 1;
    assert_eq!(
        poll(&format!("index={later}&timeout=50"))["log"][0]["query"],
        json!({"/b": {"op": "delete"}})
    );
    assert_eq!(agents.read("/a"), 1);
}

#[test]
fn agents_find_each_other_in_any_order_and_at_new_addresses() {
    let mut agents = Agents::plan(3, &[]);
    let first = [agents.endpoint(0)];
    for index in [2, 1, 0] {
        agents.boot_knowing(index, &first);
    }
    let (leader, _) = agents.leader();
    let id = |agents: &Agents, index: usize| {
        let config = agents.client(index).get("/_api/agency/config").json();
        String::from(config["configuration"]["id"].as_str().unwrap())
    };
    let moved = (leader + 1) % 3;
    let name = id(&agents, moved);
    agents.kill(moved);
    let elsewhere = Place::new();
    agents.places[moved].port = elsewhere.port;
    agents.boot_knowing(moved, &first);
    assert_eq!(id(&agents, moved), name);
    let expected = agents.endpoint(moved);
    for index in 0..3 {
        wait_for("the new address", || {
            let config = agents.client(index).get("/_api/agency/config").json();
            (config["configuration"]["pool"][&name] == expected).then_some(())
        });
    }
    agents.set(&json!({"/a": 1}));
}

#[test]
fn without_a_majority_nobody_decides() {
    let mut agents = Agents::start(3, &[]);
    agents.set(&json!({"/a": 1}));
    let (leader, term) = agents.leader();
    let others = [(leader + 1) % 3, (leader + 2) % 3];
    for index in others {
        agents.kill(index);
    }
    let alone = agents.client(leader);
    let refused = |verb: &str, body| {
        let answer = alone.post(&format!("/_api/agency/{verb}"), &body);
        (answer.status == 503).then(|| answer.json())
    };
    wait_for("a leader that gives up", || refused("read", json!([["/"]])));
    let answer = refused("write", json!([[{"/a": 2}]])).unwrap();
    assert_eq!(answer, json!({"message": "No leader"}));
    let config = alone.get("/_api/agency/config").json();
    assert_eq!(config["leaderId"], "");
    assert!(config.get("lastAcked").is_none());
    for index in others {
        agents.boot(index);
    }
    let (_, grown) = agents.leader();
    assert!(grown > term, "{grown} after {term}");
    assert_eq!(agents.read("/a"), 1);
}

#[test]
fn a_log_is_compacted_and_followers_catch_up() {
    let short = [
        "--agency.compaction-step-size=20",
        "--agency.compaction-keep-size=5",
        "--agency.wait-for-sync=false",
    ];
    let mut agents = Agents::start(3, &short);
    let behind = (agents.leader().0 + 1) % 3;
    agents.kill(behind);
    for number in 0..90 {
        agents.set(&json!({"/n": number, "/list": {"op": "push", "new": number}}));
    }
    agents.boot(behind);
    let state = |index: usize| agents.client(index).get("/_api/agency/state").json();
    let expected = agents.read("/list");
    assert_eq!(expected.as_array().unwrap().len(), 90);
    wait_for("the follower", || {
        (state(behind)["readDB"][0]["list"] == expected).then_some(())
    });
    assert!(state(behind)["log"].as_array().unwrap().len() < 60);
    // And all of it is there when everybody comes back.
    for index in 0..3 {
        agents.kill(index);
    }
    for index in 0..3 {
        agents.boot(index);
    }
    assert_eq!(agents.read("/list"), expected);
}

#[test]
fn an_agent_without_its_directory_catches_up_under_its_id() {
    let more = [
        "--agency.compaction-step-size=50",
        "--agency.compaction-keep-size=10",
    ];
    let more: Vec<&str> = PATIENT.iter().chain(&more).copied().collect();
    let mut agents = Agents::start(3, &more);
    // First from the log alone; then only a snapshot has the first entries.
    for (round, entries) in [(0, 10), (1, 200)] {
        for number in 0..entries {
            agents.set(&json!({ format!("/round{round}/{number}"): number }));
        }
        let (leader, _) = agents.leader();
        let lost = (leader + 1) % 3;
        let id = std::fs::read_to_string(agents.places[lost].data().join("UUID")).unwrap();
        agents.kill(lost);
        agents.set(&json!({ "/last": round }));
        agents.boot_anew(lost, &id);
        let config = agents.client(lost).get("/_api/agency/config").json();
        assert_eq!(config["configuration"]["id"], id);
        let commit = |agents: &Agents, index: usize| {
            let config = agents.client(index).get("/_api/agency/config").json();
            config["commitIndex"].as_u64().unwrap()
        };
        let wanted = commit(&agents, leader);
        wait_for("the agent to catch up", || {
            (commit(&agents, lost) >= wanted).then_some(())
        });
        // It counts: with it, one of the others is enough.
        let other = (leader + 2) % 3;
        agents.kill(other);
        agents.set(&json!({ "/counts": round }));
        assert_eq!(
            agents.read(&format!("/round{round}/{}", entries - 1)),
            entries - 1
        );
        agents.boot(other);
        agents.leader();
    }
}

#[test]
fn options_of_agents() {
    let place = Place::new();
    let run = |more: &[&str]| place.run(&[&["--agency.activate=true"], more].concat());
    assert_eq!(run(&["--agency.size=2"]), 4);
    assert_eq!(run(&["--agency.size=3", "--agency.pool-size=5"]), 4);
    let backwards = [
        "--agency.election-timeout-min=2",
        "--agency.election-timeout-max=1",
    ];
    assert_eq!(run(&backwards), 4);
    assert_eq!(run(&["--agency.endpoint=nonsense"]), 4);
}
