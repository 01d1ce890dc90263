//! What shards refuse, with arangod's own numbers.

use std::fs;
use std::thread;

use rustix::process::Signal;
use serde_json::json;

use crate::clusters::Cluster;
use crate::sharded::Sharded;
use crate::support::{catch, wait_for};

#[test]
fn a_leader_that_takes_over_is_not_ready() {
    catch("a leader that is not ready", || {
        let sharded = Sharded::start(3, 3, 1);
        assert_eq!(sharded.insert(0, "k", &json!(1)).status, 202);
        // The new leader waits for this one.
        sharded.signal(2, Signal::STOP);
        let order = |order: [usize; 3]| json!(order.map(|index| &sharded.ids[index]));
        sharded.replan(&order([0, 1, 2]), &order([1, 0, 2]));
        let first = wait_for("the new leader", || {
            let answer = sharded.get(1, "k");
            (answer.status == 200 || answer.error() != (421, 1491)).then_some(answer)
        });
        if first.status == 200 {
            return None;
        }
        assert_eq!(first.error(), (503, 1478), "{}", first.text);
        assert_eq!(sharded.get_when_leading(1, "k").json()["v"], 1);
        sharded.signal(2, Signal::CONT);
        sharded.wait_until_in_sync();
        Some(())
    });
}

#[test]
fn a_write_concern_that_is_not_fulfilled_is_what_the_option_says() {
    let option = ["--cluster.failed-write-concern-status-code=503"];
    let cluster = Cluster::start_with(&[], &option, 2, 1);
    cluster.wait_until_healthy(6);
    let client = cluster.client(0);
    let body = json!({ "name": "c", "replicationFactor": 2, "writeConcern": 2 });
    assert_eq!(client.post("/_api/collection", &body).status, 200);
    let shards = client.get("/_api/collection/c/shards?details=true").json()["shards"].clone();
    let (shard, servers) = shards.as_object().unwrap().iter().next().unwrap();
    let leads = |index: &usize| json!(Cluster::id(cluster.dbserver(*index))) == servers[0];
    let leader = [0, 1].into_iter().find(leads).unwrap();
    cluster.dbserver(1 - leader).signal(Signal::STOP);
    let path = "/_api/document/c";
    let refused = wait_for("the follower to be taken out", || {
        let answer = client.post(path, &json!({}));
        assert!([500, 503].contains(&answer.status), "{}", answer.text);
        (answer.status == 503).then_some(answer)
    });
    assert_eq!(refused.error(), (503, 1429), "{}", refused.text);
    // Among servers it is no reason to ask again.
    let own = cluster.dbserver(leader).client();
    let answer = own.post(&format!("/_api/document/{shard}"), &json!({ "_key": "k" }));
    assert_eq!(answer.error(), (403, 1429), "{}", answer.text);
    cluster.dbserver(1 - leader).signal(Signal::CONT);
    wait_for("the follower", || {
        (client.post(path, &json!({})).status == 202).then_some(())
    });
}

/// The size of a document that no other request reaches, in bytes. All of it fits into what the kernel keeps for a process.
const LARGE: usize = 32 << 10;

/// Whether so many bytes have arrived over one connection to this port, and its server has not read them.
fn has_unread(port: u16, bytes: usize) -> bool {
    let is_enough =
        |unread: &str| usize::from_str_radix(unread, 16).is_ok_and(|unread| unread >= bytes);
    let own = format!(":{port:04X}");
    let connections = fs::read_to_string("/proc/net/tcp").unwrap();
    connections.lines().any(|line| {
        let mut words = line.split_whitespace().skip(1);
        let is_own = words.next().is_some_and(|local| local.ends_with(&own));
        let queues = words.nth(2).and_then(|queues| queues.split_once(':'));
        // The queue of one that listens has connections.
        let is_connected = line.split_whitespace().nth(3) == Some("01");
        is_own && is_connected && queues.is_some_and(|(_, unread)| is_enough(unread))
    })
}

#[test]
fn a_write_whose_leader_dies_has_lost_the_connection() {
    let cluster = Cluster::start(1, 1);
    cluster.wait_until_healthy(5);
    let client = cluster.client(0);
    let body = json!({ "name": "c", "replicationFactor": 1 });
    assert_eq!(client.post("/_api/collection", &body).status, 200);
    let path = "/_api/document/c";
    assert_eq!(client.post(path, &json!({})).status, 202);
    let leader = cluster.dbserver(0);
    leader.signal(Signal::STOP);
    // So large that no other request to the leader, a heartbeat say, is taken for it.
    let large = json!({ "text": "x".repeat(LARGE) });
    let answer = thread::scope(|scope| {
        let asked = scope.spawn(|| cluster.client(0).post(path, &large));
        wait_for("the request", || {
            has_unread(leader.address.port(), LARGE).then_some(())
        });
        leader.signal(Signal::KILL);
        asked.join().unwrap()
    });
    assert_eq!(answer.error(), (503, 1465), "{}", answer.text);
}
