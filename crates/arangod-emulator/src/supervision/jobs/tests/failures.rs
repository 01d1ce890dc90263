//! Servers that fail.

use serde_json::{Value, json};

use super::World;
use crate::agency::tree;
use crate::supervision::jobs::failed_server::overlooked;
use crate::supervision::jobs::view::View;

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
