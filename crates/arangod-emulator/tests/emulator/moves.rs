//! Supervision's jobs on dbservers that have data: failover, moves, clean-outs, resignation.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::clusters::Cluster;
use crate::support::{Client, catch, wait_for};

/// Shards of the collection in these tests.
const SHARDS: u64 = 4;

/// A cluster with a collection of two copies.
struct World {
    cluster: Cluster,
    ids: Vec<String>,
}

impl World {
    fn start(dbservers: usize) -> Self {
        let cluster = Cluster::start(dbservers, 1);
        cluster.wait_until_healthy(dbservers + 4);
        let ids = (0..dbservers)
            .map(|index| Cluster::id(cluster.dbserver(index)))
            .collect();
        let body = json!({ "name": "c", "numberOfShards": SHARDS, "replicationFactor": 2 });
        let made = cluster.client(0).post("/_api/collection", &body);
        assert_eq!(made.status, 200, "{}", made.text);
        Self { cluster, ids }
    }

    /// Every shard of the collection, with what is planned and what is so.
    fn shards(&self) -> Vec<(String, Vec<String>, Vec<String>)> {
        let tree = self.cluster.agents.read("/arango");
        let collections = tree["Plan"]["Collections"]["_system"].as_object();
        let mut collections = collections.into_iter().flatten();
        let Some((cid, collection)) = collections.find(|(_, entry)| entry["name"] == "c") else {
            return Vec::new();
        };
        let list = |list: &Value| serde_json::from_value(list.clone()).unwrap_or_default();
        let shards = collection["shards"].as_object().unwrap();
        let shard = |(name, planned): (&String, &Value)| {
            let current = &tree["Current"]["Collections"]["_system"][cid][name]["servers"];
            (name.clone(), list(planned), list(current))
        };
        shards.iter().map(shard).collect()
    }

    fn wait_until_in_sync(&self, what: &str) {
        wait_for(what, || {
            let level = |(_, planned, current): &(String, Vec<String>, Vec<String>)| {
                let (mut planned, mut current) = (planned.clone(), current.clone());
                let same = planned.first() == current.first() && planned.len() == 2;
                planned.sort();
                current.sort();
                same && planned == current
            };
            self.shards().iter().all(level).then_some(())
        });
    }

    /// Asks for a job and waits until it has ended well.
    fn job(&self, kind: &str, body: &Value) {
        let id = self.ask(kind, body);
        self.wait_for_job(&id);
    }

    fn ask(&self, kind: &str, body: &Value) -> String {
        let path = format!("/_admin/cluster/{kind}");
        let answer = self.cluster.client(0).post(&path, body);
        assert_eq!(answer.status, 202, "{}", answer.text);
        String::from(answer.json()["id"].as_str().unwrap())
    }

    fn wait_for_job(&self, id: &str) {
        let path = format!("/_admin/cluster/queryAgencyJob?id={id}");
        let job = wait_for("the end of the job", || {
            let job = self.cluster.client(0).get(&path).json();
            let ended = ["Finished", "Failed"].contains(&job["status"].as_str()?);
            ended.then_some(job)
        });
        assert_eq!(job["status"], "Finished", "{job:#}");
    }

    /// Every document that was acknowledged, by its key.
    fn check(&self, acknowledged: u64) {
        let client = self.cluster.client(0);
        for number in 0..acknowledged {
            let document = wait_for("an answer", || {
                let answer = client.get(&format!("/_api/document/c/k{number}"));
                (answer.status != 503).then_some(answer)
            });
            assert_eq!(document.status, 200, "k{number}: {}", document.text);
            assert_eq!(document.json()["n"], number);
        }
    }

    fn holds(&self, server: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|each| each.ends_with(server));
        let mut shards = self.shards().into_iter();
        shards.any(|(_, planned, current)| named(&planned) || named(&current))
    }
}

/// Writes one document again and again until it is acknowledged.
fn write(client: &Client, number: u64) {
    let body = json!({ "_key": format!("k{number}"), "n": number });
    wait_for("an acknowledgement", || {
        let path = "/_api/document/c?overwriteMode=replace";
        let answer = client.try_send("POST", path, &body.to_string())?;
        assert!([201, 202, 503].contains(&answer.status), "{}", answer.text);
        (answer.status != 503).then_some(())
    });
}

/// Does something while documents are written; how many were.
fn under_writes(world: &World, act: impl FnOnce(&World)) -> u64 {
    let (stop, next) = (AtomicBool::new(false), AtomicU64::new(0));
    let client = world.cluster.client(0);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let number = next.fetch_add(1, Ordering::Relaxed);
                write(&client, number);
            }
        });
        let begun = || (next.load(Ordering::Relaxed) > 20).then_some(());
        wait_for("writes", begun);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| act(world)));
        let so_far = next.load(Ordering::Relaxed);
        let more = || (next.load(Ordering::Relaxed) > so_far + 20).then_some(());
        if result.is_ok() {
            wait_for("more writes", more);
        }
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap();
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    });
    next.load(Ordering::Relaxed)
}

#[test]
fn another_server_leads_when_one_is_killed() {
    let mut world = World::start(3);
    let client = world.cluster.client(0);
    for number in 0..40 {
        write(&client, number);
    }
    let (_, planned, _) = world.shards().remove(0);
    let killed = world.ids.iter().position(|id| *id == planned[0]).unwrap();
    world.cluster.dbservers[killed].1.take().unwrap().kill();
    for number in 40..80 {
        write(&client, number);
    }
    world.check(80);
    // The copies that are lost are made again, on the other servers.
    world.wait_until_in_sync("all copies without the server");
    assert!(!world.holds(&world.ids[killed]));
    wait_for("the end of the jobs", || {
        let jobs = world.cluster.agents.read("/arango/Target/Finished");
        let done = |kind: &str| {
            let mut jobs = jobs.as_object().unwrap().values();
            jobs.any(|job| job["type"] == kind)
        };
        (done("failedLeader") && done("failedFollower") && done("failedServer")).then_some(())
    });
    let body = json!(world.ids[killed]);
    let removed = client.post("/_admin/cluster/removeServer", &body);
    assert_eq!(removed.status, 200, "{}", removed.text);
}

#[test]
fn a_shard_moves_and_comes_back_under_writes() {
    let world = World::start(3);
    let (shard, planned, _) = world.shards().remove(0);
    let third = world.ids.iter().find(|id| !planned.contains(id)).unwrap();
    let body = |from: &str, to: &str| {
        json!({
            "collection": "c", "shard": shard, "fromServer": from, "toServer": to,
            "remainsFollower": false,
        })
    };
    let written = under_writes(&world, |world| {
        let (leader, follower) = (&planned[0], &planned[1]);
        let now = || {
            let shards = world.shards().into_iter();
            let mut shards = shards.filter(|(name, _, _)| *name == shard);
            shards.next().unwrap().1
        };
        world.job("moveShard", &body(leader, third));
        assert_eq!(now(), [third.clone(), follower.clone()]);
        world.wait_until_in_sync("the copies after the first move");
        world.job("moveShard", &body(third, leader));
        assert_eq!(now(), [leader.clone(), follower.clone()]);
        world.wait_until_in_sync("the copies after the second move");
        world.job("moveShard", &body(follower, third));
        assert_eq!(now(), [leader.clone(), third.clone()]);
        world.wait_until_in_sync("the copies after the third move");
    });
    world.check(written);
}

#[test]
fn a_clean_out_survives_the_loss_of_the_agencys_leader() {
    catch("a clean-out under way", || {
        let mut world = World::start(3);
        clean_out_without_the_leader(&mut world)
    });
}

/// Nothing if the clean-out had ended before the leader was killed.
fn clean_out_without_the_leader(world: &mut World) -> Option<()> {
    let server = world.ids[0].clone();
    let client = world.cluster.client(0);
    for number in 0..40 {
        write(&client, number);
    }
    assert!(world.holds(&server));
    let id = world.ask("cleanOutServer", &json!({ "server": server }));
    let (leader, _) = world.cluster.agents.leader();
    wait_for("the clean-out", || {
        let jobs = world.cluster.agents.read("/arango/Target");
        let stages = ["Pending", "Finished", "Failed"];
        stages
            .iter()
            .find_map(|stage| jobs[*stage].get(&id).map(drop))
    });
    world.cluster.agents.kill(leader);
    let finished = world.cluster.agents.read("/arango/Target/Finished");
    if finished.get(&id).is_some() {
        return None;
    }
    world.wait_for_job(&id);
    let numbers = client.get("/_admin/cluster/numberOfServers").json();
    assert_eq!(numbers["cleanedServers"], json!([server]));
    // The plan is without it now; what the servers say follows.
    let planned = |(_, planned, _): &(_, Vec<String>, _)| planned.contains(&server);
    let shards = world.shards();
    assert!(!shards.iter().any(planned), "{shards:?}");
    world.wait_until_in_sync("the copies after the clean-out");
    assert!(!world.holds(&server), "{:?}", world.shards());
    let locks = world.cluster.agents.read("/arango/Supervision");
    assert_eq!(
        (&locks["Shards"], &locks["DBServers"]),
        (&json!({}), &json!({}))
    );
    world.check(40);
    Some(())
}

#[test]
fn leadership_is_resigned_under_writes() {
    let world = World::start(2);
    let server = world.ids[0].clone();
    let leads = || {
        let shards = world.shards().into_iter();
        let mut shards = shards.filter(|(_, planned, current)| {
            planned[0].ends_with(&server)
                || current
                    .first()
                    .is_some_and(|first| first.ends_with(&server))
        });
        shards.next().is_some()
    };
    assert!(leads());
    let written = under_writes(&world, |world| {
        world.job(
            "resignLeadership",
            &json!({ "server": server, "undoMoves": false }),
        );
        assert!(!leads());
        world.wait_until_in_sync("the copies after the resignation");
    });
    world.check(written);
    assert!(world.holds(&server));
}
