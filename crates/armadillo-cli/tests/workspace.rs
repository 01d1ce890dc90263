//! `armadillo test`: the tests of several packages of this workspace, as a person runs them. Their servers start in milliseconds.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::path::Path;
use std::process::{Command, Output};

use armadillo_selftest::cargo::{cargo, has, target_directory, workspace};
use armadillo_selftest::wait;
use serde_json::Value;
use tempfile::TempDir;

const ARMADILLO: &str = env!("CARGO_BIN_EXE_armadillo");

/// What cargo builds: the executables that these tests run are among those of the workspace.
const BUILT: [&str; 8] = [
    "-p",
    "tally-system",
    "-p",
    "armadillo-selftest",
    "--test",
    "tally",
    "--test",
    "harnessed",
];

struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn armadillo(output: &TempDir, args: &[&str]) -> Said {
    let mut command = Command::new(ARMADILLO);
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        let needed = ["CARGO_HOME", "CARGO_NET_OFFLINE", "CARGO_INCREMENTAL"];
        let is_meddling = ["ARMADILLO_", "CARGO", "RUST_TEST_", "NEXTEST"]
            .iter()
            .any(|prefix| name_text.starts_with(prefix));
        if is_meddling && !needed.contains(&&*name_text) {
            command.env_remove(name);
        }
    }
    command
        .args(args)
        .current_dir(workspace())
        .env("CARGO_TARGET_DIR", target_directory(ARMADILLO))
        .env("CARGO_TERM_COLOR", "never")
        .env("ARMADILLO_OUTPUT_DIR", output.path());
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said {
        code: status.code(),
        stdout: text(&stdout),
        stderr: text(&stderr),
    }
}

fn results(output: &Path) -> Value {
    let file = std::fs::read(output.join("latest/results.json")).unwrap();
    serde_json::from_slice(&file).unwrap()
}

#[test]
fn tests_of_several_packages_have_one_report() {
    let output = tempfile::tempdir().unwrap();
    let names = ["counts", "a_counter_adds_up"];
    let said = armadillo(&output, &[&["test", "run"], &BUILT[..], &names].concat());
    assert_eq!(said.code, Some(0), "{}\n{}", said.stdout, said.stderr);
    let whole = "all executables: 2 passed";
    assert!(said.stdout.contains(whole), "{}", said.stdout);
    let results = results(output.path());
    let names: Vec<&str> = (results["tests"].as_array().unwrap().iter())
        .filter_map(|test| test["name"].as_str())
        .collect();
    let mut names = names;
    names.sort_unstable();
    let expected = [
        "armadillo-selftest::harnessed$counts",
        "tally-system::tally$a_counter_adds_up",
    ];
    assert_eq!(names, expected);
}

#[test]
fn the_suites_of_one_cargo_share_deployments_and_reports() {
    let output = tempfile::tempdir().unwrap();
    let run = |names: &[&str]| {
        let mut command = cargo(ARMADILLO);
        command
            .args([&["test"], &BUILT[..], &["--"], names].concat())
            .env("ARMADILLO_OUTPUT_DIR", output.path())
            .env("SELFTEST_NOTES", output.path());
        let ran = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(ran.status.success(), "{}", text(&ran.stderr));
        text(&ran.stderr)
    };
    let events = |of: &Path| {
        // The daemon writes them again when all is over.
        let stopped = wait::until(wait::LIMIT, || {
            let log = std::fs::read_to_string(of.join("events.jsonl")).ok()?;
            log.contains("deployment_stopped").then_some(log)
        });
        stopped.unwrap()
    };
    let stderr = run(&["together::one", "a_counter_adds_up"]);
    let totals = "all executables so far: 2 passed";
    assert_eq!(stderr.matches(totals).count(), 1, "{stderr}");
    let first = output.path().join("latest").canonicalize().unwrap();
    let log = events(&first);
    assert_eq!(log.matches("\"deployment_starting\"").count(), 1, "{log}");
    let results = results(output.path());
    assert_eq!(results["tests"].as_array().unwrap().len(), 2, "{results}");
    // Another cargo has its own.
    run(&["together::one"]);
    let second = output.path().join("latest").canonicalize().unwrap();
    assert_ne!(first, second);
}

#[test]
fn a_path_selects_the_tests_that_are_declared_there() {
    let output = tempfile::tempdir().unwrap();
    let file = "examples/tally/tests/tally.rs";
    let list = |place: &str| {
        let said = armadillo(&output, &[&["test", "list"], &BUILT[..], &[place]].concat());
        assert_eq!(said.code, Some(0), "{}\n{}", said.stdout, said.stderr);
        said.stdout
    };
    let all = list(file);
    assert!(
        all.contains("  a_fresh_server_has_counted_nothing\n"),
        "{all}"
    );
    assert!(!all.contains("harnessed"), "{all}");
    let line = std::fs::read_to_string(workspace().join(file)).unwrap();
    let line = line
        .lines()
        .position(|line| line.contains("fn a_counter_adds_up"));
    let one = list(&format!("{file}:{}", line.unwrap() + 2));
    assert_eq!(one, "tally-system::tally\n  a_counter_adds_up\n");
}

#[test]
fn what_cannot_be_run_is_said() {
    let output = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| armadillo(&output, &[&["test", "run"], &BUILT[..], args].concat());
    let said = run(&["--no-such-flag"]);
    assert_eq!(said.code, Some(2), "{}", said.stderr);
    assert!(said.stderr.contains("--no-such-flag"), "{}", said.stderr);
    let said = run(&["no_test_of_this_name"]);
    assert_eq!(said.code, Some(4), "{}", said.stderr);
    let said = run(&["README.md"]);
    assert_eq!(said.code, Some(2), "{}", said.stderr);
    assert!(
        said.stderr
            .contains("no selected test is defined at README.md"),
        "{}",
        said.stderr
    );
}

#[test]
fn nextest_is_told_which_tests_belong_together() {
    if !has(
        "cargo",
        &["nextest", "--version"],
        "ARMADILLO_REQUIRE_NEXTEST",
    ) {
        return;
    }
    let output = tempfile::tempdir().unwrap();
    let file = output.path().join("nextest.toml");
    let target = ["-p", "armadillo-selftest", "--test", "harnessed"];
    let to = ["--output", file.to_str().unwrap()];
    let said = armadillo(&output, &[&["nextest-config"], &target[..], &to].concat());
    assert_eq!(said.code, Some(0), "{}\n{}", said.stdout, said.stderr);
    // As it says itself.
    let config = said
        .stdout
        .split('`')
        .nth(1)
        .and_then(|line| line.split(' ').next_back());
    let config = config
        .unwrap_or_else(|| panic!("{}", said.stdout))
        .to_owned();
    assert!(config.starts_with("armadillo:/"), "{config}");
    let with = ["--tool-config-file", &config];
    let nextest = |args: &[&str]| {
        let mut command = cargo(ARMADILLO);
        command.env("ARMADILLO_OUTPUT_DIR", output.path());
        let ran = command
            .arg("nextest")
            .args(args)
            .args(target)
            .args(with)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(ran.status.success(), "{}", text(&ran.stderr));
        text(&ran.stdout) + &text(&ran.stderr)
    };
    let groups = nextest(&["show-config", "test-groups"]);
    let group = groups
        .split("group: ")
        .find(|group| group.starts_with("@tool:armadillo:alone-1"));
    let group = group.unwrap_or_else(|| panic!("{groups}"));
    assert!(group.contains("together::alone"), "{groups}");
    assert!(!group.contains("together::one"), "{groups}");
    let ran = nextest(&["run", "-E", "test(/^together::/)"]);
    assert!(ran.contains("5 tests run: 5 passed"), "{ran}");
}
