//! Servers that fail.

use serde_json::{Value, json};

use super::World;
use crate::agency::tree;
use crate::supervision::jobs::failed_server::overlooked;
use crate::supervision::jobs::view::{Place, View};

#[test]
fn a_leader_that_failed_is_replaced_by_who_is_in_sync() {
    let mut world = World::new();
    world.shard("s1", &["A", "B", "C"], &["A", "C"]);
    world.shard("s2", &["B", "A", "C"], &["B", "A", "C"]);
    world.fail("A", "10");
    assert_eq!(world.at("Target/FailedServers/A"), json!([]));
    world.settle();
    // B is not in sync, and so it is not chosen, though it is planned in front of C.
    // A server that does not have the shard is planned beside them, behind all others.
    assert_eq!(world.plan("s1"), ["C", "A", "B", "D"]);
    // It takes the place of a follower, which stays planned for now.
    assert_eq!(world.plan("s2"), ["B", "D", "C", "A"]);
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

    // C has taken over. Nobody goes before enough others have everything.
    world.current("s1", &["C"]);
    world.settle();
    assert_eq!(world.plan("s1"), ["C", "A", "B", "D"]);
    assert_eq!(world.stage("10"), "Finished");
    assert!(world.at("Target/Finished/10")["timeFinished"].is_string());
    world.current("s1", &["C", "D", "B"]);
    world.current("s2", &["B", "D", "C"]);
    world.settle();
    assert_eq!(world.plan("s1"), ["C", "B", "D"]);
    assert_eq!(world.plan("s2"), ["B", "D", "C"]);
    assert!(world.locks().is_empty(), "{:?}", world.locks());
}

#[test]
fn who_comes_back_before_the_spare_one_has_everything_keeps_its_place() {
    let mut world = World::new();
    world.shard("s1", &["A", "B"], &["A", "B"]);
    world.fail("A", "10");
    world.settle();
    assert_eq!(world.plan("s1"), ["B", "A", "C"]);
    world.health("A", "GOOD");
    world.current("s1", &["B", "A"]);
    world.settle();
    assert_eq!(world.plan("s1"), ["B", "A"]);
    world.rests();
}

#[test]
fn without_the_option_a_failed_leader_adds_nobody() {
    let mut world = World::new();
    world.rules.failed_leader_adds_follower = false;
    world.shard("s1", &["A", "B"], &["A", "B"]);
    world.fail("A", "10");
    world.settle();
    assert_eq!(world.plan("s1"), ["B", "A"]);
    // Once B serves, there is a follower too few: the one that has failed does not count.
    world.current("s1", &["B"]);
    world.settle();
    assert_eq!(world.plan("s1"), ["B", "A", "C"]);
    world.current("s1", &["B", "C"]);
    world.settle();
    assert_eq!(world.plan("s1"), ["B", "C"]);
    world.rests();
}

#[test]
fn shards_that_are_distributed_alike_go_together() {
    let mut world = World::new();
    world.shard("s1", &["A", "B", "C"], &["A", "B", "C"]);
    world.distribute_alike();
    let plans = |world: &World| {
        let plan = |place: &Place| world.at(&place.plan());
        world.group("s1").iter().map(plan).collect::<Vec<_>>()
    };
    let alike = "Current/Collections/_system/8/s100/servers";
    // B lacks something of one of the two.
    world.put(alike, json!(["A", "C"]));
    world.fail("A", "10");
    world.settle();
    let led = json!(["C", "A", "B", "D"]);
    assert_eq!(plans(&world), [led.clone(), led.clone()]);
    // C has not taken over both, and nobody goes before.
    world.current("s1", &["C", "B", "D"]);
    world.settle();
    assert_eq!(world.stage("10-0"), "Pending");
    assert_eq!(world.plan("s1"), ["C", "A", "B", "D"]);
    world.put(alike, json!(["C", "D"]));
    world.settle();
    assert_eq!(world.stage("10-0"), "Finished");
    assert_eq!(plans(&world), [led.clone(), led]);
    world.put(alike, json!(["C", "D", "B"]));
    world.settle();
    let whole = json!(["C", "B", "D"]);
    assert_eq!(plans(&world), [whole.clone(), whole]);
    // Nothing was done about the one that goes with the other.
    let jobs = ["ToDo", "Pending", "Finished", "Failed"].map(|stage| {
        let jobs = world.at(&format!("Target/{stage}"));
        let jobs = jobs.as_object().cloned().unwrap_or_default();
        jobs.values().filter(|job| job["collection"] == "8").count()
    });
    assert_eq!(jobs, [0; 4]);
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
    world.health("B", "BAD");
    world.settle();
    assert_eq!(world.plan("s1"), ["A", "B"]);
    world.health("B", "FAILED");
    world.settle();
    assert_eq!(world.plan("s1"), ["A", "C", "B"]);
    world.health("B", "GOOD");
    world.put("Target/MaintenanceDBServers/B/Mode", json!("maintenance"));
    world.settle();
    assert_eq!(world.plan("s1"), ["A", "C", "B"]);
    world.put("Target/MaintenanceDBServers/B/Mode", json!("normal"));
    world.settle();
    assert_eq!(world.plan("s1"), ["B", "A", "C", "D"]);
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
fn a_follower_is_replaced_whether_there_is_a_leader_or_not() {
    let mut world = World::new();
    world.shard("s1", &["A", "B"], &["A", "B"]);
    world.fail("A", "10");
    world.fail("B", "11");
    world.settle();
    // Nobody is there to lead. B, who has everything, stays planned.
    assert_eq!(world.plan("s1"), ["A", "C", "B"]);
    assert_eq!(world.stage("11"), "Finished");
    // It comes back first, and leads.
    world.health("B", "GOOD");
    world.settle();
    assert_eq!(world.plan("s1"), ["B", "A", "C", "D"]);
    world.current("s1", &["B", "C", "D"]);
    world.settle();
    assert_eq!(world.plan("s1"), ["B", "C"]);
    world.rests();
}

#[test]
fn a_follower_without_a_server_to_replace_it_is_replaced_later() {
    let mut world = World::new();
    world.shard("s1", &["A", "B", "C", "D"], &["A", "B", "C", "D"]);
    world.put("Plan/Collections/_system/7/replicationFactor", json!(4));
    world.fail("B", "10");
    world.settle();
    assert_eq!(world.plan("s1"), ["A", "B", "C", "D"]);
    assert_eq!(
        (world.stage("10"), world.stage("10-0")),
        ("Finished", "Failed")
    );
    assert_eq!(
        world.at("Target/Failed/10-0/reason"),
        "No server available."
    );
    world.put("Plan/DBServers/E", json!("none"));
    world.health("E", "GOOD");
    world.settle();
    assert_eq!(world.plan("s1"), ["A", "B", "C", "D", "E"]);
    world.current("s1", &["A", "C", "D", "E"]);
    world.settle();
    assert_eq!(world.plan("s1"), ["A", "C", "D", "E"]);
    world.rests();
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
