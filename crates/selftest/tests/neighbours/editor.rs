//! rust-analyzer's command lines, as its lenses and its test explorer write them, except that they name the package: of a
//! part of this workspace cargo would build dependencies again, with fewer features.

use super::{cargo, output};

const TARGET: [&str; 5] = [
    "test",
    "--workspace",
    "--test",
    "harnessed",
    "--no-fail-fast",
];

/// stdout of exactly this test.
fn run(args: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let mut command = cargo(&[&TARGET[..], &["--"], args].concat());
    command.env("ARMADILLO_OUTPUT_DIR", directory.path());
    let (code, stdout, stderr) = output(command);
    assert_eq!(code, Some(0), "{stdout}\n{stderr}");
    stdout
}

/// With `--nocapture` a single test runs in the process that is asked, and what it prints comes before its line.
#[test]
fn the_lens_runs_that_test() {
    let stdout = run(&["inner::adds", "--exact", "--nocapture"]);
    assert!(stdout.contains("\nrunning 1 test\n"), "{stdout}");
    let line = "inner::adds was here\ntest inner::adds ... ok\n";
    assert!(stdout.contains(line), "{stdout}");
    assert!(
        stdout.contains("ok. 1 passed; 0 failed; 0 ignored;"),
        "{stdout}"
    );
}

#[test]
fn the_test_explorer_runs_that_test() {
    let args = [
        "inner::adds",
        "--exact",
        "--nocapture",
        "-Z",
        "unstable-options",
        "--format=json",
    ];
    let stdout = run(&args);
    // What the test prints comes between the objects, as with libtest.
    let objects = stdout
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let objects: Vec<serde_json::Value> = objects.collect();
    let ended = objects
        .iter()
        .find(|object| object["type"] == "test" && object["event"] == "ok");
    assert_eq!(
        ended.map(|object| &object["name"]),
        Some(&"inner::adds".into()),
        "{stdout}"
    );
    let suite = objects
        .iter()
        .find(|object| object["type"] == "suite" && object["event"] == "ok");
    assert_eq!(
        suite.map(|object| &object["passed"]),
        Some(&1.into()),
        "{stdout}"
    );
}

/// The lens of a module: all its tests.
#[test]
fn the_lens_of_a_module_runs_its_tests() {
    let stdout = run(&["inner", "--nocapture"]);
    assert!(
        stdout.contains("ok. 1 passed; 0 failed; 2 ignored;"),
        "{stdout}"
    );
}
