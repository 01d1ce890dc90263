//! `--last-failed`, `--failed-first` and `--new-first`: what earlier runs say of tests.

use armadillo_selftest::{Ran, Suite};
use serde_json::{Value, json};

use super::{suite, tests};

/// A run that remembers in this file.
fn run(history: &str, args: &[&str]) -> Ran {
    let all = [args, &["--history", history, "-n", "1"]].concat();
    suite(&all).run()
}

#[test]
fn what_failed_last_can_be_run_alone_or_first() {
    let place = tempfile::tempdir().unwrap();
    let history = place.path().join("history.jsonl").display().to_string();
    let run = |args: &[&str]| run(&history, args);
    let selection = ["fail", "pass::one"];

    let ran = run(&[&selection[..], &["--last-failed"]].concat());
    let said = "none of the selected tests failed in its last run, so all of them run";
    assert!(ran.stderr.contains(said), "{}", ran.said());
    let (all, failed): (Vec<String>, Vec<String>) = (tests(&ran), failed(&ran));
    assert!(
        failed.len() > 1 && failed.len() < all.len(),
        "{}",
        ran.said()
    );
    // Nothing is known of a test before its first run.
    assert!(!ran.stdout.contains("  before: "), "{}", ran.said());

    let ran = run(&[&selection[..], &["--lf"]].concat());
    assert_eq!(
        sorted(tests(&ran)),
        sorted(failed.clone()),
        "{}",
        ran.said()
    );
    let before = "  before: failed 1 of 1 run before (failed the last run)\n";
    assert_eq!(
        ran.stdout.matches(before).count(),
        failed.len(),
        "{}",
        ran.said()
    );
    let count = format!("0 passed; {} failed", failed.len());
    assert!(ran.stdout.contains(&count), "{}", ran.said());

    let ran = run(&[&selection[..], &["--failed-first"]].concat());
    let first: Vec<String> = tests(&ran).into_iter().take(failed.len()).collect();
    assert_eq!(sorted(first), sorted(failed), "{}", ran.said());
    assert!(
        ran.stdout
            .contains("  before: failed 2 of 2 runs before (failed the last 2 runs)\n"),
        "{}",
        ran.said()
    );

    // One that was not run keeps its outcome; one that passes loses it.
    run(&["pass::one"]);
    let listed = run(&["--last-failed", "--list", "pass", "fail"]);
    assert!(!listed.stdout.contains("pass::"), "{}", listed.said());
}

#[test]
fn new_tests_can_be_run_first() {
    let place = tempfile::tempdir().unwrap();
    let history = place.path().join("history.jsonl").display().to_string();
    let run = |args: &[&str]| run(&history, &[&["fail", "pass::one"], args].concat());
    drop(self::run(&history, &["one::b", "one::c"]));
    let first = |args: &[&str]| {
        let ran = run(args);
        std::fs::copy(place.path().join("kept"), &history).unwrap();
        tests(&ran)
    };
    std::fs::copy(&history, place.path().join("kept")).unwrap();
    let all = first(&["--new-first"]);
    let (new, known) = all.split_at(all.len() - 4);
    assert!(
        known
            .iter()
            .all(|test| test.ends_with("::b") || test.ends_with("::c")),
        "{all:?}"
    );
    assert_eq!(new.len(), 5);
    let all = first(&["--nf", "--ff"]);
    assert_eq!(
        sorted(all[..2].to_vec()),
        ["fail::one::b", "fail::one::c"],
        "{all:?}"
    );
    assert!(all[2..7].iter().all(|test| new.contains(test)), "{all:?}");
}

/// A test that passes when it is tried again: what is known of it, the run says at its end.
#[test]
fn a_flaky_test_has_a_past() {
    let place = tempfile::tempdir().unwrap();
    let history = place.path().join("history.jsonl").display().to_string();
    let run = || {
        let suite = Suite::new(env!("CARGO_BIN_EXE_verdicts"));
        suite
            .args(["passes_at_the_second_attempt", "--history", &history])
            .run()
    };
    let ran = run();
    assert!(
        ran.stderr
            .contains(" after 2 attempts; passed in a new process\n"),
        "{}",
        ran.said()
    );
    drop(run());
    let ran = run();
    let known = " after 2 attempts; passed in a new process; failed 2 of 2 runs before, 2 of these passed on a retry (known flaky: 100.0 %)\n";
    assert!(ran.stderr.contains(known), "{}", ran.said());
}

/// A history of thirty runs of one test, of which the last ones passed only on a retry.
fn thirty_runs(test: &str, flaky: usize) -> String {
    let attempts = (0..30).flat_map(|run| {
        let attempt = |at: usize, ended: &str| json!([format!("run-{run}"), at, ended, 1000, null]);
        let retried = (run >= 30 - flaky).then(|| attempt(10 * run + 1, "failed+"));
        retried.into_iter().chain([attempt(10 * run + 2, "passed")])
    });
    let attempts: Vec<Value> = attempts.collect();
    let (test, attempts) = (json!(test), json!(attempts));
    let line = format!("{{\"test\":{test},\"on\":\"\",\"attempts\":{attempts}}}");
    format!("{{\"history\":2,\"compact\":0}}\n{line}\n")
}

#[test]
fn a_failure_is_measured_by_what_was_before() {
    let name = "dying::passes_at_the_second_attempt";
    let run = |flaky: usize| {
        let history = thirty_runs(&format!("armadillo-selftest::verdicts${name}"), flaky);
        let suite = Suite::new(env!("CARGO_BIN_EXE_verdicts")).file("history.jsonl", &history);
        suite.args([name, "--history", "history.jsonl"]).run()
    };
    for (flaky, says, more_often) in [
        (
            0,
            "may be chance: 1 of its last 16 runs failed, 0 of 15 before (62.1 %)",
            false,
        ),
        (
            6,
            "more often than before: 7 of its last 16 runs failed, 0 of 15 before (less than 0.1 %)",
            true,
        ),
    ] {
        let ran = run(flaky);
        assert!(
            ran.stderr.contains(&format!("; {says}\n")),
            "{}",
            ran.said()
        );
        let odds = &ran.test(name)["odds"];
        assert_eq!(odds["more_often"], more_often, "{odds}");
        assert_eq!(odds["before"], json!({ "failed": 0, "runs": 15 }));
    }
    // A test that fails in the end says it in its block; of one that passes, there is nothing to say.
    let history = thirty_runs("armadillo-selftest::verdicts$dying::never_passes", 0);
    let suite = Suite::new(env!("CARGO_BIN_EXE_verdicts")).file("history.jsonl", &history);
    let ran = suite
        .args(["dying::never_passes", "--history", "history.jsonl"])
        .run();
    let line = "\n  odds: may be chance: 1 of its last 16 runs failed";
    assert!(ran.stdout.contains(line), "{}", ran.said());
    let history = thirty_runs("armadillo-selftest::verdicts$dying::passes", 6);
    let suite = Suite::new(env!("CARGO_BIN_EXE_verdicts")).file("history.jsonl", &history);
    let ran = suite
        .args(["dying::passes", "--exact", "--history", "history.jsonl"])
        .run();
    assert_eq!(
        ran.test("dying::passes")["odds"],
        Value::Null,
        "{}",
        ran.said()
    );
}

fn failed(ran: &Ran) -> Vec<String> {
    let of = |test: &String| ran.verdict(test) == "failed";
    tests(ran).into_iter().filter(of).collect()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}
