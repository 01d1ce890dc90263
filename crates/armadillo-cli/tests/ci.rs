//! `armadillo ci matrix`: jobs that together run every test once, as CI systems read them.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use armadillo_selftest::cargo::{has, in_workspace};
use serde_json::Value;
use tempfile::TempDir;

const ARMADILLO: &str = env!("CARGO_BIN_EXE_armadillo");

/// What cargo builds: the executables that these tests ask are among those of the workspace.
const BUILT: [&str; 5] = ["--test", "tally", "--test", "harnessed", "--workspace"];

struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn armadillo(output: &TempDir, args: &[&str]) -> Said {
    let mut command = in_workspace(ARMADILLO);
    command
        .args(args)
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

fn matrix(output: &TempDir, format: &str, args: &[&str]) -> String {
    let all = [&["ci", "matrix", "--format", format], args].concat();
    let said = armadillo(output, &all);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    said.stdout
}

fn words(list: &Value) -> Vec<&str> {
    let words = list.as_array().unwrap().iter();
    words.map(|word| word.as_str().unwrap()).collect()
}

/// The tests that these flags select, each with its executable.
fn listed(output: &TempDir, flags: &[&str]) -> Vec<String> {
    let said = armadillo(output, &[&["test", "list"], &BUILT[..], flags].concat());
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let mut executable = String::new();
    let mut tests = Vec::new();
    for line in said.stdout.lines() {
        match line.strip_prefix("  ") {
            Some(test) if !test.contains(" (ignored") => tests.push(format!("{executable}${test}")),
            Some(_) => {}
            None => line.clone_into(&mut executable),
        }
    }
    tests
}

/// Each test is in exactly one of these jobs. How many each has.
fn together(output: &TempDir, jobs: &[Value]) -> Vec<usize> {
    let mut all = BTreeSet::new();
    let mut counts = Vec::new();
    for job in jobs {
        let tests = listed(output, &words(&job["flags"]));
        assert_eq!(job["tests"], tests.len(), "{job}");
        counts.push(tests.len());
        for test in tests {
            assert!(all.insert(test.clone()), "{test} is in two jobs");
        }
    }
    assert_eq!(all, listed(output, &[]).into_iter().collect());
    counts
}

fn jobs(output: &TempDir, args: &[&str]) -> Vec<Value> {
    let all: Value = serde_json::from_str(&matrix(output, "json", args)).unwrap();
    all["jobs"].as_array().unwrap().clone()
}

#[test]
fn a_job_for_each_topology() {
    let output = tempfile::tempdir().unwrap();
    let jobs = jobs(&output, &BUILT);
    let counts = together(&output, &jobs);
    assert!(counts.len() > 1, "{jobs:?}");
    for job in &jobs {
        let flags = words(&job["flags"]);
        let [flag, topology] = flags[..] else {
            panic!("{job}");
        };
        assert_eq!(flag, "--topology");
        match words(&job["topologies"])[..] {
            [] => assert_eq!((topology, &job["name"]), ("none", &"no deployment".into())),
            [of_tests] => assert_eq!(topology, of_tests),
            _ => panic!("{job}"),
        }
        let command = words(&job["command"]);
        assert_eq!(command[..3], ["armadillo", "test", "run"]);
        assert_eq!(command[3..], [&BUILT[..], &flags].concat());
    }
}

#[test]
fn so_many_jobs_that_take_equally_long() {
    let output = tempfile::tempdir().unwrap();
    let args = [&["--jobs", "3"], &BUILT[..]].concat();
    let unknown = jobs(&output, &args);
    together(&output, &unknown);
    assert_eq!(
        unknown[0]["flags"][1], "topology:1/3",
        "no run has been before"
    );
    let ran = armadillo(
        &output,
        &[
            &["test", "run"],
            &BUILT[..],
            &["counts", "a_counter_adds_up"],
        ]
        .concat(),
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let known = jobs(&output, &args);
    together(&output, &known);
    assert_eq!(known[0]["flags"][1], "duration:1/3");
    let said = jobs(
        &output,
        &[&["--jobs", "2", "--by", "topology"], &BUILT[..]].concat(),
    );
    assert_eq!(said[0]["flags"][1], "topology:1/2");
    // Most of these jobs have no tests, and are none.
    let many = jobs(&output, &[&["--jobs", "99"], &BUILT[..]].concat());
    let counts = together(&output, &many);
    assert!(many.len() < 99 && !counts.contains(&0), "{counts:?}");
}

/// What a shell makes of a text.
fn as_a_shell_reads_it(text: &str) -> Vec<String> {
    let script = format!("printf '%s\\n' {text}");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn github_reads_a_line_of_json() {
    let output = tempfile::tempdir().unwrap();
    let filter = ["-m", "not (slow or flaky)"];
    let args = [&BUILT[..], &filter].concat();
    let text = matrix(&output, "github", &args);
    assert_eq!(
        text.lines().count(),
        1,
        "it is the value of an output of a step"
    );
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value.as_object().unwrap().len(), 1);
    let include = value["include"].as_array().unwrap();
    let jobs = jobs(&output, &args);
    assert_eq!(include.len(), jobs.len());
    for (entry, job) in include.iter().zip(&jobs) {
        assert_eq!(entry["name"], job["name"]);
        assert_eq!(entry["tests"], job["tests"]);
        let flags = words(&job["flags"]);
        assert_eq!(flags[..2], filter);
        assert_eq!(as_a_shell_reads_it(entry["flags"].as_str().unwrap()), flags);
        let command = entry["command"].as_str().unwrap();
        assert_eq!(as_a_shell_reads_it(command), words(&job["command"]));
    }
}

/// YAML as JSON.
fn yaml(text: &str) -> Value {
    let script = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)";
    let mut python = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = python.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn gitlab_reads_a_child_pipeline() {
    let output = tempfile::tempdir().unwrap();
    let text = matrix(
        &output,
        "gitlab",
        &[&["--template", "ci/tests.yml"], &BUILT[..]].concat(),
    );
    let jobs = jobs(&output, &BUILT);
    for job in &jobs {
        assert!(text.contains(&format!("\n{}:\n", job["name"])), "{text}");
    }
    if !has("python3", &["-c", "import yaml"], "ARMADILLO_REQUIRE_YAML") {
        return;
    }
    let read = yaml(&text);
    assert_eq!(read["include"][0]["local"], "ci/tests.yml");
    assert_eq!(read.as_object().unwrap().len(), jobs.len() + 1);
    let plain = yaml(&matrix(&output, "gitlab", &BUILT));
    assert_eq!(plain.as_object().unwrap().len(), jobs.len());
    for job in &jobs {
        let name = job["name"].as_str().unwrap();
        assert_eq!(read[name]["extends"], ".armadillo");
        let script = read[name]["script"].as_array().unwrap();
        assert_eq!(script.len(), 1);
        let command = script[0].as_str().unwrap();
        assert_eq!(as_a_shell_reads_it(command), words(&job["command"]));
        assert_eq!(plain[name]["script"], read[name]["script"]);
        assert!(plain[name].get("extends").is_none());
    }
}

#[test]
fn what_makes_no_jobs_is_said() {
    let output = tempfile::tempdir().unwrap();
    let refused = |format: &str, args: &[&str]| {
        let said = armadillo(
            &output,
            &[&["ci", "matrix", "--format", format], args].concat(),
        );
        assert_eq!(said.stdout, "");
        (said.code, said.stderr)
    };
    let (code, said) = refused("json", &[&BUILT[..], &["README.md"]].concat());
    assert_eq!(code, Some(2));
    assert!(said.contains("jobs cannot be made of paths"), "{said}");
    let (code, said) = refused("github", &[&["--template", "x"], &BUILT[..]].concat());
    assert_eq!(code, Some(2));
    assert!(said.contains("--template is for --format gitlab"), "{said}");
    let (code, said) = refused("json", &[&BUILT[..], &["no_test_of_this_name"]].concat());
    assert_eq!(code, Some(4));
    assert!(said.contains("no test was selected"), "{said}");
}
