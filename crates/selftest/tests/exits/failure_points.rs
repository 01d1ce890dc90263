//! Failure points: a crash that is expected is charged to nobody, and what a test has set ends with it.

use armadillo_selftest::cargo::has;
use armadillo_selftest::{Ran, Suite};

fn run(args: &[&str]) -> Ran {
    let suite = Suite::new(env!("CARGO_BIN_EXE_failure-points"));
    let suite = suite.args(["-n", "1", "--arangod", "emulator"]);
    suite.args(args).run()
}

#[test]
fn they_end_with_the_test_that_has_set_them() {
    let ran = run(&["--failure-tests", "--skip", "g_nothing"]);
    let said = ran.said();
    assert_eq!(ran.code, Some(101), "{said}");
    for (test, verdict, message) in [
        ("a_crash_is_expected", "passed", ""),
        (
            "b_crash_is_not_expected",
            "server_crashed",
            "dbserver-1: SIGABRT (signal 6)",
        ),
        (
            "c_crash_does_not_happen",
            "failed",
            "dbserver-1 was expected to crash, but did not",
        ),
        ("d_point_is_left", "passed", ""),
        ("d_requests_are_logged", "passed", ""),
        ("e_test_dies", "crashed", ""),
        ("f_nothing_fails", "passed", ""),
        ("h_follower_crashes_and_nothing_is_lost", "passed", ""),
        (
            "i_follower_crash_is_not_expected",
            "server_crashed",
            "SIGABRT (signal 6)",
        ),
        ("j_nobody_crashes", "passed", ""),
    ] {
        assert_eq!(ran.verdict(test), verdict, "{test}\n{said}");
        assert!(ran.message(test).contains(message), "{test}\n{said}");
    }
    // The last one had what the one that died had before, and not another deployment.
    assert!(ran.events("deployment_recycled").is_empty(), "{said}");
    if has("gdb", &["--version"], "ARMADILLO_REQUIRE_GDB") {
        let message = ran.message("b_crash_is_not_expected");
        assert!(message.contains("crash at failure_points.rs:"), "{message}");
    }
    assert_eq!(ran.remains(), [""; 0]);
}

#[test]
fn builds_without_failure_tests_have_none() {
    let ran = run(&[]);
    let said = ran.said();
    assert_eq!(ran.code, Some(0), "{said}");
    assert_eq!(ran.verdict("g_nothing_can_be_set"), "passed", "{said}");
    let reason = "the servers were built without failure tests: use --failure-tests";
    assert!(ran.text().matches(reason).count() >= 5, "{said}");
}
