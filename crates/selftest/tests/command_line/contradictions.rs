//! Markers that contradict a test's deployment are refused when tests are collected; a flag that does is not.

use armadillo_selftest::{Ran, Suite};

fn run(args: &[&str]) -> Ran {
    let suite = Suite::new(env!("CARGO_BIN_EXE_contradictions"));
    suite.args(["--arangod", "emulator"]).args(args).run()
}

#[test]
fn markers_that_contradict_the_deployment_are_refused_with_the_place() {
    for (test, said) in [
        (
            "a_single_server_that_is_a_cluster",
            "the marker `arango_cluster` of the test `a_single_server_that_is_a_cluster` requires `arangodb cluster`",
        ),
        (
            "a_cluster_that_is_a_single_server",
            "the marker `arango_single` of the test `a_cluster_that_is_a_single_server` requires `arangodb single`",
        ),
        (
            "both",
            "the markers `arango_cluster` and `arango_single` of the test `both` require different shapes of the same deployment",
        ),
        (
            "neither",
            "the marker `arango_cluster` of the test `neither` requires a deployment, but the test does not use one",
        ),
        (
            "nothing_to_act_on",
            "the test `nothing_to_act_on` takes an Orchestrator, but nothing selects a deployment for it",
        ),
        (
            "nothing_that_could_be_real",
            "the test `nothing_that_could_be_real` has `requires(..)`, but it uses no deployment",
        ),
        (
            "an_unknown_capability",
            "unknown capability `telepathy` in `requires(..)` of the test `an_unknown_capability`",
        ),
        (
            "a_version_of_either",
            "`requires(version = ..)` of the test `a_version_of_either` can mean several systems",
        ),
        (
            "a_version_of_another",
            "the test `a_version_of_another` requires something of `etcd`, which it does not use",
        ),
    ] {
        for action in [&[][..], &["--list"]] {
            let ran = run(&[&[test, "--exact"], action].concat());
            let (said_so, code) = (ran.stderr.starts_with(&format!("error: {said}")), ran.code);
            assert_eq!((said_so, code), (true, Some(2)), "{}", ran.said());
            let place = "\n    crates/selftest/src/bin/contradictions.rs:";
            assert!(ran.stderr.contains(place), "{}", ran.said());
            assert!(ran.runs().is_empty(), "a run was begun");
        }
    }
    assert_eq!(run(&[]).code, Some(2), "one is enough");
}

#[test]
fn a_test_with_more_copies_than_a_flag_has_dbservers_is_ignored() {
    let three_copies = ["three_copies", "--exact", "--dbservers", "2"];
    let ran = run(&three_copies);
    let ignored =
        "three_copies ... ignored, needs 3 dbservers for its copies; this run has --dbservers 2";
    assert!(ran.stdout.contains(ignored), "{}", ran.said());
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let asked_for = run(&[&three_copies[..], &["--include-ignored"]].concat());
    assert_eq!(asked_for.code, Some(0), "{}", asked_for.said());
    assert!(
        asked_for.stdout.contains("three_copies ... ok"),
        "{}",
        asked_for.said()
    );
}
