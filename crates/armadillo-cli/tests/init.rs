//! `init` in a package that somebody has. That the tests it writes compile, two targets of `armadillo-selftest` show.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// A package with a library.
fn package() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("src")).unwrap();
    let manifest = "[package]\nname = \"mine\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    fs::write(directory.path().join("Cargo.toml"), manifest).unwrap();
    fs::write(directory.path().join("src/lib.rs"), "").unwrap();
    directory
}

fn init(directory: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_armadillo"));
    command
        .arg("init")
        .args(args)
        .current_dir(directory)
        .env("CARGO_NET_OFFLINE", "true");
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The targets and the dependencies of a package, as cargo sees them.
fn seen_by_cargo(directory: &Path) -> serde_json::Value {
    let metadata = Command::new("cargo")
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(metadata.status.success(), "{}", text(&metadata.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    metadata["packages"][0].clone()
}

#[test]
fn a_package_gets_a_target_a_test_and_settings_once() {
    let package = package();
    let at = |name: &str| package.path().join(name);
    let done = init(package.path(), &["--ci", "github", "--devcontainer"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(text(&done.stdout).ends_with("Now run: cargo test --test cluster\n"));
    for name in [
        "tests/cluster.rs",
        "armadillo.toml",
        ".github/workflows/cluster-tests.yml",
        ".devcontainer/devcontainer.json",
    ] {
        assert!(at(name).is_file(), "{name}");
    }
    let cargo = seen_by_cargo(package.path());
    let targets = cargo["targets"].as_array().unwrap();
    assert!(
        targets
            .iter()
            .any(|target| target["name"] == "cluster" && target["kind"][0] == "test")
    );
    let dependencies = cargo["dependencies"].as_array().unwrap();
    let library = dependencies
        .iter()
        .find(|one| one["name"] == "armadillo-test")
        .unwrap();
    assert_eq!(
        (&library["kind"], &library["features"][0]),
        (&"dev".into(), &"etcd".into())
    );
    // The unit tests and doctests of the package go on as before.
    let manifest = fs::read_to_string(at("Cargo.toml")).unwrap();
    assert!(!manifest.contains("[lib]"), "{manifest}");

    fs::write(at("tests/cluster.rs"), "mine").unwrap();
    let again = init(package.path(), &[]);
    assert!(again.status.success(), "{}", text(&again.stderr));
    assert!(text(&again.stdout).contains("kept existing tests/cluster.rs"));
    assert_eq!(fs::read_to_string(at("tests/cluster.rs")).unwrap(), "mine");
    assert_eq!(fs::read_to_string(at("Cargo.toml")).unwrap(), manifest);
}

#[test]
fn what_makes_no_sense_changes_nothing() {
    let empty = tempfile::tempdir().unwrap();
    let done = init(empty.path(), &[]);
    assert_eq!(done.status.code(), Some(1));
    assert!(
        text(&done.stderr).contains("run `cargo init`"),
        "{}",
        text(&done.stderr)
    );
    let package = package();
    let done = init(package.path(), &["--path", "/no/such/clone"]);
    assert!(text(&done.stderr).contains("/no/such/clone is not a clone of Armadillo"));
    assert!(!package.path().join("armadillo.toml").exists());
}

#[test]
fn what_cargo_refuses_changes_nothing() {
    let package = package();
    let at = |name: &str| package.path().join(name);
    let before = fs::read(at("Cargo.toml")).unwrap();
    // Cargo has added the dependency when it meets this.
    fs::write(at("Cargo.lock"), "no lock file").unwrap();
    let done = init(package.path(), &[]);
    assert_eq!(done.status.code(), Some(1), "{}", text(&done.stderr));
    assert!(
        text(&done.stderr).contains("cargo add"),
        "{}",
        text(&done.stderr)
    );
    assert_eq!(fs::read(at("Cargo.toml")).unwrap(), before);
}
