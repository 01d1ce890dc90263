//! Servers that end because a test means them to: whom that is charged to, and when it is a failure that they did not.

use armadillo_selftest::{Ran, Suite};

fn run(args: &[&str]) -> Ran {
    let suite = Suite::new(env!("CARGO_BIN_EXE_exits")).args(["-n", "1"]);
    suite.args(args).run()
}

/// Every test, its verdict, and what its message must contain.
const EXPECTED: &[(&str, &str, &str)] = &[
    ("sees_what_it_expects", "passed", ""),
    ("expects_anything_and_leaves_it", "passed", ""),
    (
        "expects_what_does_not_happen",
        "failed",
        "tally-1 was expected to exit with SIGABRT (signal 6), but did not",
    ),
    (
        "waits_for_what_does_not_happen",
        "failed",
        "for tally-1 to exit with SIGABRT (signal 6); it is running",
    ),
    (
        "expects_something_else",
        "server_crashed",
        "tally-1: SIGABRT (signal 6), but was expected to exit with SIGKILL (signal 9)",
    ),
    (
        "expects_one_exit_of_two",
        "server_crashed",
        "tally-1: SIGABRT (signal 6)",
    ),
    ("sees_a_start_fail", "passed", ""),
    (
        "expects_a_start_to_fail_that_does_not",
        "failed",
        "tally-1 was expected to fail during start-up, but became ready",
    ),
    (
        "starts_what_cannot_start",
        "failed",
        "tally-1 exited during start-up: exit code 2: called wrongly",
    ),
    ("starts_one_and_then_all", "passed", ""),
    ("starts_nothing", "passed", ""),
    ("drops_its_restarts", "passed", ""),
    ("leaves_a_restart", "passed", ""),
    ("finds_a_server", "passed", ""),
];

#[test]
fn each_test_ends_as_it_must() {
    // Twice: what one test did is not charged to the next.
    let ran = run(&["--repeat", "2"]);
    assert_eq!(ran.code, Some(101), "{}", ran.said());
    for (name, verdict, message) in EXPECTED {
        for name in [(*name).to_owned(), format!("{name}#2")] {
            assert_eq!(ran.verdict(&name), *verdict, "{name}\n{}", ran.said());
            let said = ran.message(&name);
            assert!(said.contains(message), "{name}: {said}");
        }
    }
    assert_eq!(ran.remains(), [""; 0]);
}

/// A restart that was left to itself is waited for before another test gets the deployment, which is not replaced for it.
#[test]
fn a_restart_that_nobody_waits_for_is_done() {
    let ran = run(&[
        "--exact",
        "leaves_a_restart",
        "finds_a_server",
        "--repeat",
        "5",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    assert!(
        ran.events("deployment_recycled").is_empty(),
        "{}",
        ran.said()
    );
    assert_eq!(ran.remains(), [""; 0]);
}

/// No deployment of theirs is shared, or used twice.
#[test]
fn an_unstarted_deployment_is_a_test_s_own() {
    let ran = run(&["--exact", "starts_nothing", "starts_one_and_then_all"]);
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let made = ran.events("deployment_starting");
    assert!(made.len() == 2 && made.iter().all(|made| made["reason"] == "unstarted"));
    let started = ran.events("deployment").into_iter();
    let started = started.filter(|event| event["notice"]["notice"] == "server_started");
    assert_eq!(started.count(), 2, "{}", ran.said());
    let plan = run(&["--plan", "--exact", "starts_nothing"]);
    let said = plan.said();
    assert!(said.contains("starts_nothing  [unstarted"), "{said}");
}

/// The same where the tests are libtest-mimic's.
#[test]
fn without_workers_an_exit_that_did_not_happen_is_a_failure_too() {
    let ran = run(&["--isolation", "none", "--exact", "sees_what_it_expects"]);
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let test = "expects_what_does_not_happen";
    let ran = run(&["--isolation", "none", "--exact", test]);
    assert_eq!(ran.code, Some(101), "{}", ran.said());
    assert!(ran.message(test).ends_with("but did not"), "{}", ran.said());
}
