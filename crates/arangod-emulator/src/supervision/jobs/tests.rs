//! Jobs on trees made by hand, without an agency.

use serde_json::{Value, json};

use super::job::Clock;
use super::{Step, View, overlooked, report, steps};
use crate::agency::{Transaction, replay, tree};

/// The time of every tree.
const NOW: u64 = 1_700_000_000;

/// A tree with the servers A to D, all GOOD, and no shard.
pub(super) struct World {
    pub(super) root: Value,
    pub(super) clock: Clock,
}

impl World {
    pub(super) fn new() -> Self {
        let mut world = Self {
            root: json!({}),
            clock: Clock::at(NOW),
        };
        for server in ["A", "B", "C", "D"] {
            world.put(&format!("Plan/DBServers/{server}"), json!("none"));
            world.health(server, "GOOD");
        }
        world
    }

    pub(super) fn put(&mut self, path: &str, value: Value) {
        let path = format!("/arango/{path}");
        tree::put(&mut self.root, &tree::split(&path), value);
    }

    pub(super) fn at(&self, path: &str) -> Value {
        View::new(&self.root).at(path).clone()
    }

    pub(super) fn health(&mut self, server: &str, status: &str) {
        let path = format!("Supervision/Health/{server}/Status");
        self.put(&path, json!(status));
    }

    /// The servers on which a shard is planned, and those that have it in sync.
    pub(super) fn shard(&mut self, shard: &str, planned: &[&str], in_sync: &[&str]) {
        let collection = "Plan/Collections/_system/7";
        let factor = format!("{collection}/replicationFactor");
        if self.at(&factor).is_null() {
            self.put(&factor, json!(planned.len()));
        }
        self.put(&format!("{collection}/shards/{shard}"), json!(planned));
        self.current(shard, in_sync);
    }

    pub(super) fn current(&mut self, shard: &str, in_sync: &[&str]) {
        let path = format!("Current/Collections/_system/7/{shard}/servers");
        self.put(&path, json!(in_sync));
    }

    pub(super) fn plan(&self, shard: &str) -> Vec<String> {
        let plan = self.at(&format!("Plan/Collections/_system/7/shards/{shard}"));
        serde_json::from_value(plan).unwrap()
    }

    /// Carries out a step; whether its preconditions held.
    pub(super) fn carry_out(&mut self, step: &Step) -> bool {
        let query = step.query();
        let transaction = Transaction::parse(&query).unwrap();
        if !transaction.failing(&self.root).is_empty() {
            return false;
        }
        replay(&mut self.root, &query[0]).unwrap();
        true
    }

    pub(super) fn steps(&self) -> Vec<Step> {
        steps(View::new(&self.root), self.clock)
    }

    /// Lets all jobs go on as far as they can.
    pub(super) fn settle(&mut self) {
        for _ in 0..100 {
            let done: Vec<bool> = self
                .steps()
                .iter()
                .map(|step| self.carry_out(step))
                .collect();
            if !done.contains(&true) {
                return;
            }
        }
        panic!("jobs do not come to rest: {:#}", self.at("Target"));
    }

    pub(super) fn fail(&mut self, server: &str, job: &str) {
        self.health(server, "FAILED");
        let step = report(server, job, self.clock);
        assert!(self.carry_out(&step));
    }

    /// Where a job is.
    pub(super) fn stage(&self, job: &str) -> &'static str {
        let stages = ["ToDo", "Pending", "Finished", "Failed"];
        let mut there = stages
            .into_iter()
            .filter(|stage| !self.at(&format!("Target/{stage}/{job}")).is_null());
        let stage = there.next().unwrap_or("nowhere");
        assert_eq!(there.next(), None, "{job} is in two stages");
        stage
    }

    pub(super) fn locks(&self) -> Vec<String> {
        let view = View::new(&self.root);
        ["Supervision/Shards", "Supervision/DBServers"]
            .iter()
            .flat_map(|kind| view.names(kind))
            .map(String::from)
            .collect()
    }
}

#[test]
fn a_leader_that_failed_is_replaced_by_who_is_in_sync() {
    let mut world = World::new();
    world.shard("s1", &["A", "B", "C"], &["A", "C"]);
    world.shard("s2", &["B", "A", "C"], &["B", "A", "C"]);
    world.fail("A", "10");
    assert_eq!(world.at("Target/FailedServers/A"), json!([]));
    world.settle();
    // B is not in sync, and so it is not chosen, though it is planned in front of C.
    assert_eq!(world.plan("s1"), ["C", "A", "B"]);
    assert_eq!(world.plan("s2"), ["B", "D", "C"]);
    assert_eq!(world.stage("10"), "Pending");
    let sub_job = world.at("Target/Pending/10-0");
    assert_eq!(
        (
            &sub_job["type"],
            &sub_job["toServer"],
            &sub_job["parentJob"]
        ),
        (&json!("failedLeader"), &json!("C"), &json!("10"))
    );
    assert_eq!(world.at("Supervision/Shards/s1"), "10-0");

    // C has taken over; A is a follower now, and D takes its place.
    world.current("s1", &["C"]);
    world.settle();
    assert_eq!(world.plan("s1"), ["C", "D", "B"]);
    assert_eq!(world.stage("10"), "Finished");
    assert!(world.at("Target/Finished/10")["timeFinished"].is_string());
    assert!(world.locks().is_empty(), "{:?}", world.locks());
    assert_eq!(world.at("Plan/Version"), 3);
}

#[test]
fn without_anybody_in_sync_a_shard_stays_without_a_leader() {
    let mut world = World::new();
    world.shard("s1", &["A", "B"], &["A"]);
    world.fail("A", "10");
    world.settle();
    assert_eq!(world.plan("s1"), ["A", "B"]);
    assert_eq!(world.stage("10-0"), "ToDo");

    // In sync, but not well, or to be left alone.
    world.current("s1", &["A", "B"]);
    for status in ["BAD", "FAILED"] {
        world.health("B", status);
        world.settle();
        assert_eq!(world.plan("s1"), ["A", "B"]);
    }
    world.health("B", "GOOD");
    world.put("Target/MaintenanceDBServers/B/Mode", json!("maintenance"));
    world.settle();
    assert_eq!(world.plan("s1"), ["A", "B"]);
    world.put("Target/MaintenanceDBServers/B/Mode", json!("normal"));
    world.settle();
    assert_eq!(world.plan("s1"), ["B", "A"]);
}

#[test]
fn a_promotion_is_refused_when_anything_it_rests_on_has_changed() {
    let mut world = World::new();
    world.shard("s1", &["A", "B", "C"], &["A", "B"]);
    world.fail("A", "10");
    let begin = world.steps();
    assert!(world.carry_out(&begin[0]));
    let promotion = world
        .steps()
        .into_iter()
        .find(|step| step.what.starts_with("failedLeader"))
        .unwrap();
    let changes: [(&str, Value); 5] = [
        ("Current/Collections/_system/7/s1/servers", json!(["A"])),
        ("Plan/Collections/_system/7/shards/s1", json!(["A", "B"])),
        ("Supervision/Health/A/Status", json!("GOOD")),
        ("Supervision/Health/B/Status", json!("BAD")),
        ("Target/ToDo/10-0", json!(null)),
    ];
    for (path, value) in changes {
        let before = world.root.clone();
        if value.is_null() {
            let path = format!("/arango/{path}");
            tree::remove(&mut world.root, &tree::split(&path));
        } else {
            world.put(path, value);
        }
        assert!(!world.carry_out(&promotion), "{path}");
        world.root = before;
    }
    assert!(world.carry_out(&promotion));
    // A second time it changes nothing, whoever tries.
    let after = world.root.clone();
    assert!(!world.carry_out(&promotion));
    assert_eq!(world.root, after);
}

#[test]
fn who_comes_back_in_time_is_left_in_peace() {
    let mut world = World::new();
    world.shard("s1", &["A", "B"], &["A", "B"]);
    world.fail("A", "10");
    world.health("A", "GOOD");
    world.settle();
    let reason = world.at("Target/Failed/10/reason");
    assert!(reason.as_str().unwrap().contains("no longer failed"));

    // Begun, but nobody was there to take over.
    let mut world = World::new();
    world.shard("s1", &["A", "B"], &["A"]);
    world.fail("A", "10");
    world.settle();
    world.health("A", "GOOD");
    world.settle();
    assert_eq!(
        (world.stage("10"), world.stage("10-0")),
        ("Finished", "Failed")
    );
    assert_eq!(world.plan("s1"), ["A", "B"]);
    assert!(world.locks().is_empty());
}

#[test]
fn a_follower_is_replaced_only_under_a_leader_that_serves() {
    let mut world = World::new();
    world.shard("s1", &["A", "B", "C"], &["A", "B", "C"]);
    world.fail("A", "10");
    world.fail("B", "11");
    world.settle();
    // C leads in the plan, but has not taken over.
    assert_eq!(world.plan("s1"), ["C", "B", "A"]);
    world.current("s1", &["C"]);
    world.settle();
    let plan = world.plan("s1");
    assert_eq!(plan.len(), 3);
    assert!(
        plan[0] == "C" && plan.contains(&String::from("D")),
        "{plan:?}"
    );
    // There is nobody for the other one.
    assert!(["10", "11"].iter().any(|job| world.stage(job) == "Pending"));
    world.health("A", "GOOD");
    world.health("B", "GOOD");
    world.settle();
    assert_eq!(
        (world.stage("10"), world.stage("11")),
        ("Finished", "Finished")
    );
}

#[test]
fn a_dropped_collection_ends_its_jobs() {
    let mut world = World::new();
    world.shard("s1", &["A", "B"], &["A"]);
    world.fail("A", "10");
    world.settle();
    world.put("Plan/Collections/_system", json!({}));
    world.settle();
    assert_eq!(
        (world.stage("10"), world.stage("10-0")),
        ("Finished", "Finished")
    );
}

#[test]
fn a_failure_during_maintenance_is_found_afterwards() {
    let mut world = World::new();
    world.put("Target/MaintenanceDBServers/A/Mode", json!("maintenance"));
    world.health("A", "FAILED");
    assert!(overlooked(View::new(&world.root)).is_empty());
    world.put("Target/MaintenanceDBServers", json!({}));
    assert_eq!(overlooked(View::new(&world.root)), ["A"]);
    world.fail("A", "10");
    assert!(overlooked(View::new(&world.root)).is_empty());
}
