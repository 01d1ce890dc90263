//! Servers that end because a test means them to: whom that is charged to, and when it is a failure that they did not.

mod failure_points;
mod faulty;
mod links;
mod upgrades;

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
    ("operations::restarts_all", "passed", ""),
    ("operations::cancels_in_the_middle", "passed", ""),
    ("operations::cancels_what_is_done", "passed", ""),
    ("operations::leaves_gates_out", "passed", ""),
    ("operations::refuses_while_one_is_down", "passed", ""),
    (
        "operations::says_what_nothing_takes_the_place_of",
        "passed",
        "",
    ),
    ("operations::runs_out_of_time_between", "passed", ""),
    ("operations::checks_between", "passed", ""),
    (
        "operations::fails_and_goes_back",
        "server_crashed",
        "tally-2: exit code 4",
    ),
    ("operations::leaves_an_operation", "passed", ""),
    ("operations::restarts_with_an_option", "passed", ""),
    ("y_runs_another_program", "passed", ""),
    ("y_removes_a_server", "passed", ""),
    ("y_fails_to_remove_a_server", "passed", ""),
    ("z_runs_its_own_again", "passed", ""),
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

/// What an operation does is in the events: its plan, each step, its end. One that outlives its test is cancelled, and the next test
/// has the deployment as it was.
#[test]
fn an_operation_ends_with_its_test() {
    let tests = [
        "operations::leaves_an_operation",
        "operations::restarts_all",
    ];
    let ran = run(&[&["--exact"], &tests[..]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    assert!(
        ran.events("deployment_recycled").is_empty(),
        "{}",
        ran.said()
    );
    let notices = ran.events("deployment");
    let told = |kind: &str| {
        let of_kind = notices
            .iter()
            .filter(|event| event["notice"]["notice"] == kind);
        of_kind
            .map(|event| event["notice"].clone())
            .collect::<Vec<_>>()
    };
    let began = told("operation_began");
    assert_eq!(began.len(), 2, "{}", ran.said());
    assert_eq!(began[0]["steps"][0], "tally-1: restart");
    let mut ended = told("operation_ended");
    ended.sort_by_key(|end| end["outcome"]["outcome"].to_string());
    assert_eq!(
        ended[0]["outcome"]["outcome"],
        "cancelled",
        "{}",
        ran.said()
    );
    assert_eq!(ended[1]["outcome"]["outcome"], "done", "{}", ran.said());
    let whole = told("operation_step").into_iter();
    let whole = whole.filter(|step| {
        step["operation"] == ended[1]["operation"] && step["state"]["state"] == "done"
    });
    assert_eq!(whole.count(), 6, "{}", ran.said());
}

/// A deployment on which a test has changed a program is replaced.
#[test]
fn another_program_ends_with_its_test() {
    let ran = run(&["--exact", "y_runs_another_program", "z_runs_its_own_again"]);
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let recycled = ran.events("deployment_recycled");
    let reason = recycled[0]["reason"].to_string();
    assert!(
        reason.contains("a test has given tally-1 another program"),
        "{reason}"
    );
    let notices = ran.events("deployment");
    let changed = notices
        .iter()
        .filter(|event| event["notice"]["notice"] == "program_changed");
    assert_eq!(changed.count(), 1, "{}", ran.said());
}

/// A deployment on which a test has changed who is part of it is replaced.
#[test]
fn a_changed_membership_ends_with_its_test() {
    let ran = run(&["--exact", "y_removes_a_server", "z_runs_its_own_again"]);
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let recycled = ran.events("deployment_recycled");
    let reason = recycled[0]["reason"].to_string();
    assert!(
        reason.contains("a test has changed who is part of it"),
        "{reason}"
    );
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
