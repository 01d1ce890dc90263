//! Tests with several deployments, through the front door.

use armadillo_selftest::Suite;

const CRASH: &str = "one_of_two_crashes";

/// Many at once, each of which gets all its deployments or waits for all.
#[test]
fn tests_get_all_their_deployments_at_once() {
    let suite = Suite::new(env!("CARGO_BIN_EXE_sets"));
    let ran = suite
        .args(["-n", "4", "--repeat", "3", "--skip", CRASH])
        .run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    assert!(
        ran.stdout.contains("18 passed; 0 failed;"),
        "{}",
        ran.said()
    );
    for granted in ran.events("lease_granted") {
        let on = granted["on"].as_array().map(Vec::len);
        assert_eq!(on, Some(2), "{granted}");
    }
    assert_eq!(ran.remains(), [""; 0]);
}

#[test]
fn a_crash_on_one_of_them_is_the_tests() {
    let suite = Suite::new(env!("CARGO_BIN_EXE_sets"));
    let ran = suite.args([CRASH, "--exact"]).run();
    assert_eq!(ran.code, Some(101), "{}", ran.said());
    assert_eq!(ran.verdict(CRASH), "server_crashed", "{}", ran.said());
    assert_eq!(ran.remains(), [""; 0]);
}
