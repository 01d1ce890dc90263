//! The clients in other languages, by tests in these languages.

use std::path::{Path, PathBuf};
use std::process::Command;

use armadillo_selftest::cargo::{cargo, has};
use serde_json::Value;

fn directory(of: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(of)
}

/// A program that finds the command, and none of the settings of the run that it is part of.
fn program(name: &str, directory: PathBuf) -> Command {
    let mut command = Command::new(name);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ARMADILLO_") {
            command.env_remove(name);
        }
    }
    command
        .current_dir(directory)
        .env("ARMADILLO_BIN", env!("CARGO_BIN_EXE_armadillo"));
    command
}

/// What a command has said, which must pass.
#[track_caller]
fn passes(mut command: Command) -> String {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stdout) + "\n" + &text(&output.stderr);
    assert!(output.status.success(), "{}\n{said}", output.status);
    said
}

/// Whether pytest is there.
fn has_pytest() -> bool {
    let asks = ["-m", "pytest", "--version"];
    has("python3", &asks, "ARMADILLO_REQUIRE_PYTEST")
}

/// The arguments of Python for these tests, with our plugin and the stand-in.
fn pytest(tests: &[&str]) -> Vec<String> {
    let plugin = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p"];
    let ours = ["armadillo_pytest.plugin", "--arangod=emulator"];
    let words = [&plugin[..], &ours, tests].concat();
    words.into_iter().map(str::to_owned).collect()
}

/// A program that finds our package of Python.
fn with_package(name: &str) -> Command {
    let directory = directory("python");
    let mut command = program(name, directory.clone());
    command
        .env("PYTHONPATH", directory.join("src"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

#[test]
fn the_fixtures_of_pytest_work() {
    if has_pytest() {
        let mut python = with_package("python3");
        python.args(pytest(&["tests"]));
        passes(python);
    }
}

#[test]
fn a_suite_of_pytest_shares_the_servers_of_exec() {
    if has_pytest() {
        let output = tempfile::tempdir();
        let output = output.unwrap_or_else(|error| panic!("no directory: {error}"));
        let mut exec = with_package(env!("CARGO_BIN_EXE_armadillo"));
        exec.args(["exec", "cluster", "--arangod=emulator", "--output-dir"])
            .arg(output.path())
            .args(["--", "python3"])
            .args(pytest(&["--noconftest", "tests/shared.py"]));
        passes(exec);
    }
}

/// How cargo runs the suite in Rust: as part of the whole workspace, because another selection would be built again with other features.
const BESIDE: &str = "test --locked --workspace --test beside";

/// Two suites at once, as a person writes them: the arguments are pytest's. Each finds the servers in its own way.
const AT_ONCE: &str = r#"
python3 -m pytest "$@" & pytest=$!
ARMADILLO_ATTACH_ARANGODB=$ARANGO_ENDPOINTS ARMADILLO_ATTACH_ARANGODB_TOKEN=$ARANGO_TOKEN cargo $BESIDE -- --include-ignored
rust=$?
wait $pytest && exit $rust
"#;

#[test]
fn workers_of_pytest_and_a_suite_in_rust_meet_on_one_cluster() {
    let has_xdist = || {
        has(
            "python3",
            &["-c", "import xdist"],
            "ARMADILLO_REQUIRE_XDIST",
        )
    };
    if !has_pytest() || !has_xdist() {
        return;
    }
    let cargo = || cargo(env!("CARGO_BIN_EXE_armadillo"));
    let mut build = cargo();
    build.args(BESIDE.split(' ')).arg("--no-run");
    passes(build);
    let output = tempfile::tempdir();
    let output = output.unwrap_or_else(|error| panic!("no directory: {error}"));
    let mut exec = with_package(env!("CARGO_BIN_EXE_armadillo"));
    for (name, value) in cargo().get_envs() {
        match value {
            Some(value) => exec.env(name, value),
            None => exec.env_remove(name),
        };
    }
    // Whatever is started writes its files there.
    exec.env("BESIDE", BESIDE)
        .args(["exec", "cluster", "--arangod=emulator", "--output-dir"])
        .arg(output.path())
        .arg("--env")
        .arg(format!("ARMADILLO_OUTPUT_DIR={}", output.path().display()))
        .args(["--", "sh", "-c", AT_ONCE, "sh"])
        .args(pytest(&["--noconftest", "-n", "2", "tests/meeting.py"]).split_off(2));
    let said = passes(exec);
    // Each has passed only because it has met the others.
    for says in ["2 passed", "1 passed; 0 failed"] {
        assert!(said.contains(says), "{says}: {said}");
    }
    let mut starts = starts(output.path());
    starts.sort_unstable();
    assert_eq!(starts, ["attached", "fresh"], "{said}");
}

/// The reason of each start of a deployment, in all runs whose files are in this directory.
fn starts(output: &Path) -> Vec<String> {
    let runs = std::fs::read_dir(output).unwrap_or_else(|error| panic!("{error}"));
    let runs = runs.flatten().map(|run| run.path());
    let mut starts = Vec::new();
    for run in runs.filter(|run| run.is_dir() && !run.is_symlink()) {
        let events = std::fs::read_to_string(run.join("events.jsonl"));
        let events = events.unwrap_or_else(|error| panic!("{}: {error}", run.display()));
        for line in events
            .lines()
            .filter(|line| line.contains("\"deployment_starting\""))
        {
            let event: Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            let reason = &event["kind"]["deployment_starting"]["reason"];
            starts.push(reason.as_str().unwrap_or_default().to_owned());
        }
    }
    starts
}

#[test]
fn the_client_for_javascript_works() {
    let directory = directory("javascript");
    let vitest = directory.join("node_modules/.bin/vitest");
    if !has(
        &vitest.to_string_lossy(),
        &["--version"],
        "ARMADILLO_REQUIRE_VITEST",
    ) {
        return;
    }
    let mut vitest = program(&vitest.to_string_lossy(), directory);
    vitest.args(["run", "--no-cache"]);
    passes(vitest);
}
