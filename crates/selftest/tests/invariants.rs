//! What `docs/ARCHITECTURE.md` says must always hold of the source itself.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// No file of a crate's `src` is longer: it would be more than one idea.
const LONGEST: usize = 500;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// Every Rust file below `directory` of the workspace, with its text.
fn sources(directory: &str) -> Vec<(String, String)> {
    let root = workspace();
    let mut found = Vec::new();
    let mut open = vec![root.join(directory)];
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(&at).unwrap_or_else(|error| panic!("{}: {error}", at.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "no source below {directory}");
    found.sort();
    found
}

/// The lines of all files that `is_wrong` finds something in.
fn wrong_lines(directories: &[&str], is_wrong: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let files = directories.iter().flat_map(|directory| sources(directory));
    files
        .flat_map(|(name, text)| {
            let lines = text
                .lines()
                .enumerate()
                .filter(|(_, line)| is_wrong(&name, line));
            lines
                .map(|(number, line)| format!("{name}:{}: {}", number + 1, line.trim()))
                .collect::<Vec<_>>()
        })
        .collect()
}

const GENERAL: [&str; 4] = [
    "crates/armadillo-consistency/src",
    "crates/armadillo-macros/src",
    "crates/armadillo-harness/src",
    "crates/armadillo-orchestrator/src",
];

#[test]
fn general_crates_know_no_product() {
    let products = ["arango", "etcd", "coordinator", "dbserver"];
    let found = wrong_lines(&GENERAL, |_, line| {
        let line = line.to_lowercase();
        products.iter().any(|product| line.contains(product))
    });
    assert!(
        found.is_empty(),
        "a product's name in a crate that knows none:\n{}",
        found.join("\n")
    );
}

#[test]
fn one_place_knows_whether_a_server_speaks_tls() {
    let systems = ["crates/armadillo-etcd/src", "crates/armadillo-arangodb/src"];
    let everywhere = [&GENERAL[..], &systems[..]].concat();
    let found = wrong_lines(&everywhere, |name, line| {
        let own = [
            "crates/armadillo-orchestrator/src/http/",
            "crates/armadillo-orchestrator/src/tls/tests.rs",
            "crates/armadillo-orchestrator/src/view.rs",
            // Servers that somebody else started are looked at before there is a view.
            "crates/armadillo-orchestrator/src/attach/named.rs",
        ];
        let makes_one = line.contains("Client::tcp(") || line.contains("Client::tls(");
        makes_one && !own.iter().any(|place| name.starts_with(place))
    });
    assert!(
        found.is_empty(),
        "a client of a server that is not from `View::client`:\n{}",
        found.join("\n")
    );
}

#[test]
fn the_emulator_shares_no_code_with_the_system_it_stands_in_for() {
    let manifest =
        fs::read_to_string(workspace().join("crates/arangod-emulator/Cargo.toml")).unwrap();
    assert!(
        !manifest.contains("armadillo-"),
        "the emulator depends on a crate of the harness"
    );
    let manifest =
        fs::read_to_string(workspace().join("crates/armadillo-arangodb/Cargo.toml")).unwrap();
    assert!(
        !manifest.contains("arangod-emulator"),
        "the system depends on the emulator"
    );
}

#[test]
fn a_file_is_one_idea() {
    let crates = ["crates", "examples"];
    let long: Vec<String> = crates
        .iter()
        .flat_map(|directory| sources(directory))
        .filter(|(name, _)| name.contains("/src/"))
        .filter(|(_, text)| text.lines().count() > LONGEST)
        .map(|(name, text)| format!("{name}: {} lines", text.lines().count()))
        .collect();
    assert!(
        long.is_empty(),
        "longer than {LONGEST} lines:\n{}",
        long.join("\n")
    );
}

/// The only places that start a process, each with its reason.
const STARTS_PROCESSES: [&str; 8] = [
    "crates/armadillo-harness/src/dispatch/daemon_process.rs",
    // The command of a person, which is no part of the harness and ends before it.
    "crates/armadillo-harness/src/dispatch/exec.rs",
    // `cargo metadata`, which ends before the run begins.
    "crates/armadillo-harness/src/group/suites.rs",
    "crates/armadillo-harness/src/warden.rs",
    "crates/armadillo-orchestrator/src/process/",
    "crates/armadillo-orchestrator/src/program.rs",
    "crates/armadillo-harness/src/report/differential.rs",
    // Not a process: the command-line parser has a type of this name.
    "crates/armadillo-harness/src/settings/command.rs",
];

#[test]
fn processes_are_started_in_few_places() {
    let found = wrong_lines(&GENERAL, |name, line| {
        line.contains("Command::new(")
            && !STARTS_PROCESSES.iter().any(|place| name.starts_with(place))
    });
    assert!(
        found.is_empty(),
        "a process is started elsewhere:\n{}",
        found.join("\n")
    );
}

/// The only places that write to the standard streams, each with its reason.
const PRINTS: [&str; 10] = [
    "crates/armadillo-harness/src/report/console.rs",
    "crates/armadillo-harness/src/report/screen.rs",
    // Tests of real libtest, as text.
    "crates/armadillo-harness/src/report/differential.rs",
    // Parts of the harness whose streams are a log file or a pipe of the harness: their last words, and their greeting.
    "crates/armadillo-harness/src/daemon/",
    "crates/armadillo-harness/src/log/",
    "crates/armadillo-harness/src/warden.rs",
    "crates/armadillo-harness/src/worker/mark.rs",
    "crates/armadillo-harness/src/worker/mod.rs",
    "crates/armadillo-harness/src/worker/process_state.rs",
    // Its stdout is a socket to the daemon.
    "crates/armadillo-orchestrator/src/links/proxy.rs",
];

#[test]
fn only_reports_print() {
    // The first two are in the names of their likes for stderr, too.
    let words = [
        "println!",
        "print!(",
        "dbg!",
        "io::stdout()",
        "io::stderr()",
    ];
    let found = wrong_lines(&GENERAL, |name, line| {
        let line = line.trim_start();
        let is_comment = line.starts_with("//");
        !is_comment
            && words.iter().any(|word| line.contains(word))
            && !PRINTS.iter().any(|place| name.starts_with(place))
    });
    assert!(
        found.is_empty(),
        "only reports print, and nothing else waits for who reads them:\n{}",
        found.join("\n")
    );
}

/// The most crates that a package with etcd's tests may take, Armadillo's own not counted: each is built cold on the first
/// day of every user. `benches/cold-build.sh` says what they cost.
const MOST_CRATES: usize = 60;

#[test]
fn a_system_brings_few_crates() {
    let tree = [
        "tree",
        "--offline",
        "--locked",
        "--package=armadillo-test",
        "--no-default-features",
        "--features=etcd",
        "--edges=normal,build",
        "--prefix=none",
        "--no-dedupe",
        "--format={p}",
    ];
    let mut cargo = Command::new(env!("CARGO"));
    let output = cargo.args(tree).current_dir(workspace()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    let crates = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let crates: BTreeSet<&str> = crates
        .filter(|name| !name.starts_with("armadillo-"))
        .collect();
    let count = crates.len();
    assert!(count <= MOST_CRATES, "{count} crates: {crates:#?}");
}
