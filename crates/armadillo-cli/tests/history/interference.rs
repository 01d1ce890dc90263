//! `armadillo replay` and `armadillo bisect` on a run in which tests disturb each other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use armadillo_selftest::wait;
use serde_json::Value;
use tempfile::TempDir;

use super::clean;

const ARMADILLO: &str = env!("CARGO_BIN_EXE_armadillo");

const SETTING: &str = "setting::works_without_a_limit";
const NAME: &str = "name::wants_it";

/// A suite of this workspace, where cargo has built it.
fn suite() -> PathBuf {
    let path = Path::new(ARMADILLO).with_file_name("interference");
    let help = "`cargo build --workspace --bin interference` builds it";
    assert!(path.is_file(), "{} is missing; {help}", path.display());
    path
}

/// A run of these tests, in which some fail; four at once.
fn recorded(tests: &[&str]) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let mut command = clean(Command::new(suite()));
    command
        .current_dir(home.path())
        .env("CARGO_MANIFEST_DIR", home.path())
        .args(tests)
        .args(["-n", "4", "--output-dir", "runs"]);
    let ran = said(command.output().unwrap());
    assert_eq!(ran.code, Some(101), "{}", ran.text);
    home
}

struct Said {
    code: Option<i32>,
    text: String,
}

fn said(output: Output) -> Said {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said {
        code: output.status.code(),
        text: text(&output.stdout) + &text(&output.stderr),
    }
}

fn command(home: &TempDir, args: &[&str]) -> Command {
    let mut command = clean(Command::new(ARMADILLO));
    command
        .current_dir(home.path())
        .env("ARMADILLO_OUTPUT_DIR", home.path().join("runs"))
        .args(args);
    command
}

fn armadillo(home: &TempDir, args: &[&str]) -> Said {
    said(command(home, args).output().unwrap())
}

fn json(home: &TempDir) -> Value {
    let text = std::fs::read(home.path().join("found.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// Two runs for each halving, one with all, one alone.
fn most_runs(met: u64) -> u64 {
    2 + 2 * u64::from(met.next_power_of_two().ilog2())
}

/// Searches for the reason why this test failed in the last run. Returns its only culprit, and the command that shows it.
fn search(home: &TempDir, test: &str) -> (Value, String) {
    let found = armadillo(home, &["bisect", "latest", test, "--json", "found.json"]);
    assert_eq!(found.code, Some(0), "{}", found.text);
    let json = json(home);
    assert_eq!(json["result"], "found", "{}", found.text);
    let (met, runs) = (
        json["met"].as_u64().unwrap(),
        json["runs"].as_u64().unwrap(),
    );
    println!("{test}: {runs} runs for {met} tests");
    assert!(runs <= most_runs(met), "{}", found.text);
    assert_eq!(json["steps"].as_array().unwrap().len() as u64, runs);
    let with = json["with"].as_array().unwrap();
    assert_eq!(with.len(), 1, "{}", found.text);
    let command = json["command"].as_str().unwrap().to_owned();
    assert!(
        found.text.contains(&format!("to see it: {command}")),
        "{}",
        found.text
    );
    (with[0].clone(), command)
}

/// Runs the command of a result in a shell: the test fails again.
fn fails_again(home: &TempDir, shown: &str, test: &str) {
    let bin = Path::new(ARMADILLO).parent().unwrap();
    let path = format!(
        "{}:{}",
        bin.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let mut command = clean(Command::new("sh"));
    command
        .current_dir(home.path())
        .args(["-c", shown])
        .env("PATH", path);
    let again = said(command.output().unwrap());
    assert_eq!(again.code, Some(101), "{}", again.text);
    let last = format!("{test} failed again: failed: ");
    assert!(again.text.contains(&last), "{}", again.text);
    assert!(
        again
            .text
            .contains("replayed: 2 of 2 tests began, in the recorded order"),
        "{}",
        again.text
    );
}

#[test]
fn what_a_test_left_behind_is_found() {
    let home = recorded(&["setting::"]);
    let (culprit, command) = search(&home, SETTING);
    assert_eq!(culprit["test"], "setting::leaves_a_limit");
    assert_eq!(culprit["met"], "before");
    assert!(json(&home)["met"].as_u64().unwrap() >= 18);
    fails_again(&home, &command, SETTING);
}

#[test]
fn what_a_test_does_at_the_same_time_is_found() {
    let home = recorded(&["name::"]);
    let (culprit, command) = search(&home, NAME);
    assert_eq!(culprit["test"], "name::takes_it");
    assert_eq!(culprit["met"], "beside");
    fails_again(&home, &command, NAME);
}

#[test]
fn a_whole_run_is_repeated_test_by_test() {
    let home = recorded(&["setting::", "alone::", "name::first"]);
    let replayed = armadillo(&home, &["replay", "latest"]);
    assert_eq!(replayed.code, Some(101), "{}", replayed.text);
    let all = "replayed: 29 of 29 tests began, in the recorded order";
    assert!(replayed.text.contains(all), "{}", replayed.text);
    assert!(
        !replayed.text.contains("ended otherwise"),
        "{}",
        replayed.text
    );
    assert!(
        !replayed.text.contains("on other copies"),
        "{}",
        replayed.text
    );
    // It is a run like any other, on its own deployments: the one after it is repeated as well.
    let latest = home.path().join("runs/latest/results.json");
    let results: Value = serde_json::from_slice(&std::fs::read(latest).unwrap()).unwrap();
    assert_eq!(results["tests"].as_array().unwrap().len(), 29);
    let part = armadillo(&home, &["replay", "latest", "works_without"]);
    assert!(
        part.text.contains(&format!("{SETTING} failed again")),
        "{}",
        part.text
    );
    // Alone, it has no reason to.
    let alone = armadillo(&home, &["replay", "latest", SETTING, "--alone"]);
    assert_eq!(alone.code, Some(0), "{}", alone.text);
    let passes = format!("{SETTING} did not fail this time: passed");
    assert!(alone.text.contains(&passes), "{}", alone.text);
}

#[test]
fn what_cannot_be_searched_for_is_said() {
    let home = recorded(&["alone::", "setting::first"]);
    let alone = armadillo(
        &home,
        &["bisect", "latest", "alone::fails", "--attempts", "2"],
    );
    assert_eq!(alone.code, Some(0), "{}", alone.text);
    assert!(
        alone.text.contains("alone::fails fails alone"),
        "{}",
        alone.text
    );
    assert!(alone.text.contains("--alone"), "{}", alone.text);
    for (args, says) in [
        (
            ["bisect", "latest", "setting::first::a"],
            "did not fail in that run (passed)",
        ),
        (
            ["replay", "latest", "setting::"],
            "`setting::` is a part of several names",
        ),
        (
            ["replay", "latest", "alone::fail_"],
            "has no test `alone::fail_`",
        ),
        (
            ["replay", "nowhere", "alone::fails"],
            "there is no run `nowhere`",
        ),
    ] {
        let refused = armadillo(&home, &args);
        assert_eq!(refused.code, Some(2), "{}", refused.text);
        assert!(refused.text.contains(says), "{}", refused.text);
    }
    let other = [
        "replay",
        "latest",
        "alone::fails",
        "--with",
        "setting::first::a",
    ];
    let refused = armadillo(&home, &other);
    assert_eq!(refused.code, Some(2), "{}", refused.text);
    assert!(
        refused.text.contains("did not use a deployment of"),
        "{}",
        refused.text
    );
}

/// The events of a run with other ends, in place of its own.
fn rewritten(home: &TempDir, of: &str, rewrite: impl Fn(&mut Value)) {
    let log = home.path().join("runs/latest/events.jsonl");
    let text = std::fs::read_to_string(&log).unwrap();
    let lines = text.lines().map(|line| {
        let mut event: Value = serde_json::from_str(line).unwrap();
        if let Some(kind) = event["kind"].get_mut(of) {
            rewrite(kind);
        }
        format!("{event}\n")
    });
    let text: String = lines.collect();
    std::fs::write(&log, text).unwrap();
}

#[test]
fn a_failure_that_does_not_come_back_and_another_executable_are_said() {
    let home = recorded(&["setting::"]);
    let failed = BTreeMap::from([(
        "failed",
        serde_json::json!({"kind": "timed_out", "message": "late"}),
    )]);
    rewritten(&home, "test_finished", |ended| {
        if ended["test"] == SETTING {
            ended["verdict"] = serde_json::json!(failed);
        }
    });
    rewritten(&home, "run_started", |started| {
        started["again"]["file"]["bytes"] = 1.into();
        // One that is not there any more.
        let tests = started["tests"].as_array_mut().unwrap();
        tests.retain(|test| test["test"] != "setting::first::b");
    });
    rewritten(&home, "test_started", |started| {
        if started["test"] == "setting::first::b" {
            started["test"] = "setting::gone".into();
        }
    });
    let found = armadillo(
        &home,
        &[
            "bisect",
            "latest",
            SETTING,
            "--attempts",
            "2",
            "--json",
            "found.json",
        ],
    );
    assert_eq!(found.code, Some(1), "{}", found.text);
    assert_eq!(json(&home)["result"], "not_reproduced");
    let with_all = "attempt 2 of 2: inconclusive: failed: ";
    assert!(found.text.contains(with_all), "{}", found.text);
    assert!(
        found.text.contains("is not the one that ran then"),
        "{}",
        found.text
    );
    assert!(
        found.text.contains("--attempts 5 tries more often"),
        "{}",
        found.text
    );
    let replayed = armadillo(&home, &["replay", "latest", SETTING]);
    assert!(
        replayed.text.contains("did not begin:\n    setting::gone"),
        "{}",
        replayed.text
    );
}

#[test]
fn what_says_too_little_is_refused() {
    let home = recorded(&["alone::"]);
    let refused = |command: &str, why: &str| {
        let refused = armadillo(&home, &[command, "latest", "alone::fails"]);
        assert_eq!(refused.code, Some(2), "{}", refused.text);
        assert!(refused.text.contains(why), "{}", refused.text);
    };
    rewritten(&home, "test_finished", |ended| {
        ended["verdict"]["failed"]["kind"] = "interrupted".into();
    });
    refused("bisect", "alone::fails was cut off in that run");
    rewritten(&home, "test_finished", |ended| {
        ended["repetition"] = 1.into();
    });
    for command in ["bisect", "replay"] {
        refused(command, "only one repetition of each is recorded");
    }
}

#[test]
fn ctrl_c_leaves_what_is_known_so_far() {
    let home = recorded(&["name::"]);
    let out = home.path().join("out");
    let stdout = std::fs::File::create(&out).unwrap();
    let mut search = command(&home, &["bisect", "latest", NAME, "--json", "found.json"]);
    let mut search: Child = search.stdout(stdout).stderr(Stdio::null()).spawn().unwrap();
    let has_begun = || {
        let text = std::fs::read_to_string(&out).ok()?;
        text.contains("run 1: ").then_some(())
    };
    wait::until(wait::LIMIT, has_begun).unwrap();
    armadillo_selftest::suite::interrupt(search.id());
    let ended = wait::until(wait::LIMIT, || search.try_wait().ok().flatten());
    assert_eq!(ended.unwrap().code(), Some(130));
    let text = std::fs::read_to_string(&out).unwrap();
    assert!(text.contains("interrupted after"), "{text}");
    let json = json(&home);
    assert_eq!(json["result"], "interrupted");
    // What was known after the first run: all of them.
    let known = json["with"].as_array().unwrap();
    assert!(!known.is_empty() && json["command"].is_string(), "{json}");
}
