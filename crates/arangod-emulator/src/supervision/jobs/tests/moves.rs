//! Shards that move.

use serde_json::{Value, json};

use super::{NOW, World};
use crate::supervision::jobs::job::Clock;

impl World {
    pub(super) fn ask(&mut self, id: &str, mut entry: Value) {
        entry["jobId"] = json!(id);
        entry["timeCreated"] = json!(self.clock.text());
        self.put(&format!("Target/ToDo/{id}"), entry);
    }

    fn ask_move(&mut self, id: &str, (from, to): (&str, &str), leads: bool, remains: bool) {
        self.ask(
            id,
            json!({
                "type": "moveShard", "database": "_system", "collection": "7", "shard": "s1",
                "fromServer": from, "toServer": to, "isLeader": leads, "remainsFollower": remains,
            }),
        );
    }

    fn reason(&self, id: &str) -> String {
        let reason = self.at(&format!("Target/Failed/{id}/reason"));
        String::from(reason.as_str().unwrap())
    }

    pub(super) fn rests(&self) {
        assert!(self.locks().is_empty(), "{:?}", self.locks());
        for stage in ["ToDo", "Pending"] {
            let jobs = self.at(&format!("Target/{stage}"));
            assert!(
                jobs.as_object().is_none_or(|jobs| jobs.is_empty()),
                "{jobs:#}"
            );
        }
    }
}

#[test]
fn a_follower_moves() {
    let mut world = World::new();
    world.shard("s1", &["A", "B"], &["A", "B"]);
    world.ask_move("1", ("B", "C"), false, false);
    world.settle();
    // The old follower stays until the new one has everything.
    assert_eq!(world.plan("s1"), ["A", "B", "C"]);
    assert_eq!(world.locks(), ["s1", "C"]);
    world.current("s1", &["A", "B", "C"]);
    world.settle();
    assert_eq!(
        (world.plan("s1"), world.stage("1")),
        (vec!["A".into(), "C".into()], "Finished")
    );
    world.rests();
}

#[test]
fn a_leader_moves_step_by_step() {
    let mut world = World::new();
    world.shard("s1", &["A", "B"], &["A", "B"]);
    world.ask_move("1", ("A", "C"), true, false);
    world.settle();
    assert_eq!(world.plan("s1"), ["A", "C", "B"]);
    world.current("s1", &["A", "B", "C"]);
    world.settle();
    assert_eq!(world.plan("s1"), ["_A", "C", "B"]);
    world.current("s1", &["_A", "B", "C"]);
    world.settle();
    assert_eq!(world.plan("s1"), ["C", "B", "A"]);
    // The new leader has not yet taken over, or not with everybody.
    world.settle();
    world.current("s1", &["C"]);
    world.settle();
    assert_eq!(world.plan("s1"), ["C", "B", "A"]);
    world.current("s1", &["C", "B"]);
    world.settle();
    assert_eq!(world.plan("s1"), ["C", "B"]);
    assert_eq!(world.stage("1"), "Finished");
    world.rests();
}

#[test]
fn a_leader_that_remains_a_follower_changes_places() {
    let mut world = World::new();
    world.shard("s1", &["A", "B"], &["A", "B"]);
    world.ask_move("1", ("A", "B"), true, true);
    world.play(&["s1"]);
    assert_eq!(world.plan("s1"), ["B", "A"]);
    assert_eq!(world.stage("1"), "Finished");
    world.rests();
    // To a server that had nothing: one is too many then, and goes.
    world.ask_move("2", ("B", "C"), true, true);
    world.play(&["s1"]);
    let plan = world.plan("s1");
    assert!(plan.len() == 2 && plan[0] == "C", "{plan:?}");
    world.rests();
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    let cases: [((&str, &str), bool, &str); 6] = [
        (
            ("B", "B"),
            false,
            "Source and destination of moveShard must be different",
        ),
        (("C", "D"), false, "fromServer must be a follower in plan"),
        (("B", "D"), true, "fromServer must be the leader in plan"),
        (
            ("B", "A"),
            false,
            "toServer must not be planned for a following shard",
        ),
        (
            ("B", "X"),
            false,
            "fromServer and toServer must be in Plan/DBServers",
        ),
        (("B", "C"), false, "toServer must not be failed"),
    ];
    for (servers, leads, reason) in cases {
        let mut world = World::new();
        world.health("C", "FAILED");
        world.put("Target/FailedServers/C", json!([]));
        world.shard("s1", &["A", "B"], &["A", "B"]);
        world.ask_move("1", servers, leads, false);
        world.settle();
        assert_eq!(world.reason("1"), reason);
        assert_eq!(world.plan("s1"), ["A", "B"]);
        world.rests();
    }
}

#[test]
fn moves_to_one_server_wait_for_each_other() {
    let mut world = World::new();
    world.shard("s1", &["A", "B"], &["A", "B"]);
    world.shard("s2", &["A", "B"], &["A", "B"]);
    world.ask_move("1", ("B", "C"), false, false);
    world.ask_move("2", ("B", "C"), false, false);
    world.put("Target/ToDo/2/shard", json!("s2"));
    world.settle();
    assert_eq!((world.stage("1"), world.stage("2")), ("Pending", "ToDo"));
    world.play(&["s1", "s2"]);
    assert_eq!(
        (world.stage("1"), world.stage("2")),
        ("Finished", "Finished")
    );
    assert_eq!(world.plan("s2"), ["A", "C"]);
}

#[test]
fn a_target_that_fails_ends_the_move_and_the_leader_leads_on() {
    let mut world = World::new();
    world.shard("s1", &["A", "B"], &["A", "B"]);
    world.ask_move("1", ("A", "C"), true, false);
    world.settle();
    world.current("s1", &["A", "B", "C"]);
    world.settle();
    assert_eq!(world.plan("s1")[0], "_A");
    world.fail("C", "9");
    world.settle();
    assert_eq!(world.plan("s1")[0], "A");
    assert_eq!(world.reason("1"), "toServer has failed");
    world.play(&["s1"]);
    let plan = world.plan("s1");
    assert!(plan.len() == 2 && plan[0] == "A", "{plan:?}");
    world.rests();
}

#[test]
fn a_leader_that_fails_while_it_resigns_is_replaced() {
    let mut world = World::new();
    world.shard("s1", &["A", "B"], &["A", "B"]);
    world.ask_move("1", ("A", "C"), true, false);
    world.settle();
    world.current("s1", &["A", "B", "C"]);
    world.settle();
    world.current("s1", &["_A", "B", "C"]);
    world.fail("A", "9");
    // The move may be a step ahead of the failure, and then goes on.
    world.play(&["s1"]);
    let plan = world.plan("s1");
    assert!(plan.len() == 2 && !plan.contains(&"A".into()), "{plan:?}");
    world.rests();
}

#[test]
fn late_is_failed() {
    let mut world = World::new();
    world.shard("s1", &["A", "B"], &["A", "B"]);
    world.ask_move("1", ("B", "C"), false, false);
    world.settle();
    world.clock = Clock::at(1_700_000_000 + 12 * 3600 - 1);
    world.settle();
    assert_eq!(world.stage("1"), "Pending");
    world.clock = Clock::at(1_700_000_000 + 12 * 3600 + 1);
    world.settle();
    assert_eq!(world.reason("1"), "timeout");
    world.play(&["s1"]);
    assert_eq!(world.plan("s1").len(), 2);
    world.rests();
}

#[test]
fn a_server_is_cleaned_out() {
    let mut world = World::new();
    let shards = ["s1", "s2", "s3"];
    world.shard("s1", &["A", "B"], &["A", "B"]);
    world.shard("s2", &["B", "A"], &["B", "A"]);
    world.shard("s3", &["A", "C"], &["A", "C"]);
    world.ask("5", json!({"type": "cleanOutServer", "server": "A"}));
    world.settle();
    assert_eq!(world.at("Target/ToBeCleanedServers"), json!(["A"]));
    world.play(&shards);
    assert_eq!(world.stage("5"), "Finished");
    assert_eq!(world.at("Target/CleanedServers"), json!(["A"]));
    assert_eq!(world.at("Target/ToBeCleanedServers"), json!([]));
    for shard in shards {
        let plan = world.plan(shard);
        assert!(plan.len() == 2 && !plan.contains(&"A".into()), "{plan:?}");
    }
    world.rests();
    // Nobody gives it anything any more.
    let leader = world.plan("s1")[0].clone();
    world.ask_move("6", (&leader, "A"), true, false);
    world.settle();
    assert!(world.reason("6").contains("CleanedServers"));
    let moved = world.at("Target/Finished/5-0");
    assert_eq!(
        (&moved["type"], &moved["parentJob"]),
        (&json!("moveShard"), &json!("5"))
    );
}

#[test]
fn a_shard_planned_during_a_clean_out_moves_too() {
    let mut world = World::new();
    world.put("Plan/Version", json!(1));
    world.shard("s1", &["A", "B"], &["A", "B"]);
    world.ask("5", json!({"type": "cleanOutServer", "server": "A"}));
    world.settle();
    world.shard("s2", &["A", "B"], &["A", "B"]);
    world.play(&["s1", "s2"]);
    assert_eq!(world.stage("5"), "Finished");
    assert!(!world.plan("s2").contains(&"A".into()));
    // And in the very last moment.
    let mut world = World::new();
    world.put("Plan/Version", json!(1));
    world.ask("5", json!({"type": "cleanOutServer", "server": "A"}));
    let begin = world.steps();
    assert!(world.carry_out(&begin[0]));
    let end = world.steps();
    world.shard("s1", &["A", "B"], &["A", "B"]);
    world.put("Plan/Version", json!(2));
    assert!(!world.carry_out(&end[0]));
}

#[test]
fn a_server_cannot_be_cleaned_out_when_nobody_can_take_its_shards() {
    let mut world = World::new();
    world.shard("s1", &["A", "B", "C", "D"], &["A", "B", "C", "D"]);
    world.ask("5", json!({"type": "cleanOutServer", "server": "A"}));
    world.ask("6", json!({"type": "cleanOutServer", "server": "X"}));
    world.settle();
    assert_eq!(world.reason("5"), "no server is there to take shard s1");
    assert_eq!(
        world.reason("6"),
        "server does not exist as DBServer in Plan"
    );
    assert_eq!(world.plan("s1"), ["A", "B", "C", "D"]);
    world.rests();
}

#[test]
fn a_server_that_fails_is_not_cleaned_out() {
    let mut world = World::new();
    world.shard("s1", &["A", "B"], &["A", "B"]);
    world.ask("5", json!({"type": "cleanOutServer", "server": "A"}));
    world.settle();
    assert_eq!(world.stage("5-0"), "Pending");
    world.fail("A", "9");
    world.play(&["s1"]);
    assert_eq!(world.reason("5"), "server has failed");
    assert_eq!(world.at("Target/ToBeCleanedServers"), json!([]));
    assert!(
        !world.plan("s1").contains(&"A".into()),
        "{:?}",
        world.plan("s1")
    );
    world.rests();
}

#[test]
fn leadership_is_resigned_where_somebody_can_take_it() {
    let mut world = World::new();
    let shards = ["s1", "s2", "s3"];
    world.shard("s1", &["A", "B"], &["A", "B"]);
    world.shard("s2", &["A", "C"], &["A", "C"]);
    world.shard("s3", &["B", "A"], &["B", "A"]);
    world.put("Plan/Collections/_system/8/shards/s4", json!(["A"]));
    world.put("Plan/Collections/_system/8/replicationFactor", json!(1));
    world.put("Current/Collections/_system/8/s4/servers", json!(["A"]));
    world.ask("5", json!({"type": "resignLeadership", "server": "A"}));
    world.play(&shards);
    assert_eq!(world.stage("5"), "Finished");
    assert_eq!(world.plan("s1"), ["B", "A"]);
    assert_eq!(world.plan("s2"), ["C", "A"]);
    assert_eq!(world.plan("s3"), ["B", "A"]);
    assert_eq!(
        world.at("Plan/Collections/_system/8/shards/s4"),
        json!(["A"])
    );
    world.rests();
}

#[test]
fn a_server_that_resigned_leads_again_after_its_restart() {
    let resigned = |more: Value| {
        let mut world = World::new();
        world.shard("s1", &["A", "B"], &["A", "B"]);
        let mut entry = json!({"type": "resignLeadership", "server": "A"});
        entry
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        world.ask("5", entry);
        world.settle();
        assert_eq!(world.at("Target/ToBeCleanedServers"), json!(["A"]));
        world.play(&["s1"]);
        assert_eq!(
            (world.stage("5"), world.plan("s1")),
            ("Finished", vec!["B".into(), "A".into()])
        );
        assert_eq!(world.at("Target/ToBeCleanedServers"), json!([]));
        world
    };
    let entry = "Target/ReturnLeadership/s1";
    let world = resigned(json!({"undoMoves": false}));
    assert_eq!(world.at(entry), Value::Null);

    let mut world = resigned(json!({}));
    assert_eq!(world.at(entry)["rebootId"], 1);
    assert_eq!(world.at(entry)["moveShard"]["fromServer"], "A");
    // Nothing happens before the restart, nor before it is in sync again.
    world.play(&["s1"]);
    assert_eq!(world.plan("s1"), ["B", "A"]);
    world.put("Current/ServersKnown/A/rebootId", json!(2));
    world.current("s1", &["B"]);
    world.settle();
    assert_eq!(world.at(entry)["started"], Value::Null);
    world.play(&["s1"]);
    assert_eq!(
        (world.plan("s1"), world.at(entry)),
        (vec!["A".into(), "B".into()], Value::Null)
    );
    world.rests();

    // Whoever comes too late does not lead again.
    let mut world = resigned(json!({"undoMoves": true}));
    world.clock = Clock::at(NOW + 20 * 60 + 1);
    world.put("Current/ServersKnown/A/rebootId", json!(2));
    world.play(&["s1"]);
    assert_eq!(
        (world.plan("s1"), world.at(entry)),
        (vec!["B".into(), "A".into()], Value::Null)
    );
    // Nor does one that has the shard no more.
    let mut world = resigned(json!({}));
    world.put("Plan/Collections/_system/7/shards/s1", json!(["B", "C"]));
    world.play(&["s1"]);
    assert_eq!(world.at(entry), Value::Null);
}

#[test]
fn the_last_server_cannot_resign() {
    let mut world = World::new();
    world.shard("s1", &["A"], &["A"]);
    world.put("Target/CleanedServers", json!(["B", "C", "D"]));
    world.ask("5", json!({"type": "resignLeadership", "server": "A"}));
    world.settle();
    assert_eq!(world.reason("5"), "server A cannot resign");
}

#[test]
fn there_are_as_many_followers_as_the_replication_factor_says() {
    let mut world = World::new();
    world.shard("s1", &["A", "B"], &["A", "B"]);
    world.put("Plan/Collections/_system/7/replicationFactor", json!(3));
    world.settle();
    assert_eq!(world.plan("s1"), ["A", "B", "C"]);
    world.put("Plan/Collections/_system/7/replicationFactor", json!(2));
    // Who has nothing yet goes first, and not before enough others have everything.
    world.settle();
    assert_eq!(world.plan("s1"), ["A", "B"]);
    // Nobody is taken away while there is no leader that serves.
    world.put("Plan/Collections/_system/7/replicationFactor", json!(1));
    world.current("s1", &["B"]);
    world.settle();
    assert_eq!(world.plan("s1"), ["A", "B"]);
    world.current("s1", &["A", "B"]);
    world.settle();
    assert_eq!(world.plan("s1"), ["A"]);
    world.rests();
}

#[test]
fn a_cancelled_move_fails_and_what_was_planned_for_it_is_taken_away() {
    let mut world = World::new();
    world.shard("s1", &["A", "B"], &["A", "B"]);
    world.ask_move("1", ("A", "C"), true, false);
    world.settle();
    world.current("s1", &["A", "B", "C"]);
    world.settle();
    assert_eq!(world.plan("s1")[0], "_A");
    world.put("Target/Pending/1/abort", json!(true));
    world.settle();
    assert_eq!(
        (world.stage("1"), world.reason("1").as_str()),
        ("Failed", "Killed via API")
    );
    // Who was asked to resign leads on.
    assert_eq!(world.plan("s1")[0], "A");
    assert!(world.locks().is_empty());

    // One that has not begun leaves nothing.
    world.ask_move("2", ("B", "C"), false, false);
    world.put("Target/ToDo/2/abort", json!(true));
    world.settle();
    assert_eq!(
        (world.stage("2"), world.reason("2").as_str()),
        ("Failed", "Killed via API")
    );
}

#[test]
fn a_cancelled_clean_out_cancels_its_moves() {
    let mut world = World::new();
    world.shard("s1", &["A", "B"], &["A", "B"]);
    world.ask("1", json!({ "type": "cleanOutServer", "server": "B" }));
    world.settle();
    assert_eq!(world.at("Target/ToBeCleanedServers"), json!(["B"]));
    assert!(world.at("Target/Pending/1-0").is_object());
    world.put("Target/Pending/1/abort", json!(true));
    world.settle();
    for id in ["1-0", "1"] {
        assert_eq!(
            (world.stage(id), world.reason(id).as_str()),
            ("Failed", "Killed via API")
        );
    }
    assert_eq!(world.at("Target/ToBeCleanedServers"), json!([]));
    assert!(world.locks().is_empty());
}
