//! `init` in a package that somebody has. That the tests it writes compile, two targets of `armadillo-selftest` show.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use armadillo_selftest::cargo::{has, in_workspace};

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

/// What checks the file of a CI system, and what makes a file of this system wrong.
const PIPELINES: [(&str, &str, &str, (&str, &str)); 3] = [
    (
        "github",
        ".github/workflows/cluster-tests.yml",
        "vendor.github-workflows",
        ("runs-on:", "runs-at:"),
    ),
    (
        "gitlab",
        ".gitlab-ci.yml",
        "vendor.gitlab-ci",
        ("when: always", "when: ever"),
    ),
    (
        "circleci",
        ".circleci/config.yml",
        "vendor.circle-ci",
        ("jobs:", "jobz:"),
    ),
];

/// Whether a file is as the schema of its CI system says.
fn is_valid(path: &Path, schema: &str) -> bool {
    let mut check = Command::new("check-jsonschema");
    let check = check.args(["--builtin-schema", schema]).arg(path);
    check.output().unwrap().status.success()
}

#[test]
fn what_ci_systems_read_is_as_their_schemas_say() {
    let has_schemas = has(
        "check-jsonschema",
        &["--version"],
        "ARMADILLO_REQUIRE_SCHEMAS",
    );
    for system in ["etcd", "arangodb"] {
        for (ci, file, schema, (right, wrong)) in PIPELINES {
            let package = package();
            let done = init(package.path(), &["--ci", ci, "--system", system]);
            assert!(done.status.success(), "{}", text(&done.stderr));
            let path = package.path().join(file);
            let content = fs::read_to_string(&path).unwrap();
            assert!(content.contains("cargo test --test cluster"), "{content}");
            assert_eq!(
                content.contains("etcd-server"),
                system == "etcd",
                "{content}"
            );
            assert!(!content.contains("PROGRAMS"), "{content}");
            if has_schemas {
                assert!(is_valid(&path, schema), "{content}");
                fs::write(&path, content.replace(right, wrong)).unwrap();
                assert!(
                    !is_valid(&path, schema),
                    "the schema of {ci} takes anything"
                );
            }
        }
    }
    let own = in_workspace("unused");
    let own = own
        .get_current_dir()
        .unwrap()
        .join(".github/workflows/ci.yml");
    assert!(!has_schemas || is_valid(&own, "vendor.github-workflows"));
}

/// Whether Python's grammar of Groovy reads this without an error.
fn is_groovy(text: &str) -> bool {
    const PARSE: &str = "\
import sys, tree_sitter, tree_sitter_groovy
language = tree_sitter.Language(tree_sitter_groovy.language())
tree = tree_sitter.Parser(language).parse(sys.stdin.buffer.read())
sys.exit(1 if tree.root_node.has_error else 0)
";
    let mut python = Command::new("python3");
    let python = python.args(["-c", PARSE]).stdin(Stdio::piped());
    let mut python = python.stderr(Stdio::null()).spawn().unwrap();
    let mut stdin = python.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    python.wait().unwrap().success()
}

#[test]
fn a_jenkinsfile_is_groovy() {
    let package = package();
    let done = init(package.path(), &["--ci", "jenkins"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let content = fs::read_to_string(package.path().join("Jenkinsfile")).unwrap();
    assert!(content.contains("a C compiler, and etcd."), "{content}");
    let import = ["-c", "import tree_sitter, tree_sitter_groovy"];
    if has("python3", &import, "ARMADILLO_REQUIRE_SCHEMAS") {
        assert!(is_groovy(&content), "{content}");
        assert!(!is_groovy(&content.replace("stages {", "stages ((")));
    }
}
