//! The clients in other languages, by tests in these languages.

use std::path::PathBuf;
use std::process::Command;

use armadillo_selftest::cargo::has;

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

#[track_caller]
fn passes(mut command: Command) {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{}\n{}\n{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
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
