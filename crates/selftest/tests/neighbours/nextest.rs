//! `cargo nextest`, which knows tests by `--list --format terse` and runs each in a process of its own.

use armadillo_selftest::cargo::has;

use super::{cargo, output};

const TARGET: [&str; 4] = ["-p", "armadillo-selftest", "--test", "harnessed"];

fn is_there() -> bool {
    has(
        "cargo",
        &["nextest", "--version"],
        "ARMADILLO_REQUIRE_NEXTEST",
    )
}

#[test]
fn it_lists_the_tests() {
    if !is_there() {
        return;
    }
    let list = ["nextest", "list", "--message-format", "json"];
    let (code, stdout, stderr) = output(cargo(&[&list[..], &TARGET].concat()));
    assert_eq!(code, Some(0), "{stdout}\n{stderr}");
    let list: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let tests = &list["rust-suites"]["armadillo-selftest::harnessed"]["testcases"];
    let ignored = |name: &str| tests[name]["ignored"].as_bool();
    for name in ["adds", "waits", "inner::adds", "counts"] {
        assert_eq!(ignored(name), Some(false), "{name} in {tests}");
    }
    for name in ["inner::is_ignored", "inner::is_slow"] {
        assert_eq!(ignored(name), Some(true), "{name} in {tests}");
    }
}

#[test]
fn it_runs_the_tests() {
    if !is_there() {
        return;
    }
    // The environment says what flags cannot: nextest passes none on.
    let directory = tempfile::tempdir().unwrap();
    let run = [
        "nextest",
        "run",
        "--no-fail-fast",
        "-E",
        "not test(=counts)",
    ];
    let mut command = cargo(&[&run[..], &TARGET].concat());
    command.env("ARMADILLO_OUTPUT_DIR", directory.path());
    let (code, stdout, stderr) = output(command);
    assert_eq!(code, Some(0), "{stdout}\n{stderr}");
    assert!(stderr.contains("3 tests run: 3 passed"), "{stderr}");
    assert!(!stderr.contains("LEAK"), "{stderr}");
}
