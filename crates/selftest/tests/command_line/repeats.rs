//! `--repeat until-fail` and `--stress-for`: tests run again and again, and the reports stay small.

use armadillo_selftest::{Ran, Suite};
use serde_json::Value;

fn run(args: &[&str]) -> Ran {
    let ran = Suite::new(env!("CARGO_BIN_EXE_interference"))
        .args(args)
        .run();
    assert_eq!(ran.remains(), [""; 0], "{}", ran.said());
    ran
}

/// How often a test passed, failed, and passed on a retry.
#[track_caller]
fn counts(ran: &Ran, test: &str) -> [u64; 3] {
    let counts: &Value = &ran.test(test)["repetitions"];
    ["passed", "failed", "flaky"].map(|kind| counts[kind].as_u64().unwrap_or_default())
}

/// However often they ran, each has one record, and one lease that was an event.
#[track_caller]
fn check_size(ran: &Ran, tests: usize) {
    let results = ran.results();
    assert_eq!(
        results["tests"].as_array().map(Vec::len),
        Some(tests),
        "{}",
        ran.said()
    );
    for (event, most) in [
        ("test_finished", tests),
        ("test_started", tests),
        ("lease_granted", tests),
        ("lease_released", tests),
        ("deployment_starting", 1),
    ] {
        assert!(ran.events(event).len() <= most, "{event}\n{}", ran.said());
    }
}

#[test]
fn it_ends_with_the_first_failure() {
    let ran = run(&[
        "again::fails_at",
        "again::passes",
        "again::needs",
        "-n",
        "3",
        "--repeat",
        "until-fail",
    ]);
    assert_eq!(ran.code, Some(101), "{}", ran.said());
    assert_eq!(counts(&ran, "again::fails_at_the_fifth"), [4, 1, 0]);
    let [passed, failed, _] = counts(&ran, "again::passes");
    assert!(passed > 0 && failed == 0, "{}", ran.said());
    assert_eq!(ran.verdict("again::needs_nothing"), "passed");
    check_size(&ran, 3);
    for said in [
        "repetition: 5; those before it passed",
        "again::fails_at_the_fifth: 4 passed, 1 failed (80.0 % passed)",
        "stopped early: a test failed (--repeat until-fail)",
    ] {
        assert!(ran.stderr.contains(said), "{said}\n{}", ran.said());
    }
}

#[test]
fn it_goes_on_for_a_time_and_counts() {
    let ran = run(&[
        "again::fails_every",
        "again::passes",
        "-n",
        "2",
        "--stress-duration",
        "2s",
    ]);
    assert_eq!(ran.code, Some(101), "{}", ran.said());
    // How often depends on the machine. A failure does not end it, and has one record.
    let [passed, failed, _] = counts(&ran, "again::fails_every_other_time");
    assert!(failed > 0, "{}", ran.said());
    assert!(counts(&ran, "again::passes")[0] > 0, "{}", ran.said());
    assert!(!ran.stderr.contains("stopped early"), "{}", ran.said());
    check_size(&ran, 2);
    let again = format!("{passed} passed, {failed} failed");
    assert!(ran.stderr.contains(&again), "{}", ran.said());
    // The reports can be made again from the events.
    let directory = ran.directory();
    let before = ran.results();
    let again = Suite::new(env!("CARGO_BIN_EXE_interference"))
        .args(["--report-from".as_ref(), directory.as_os_str()])
        .run();
    assert_eq!(again.code, Some(0), "{}", again.said());
    assert_eq!(ran.results(), before);
}

#[test]
fn retries_belong_to_a_repetition() {
    let ran = run(&[
        "again::fails_every",
        "--retries",
        "1",
        "--stress-for",
        "500ms",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let [passed, failed, flaky] = counts(&ran, "again::fails_every_other_time");
    assert!(
        failed == 0 && passed == flaky && flaky > 0,
        "{}",
        ran.said()
    );
    assert_eq!(ran.results()["tests"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_shard_repeats_its_tests() {
    let args = [
        "again::passes",
        "again::needs",
        "--shard",
        "count:1/2",
        "--repeat",
        "until-fail",
        "--stress-for",
        "200ms",
    ];
    let ran = run(&args);
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    check_size(&ran, 1);
    assert!(ran.stderr.contains("(100.0 % passed)"), "{}", ran.said());
}

#[test]
fn where_it_cannot_be_it_is_refused() {
    let refused = run(&[
        "again::needs",
        "--repeat",
        "until-fail",
        "--isolation",
        "none",
    ]);
    assert_eq!(refused.code, Some(2), "{}", refused.said());
    let why = "libtest-mimic runs each test once";
    assert!(refused.stderr.contains(why), "{}", refused.said());
    let script = Suite::new(env!("CARGO_BIN_EXE_interference"))
        .file(
            "script.json",
            r#"{"script":1,"of":"r","steps":[{"begin":"again::passes"}]}"#,
        )
        .args(["--script", "script.json", "--stress-for", "1s"])
        .run();
    assert_eq!(script.code, Some(2), "{}", script.said());
    assert!(
        script.stderr.contains("--script cannot be combined with"),
        "{}",
        script.said()
    );
}
