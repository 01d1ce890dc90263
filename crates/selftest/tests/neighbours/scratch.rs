//! A package of one's own, outside this workspace, with one test: what is written in the manual is all it takes, and
//! the lines that a worker runs are counted by a coverage build.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use armadillo_selftest::cargo::{target_directory, workspace};

use super::{BUSY, cargo, output};

const TEST: &str = r#"use armadillo::prelude::*;

fn main() -> std::process::ExitCode {
    armadillo::main()
}

fn never() -> u32 {
    17
}

#[armadillo::test]
async fn one(cx: TestContext) {
    assert_eq!(cx.attempt(), 1);
    if cx.attempt() > 1 {
        never();
    }
}
"#;

/// Writes the package.
fn package(directory: &Path) {
    let armadillo = workspace().join("crates/armadillo");
    let manifest = format!(
        "[package]\nname = \"scratch\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
         [[test]]\nname = \"suite\"\nharness = false\n\n\
         [dev-dependencies]\narmadillo-test = {{ path = {armadillo:?} }}\n\n[workspace]\n"
    );
    std::fs::create_dir_all(directory.join("tests")).unwrap();
    std::fs::create_dir_all(directory.join("src")).unwrap();
    std::fs::write(directory.join("Cargo.toml"), manifest).unwrap();
    std::fs::write(directory.join("src/lib.rs"), "").unwrap();
    std::fs::write(directory.join("tests/suite.rs"), TEST).unwrap();
    // The versions of this workspace, which are here already.
    std::fs::copy(workspace().join("Cargo.lock"), directory.join("Cargo.lock")).unwrap();
}

/// Cargo in the package, built for coverage, in a target directory that is kept from run to run.
fn cargo_there(directory: &Path, args: &[&str]) -> Command {
    let mut command = cargo(args);
    command
        .current_dir(directory)
        .env("CARGO_TARGET_DIR", target_directory(BUSY).join("scratch"))
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("RUSTFLAGS", "-Cinstrument-coverage")
        // Build scripts and macros are instrumented, too.
        .env("LLVM_PROFILE_FILE", "/dev/null");
    command
}

#[test]
fn a_package_of_ones_own_with_coverage() {
    let directory = tempfile::tempdir().unwrap();
    package(directory.path());
    let build = ["test", "--offline", "--no-run", "--message-format=json"];
    let (code, stdout, stderr) = output(cargo_there(directory.path(), &build));
    assert_eq!(code, Some(0), "{stderr}");
    let artifacts: Vec<serde_json::Value> = stdout
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|message: &serde_json::Value| message["reason"] == "compiler-artifact")
        .collect();
    let crates: BTreeSet<String> = artifacts
        .iter()
        .map(|artifact| artifact["package_id"].to_string())
        .collect();
    println!(
        "crates compiled for a package with one test: {}",
        crates.len() - 1
    );
    for product in ["armadillo-arangodb", "armadillo-etcd", "arangod-emulator"] {
        assert!(
            !crates.iter().any(|id| id.contains(product)),
            "{product} is compiled"
        );
    }
    let executables = artifacts
        .iter()
        .filter(|artifact| artifact["target"]["name"] == "suite");
    let executable = executables
        .filter_map(|artifact| artifact["executable"].as_str())
        .next();
    let executable = PathBuf::from(executable.unwrap());

    let profiles = directory.path().join("profiles");
    let mut run = cargo_there(directory.path(), &["test", "--offline", "--test", "suite"]);
    run.env("LLVM_PROFILE_FILE", profiles.join("%p-%m.profraw"));
    run.env("ARMADILLO_OUTPUT_DIR", directory.path().join("runs"));
    let (code, stdout, stderr) = output(run);
    assert_eq!(code, Some(0), "{stdout}\n{stderr}");
    assert!(stdout.contains("test one ... ok"), "{stdout}");

    let worker = format!(
        "{}-",
        worker(&directory.path().join("runs/latest/events.jsonl"))
    );
    let files: Vec<PathBuf> = std::fs::read_dir(&profiles)
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    let of_worker = files.iter().find(|path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(&worker))
    });
    let of_worker = of_worker.unwrap_or_else(|| panic!("no profile {worker} in {files:?}"));
    assert!(of_worker.metadata().unwrap().len() > 0);
    if let Some(counts) = counts(&executable, of_worker, directory.path()) {
        assert_eq!(counts(13), Some(1), "the test's first line");
        assert_eq!(counts(8), Some(0), "a line that is never run");
    }
}

/// The process id of the run's one worker.
fn worker(events: &Path) -> u64 {
    let text = std::fs::read_to_string(events).unwrap();
    let events = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let mut pids = events
        .filter_map(|event: serde_json::Value| event["kind"]["worker_started"]["pid"].as_u64());
    pids.next().unwrap()
}

/// How often the lines of the test's file were run, by what this profile alone says; `None` without the toolchain's
/// tools (`rustup component add llvm-tools`), which must be of rustc's version.
fn counts(
    executable: &Path,
    profile: &Path,
    directory: &Path,
) -> Option<impl Fn(u64) -> Option<u64> + use<>> {
    let (_, sysroot, _) = output({
        let mut rustc = Command::new("rustc");
        rustc
            .args(["--print", "target-libdir"])
            .current_dir(workspace());
        rustc
    });
    let tools = Path::new(sysroot.trim()).parent()?.join("bin");
    if !tools.join("llvm-cov").exists() {
        println!(
            "not checked: the counts of lines; `rustup component add llvm-tools` brings what it takes"
        );
        return None;
    }
    let merged = directory.join("merged");
    let mut merge = Command::new(tools.join("llvm-profdata"));
    merge.args(["merge", "-o"]).args([&merged, profile]);
    let (code, _, stderr) = output(merge);
    assert_eq!(code, Some(0), "{stderr}");
    let mut show = Command::new(tools.join("llvm-cov"));
    show.args(["export", "--format=lcov", "--instr-profile"])
        .args([&merged, executable]);
    let (code, stdout, stderr) = output(show);
    assert_eq!(code, Some(0), "{stderr}");
    let (_, of_file) = stdout.split_once("tests/suite.rs\n")?;
    let of_file = of_file.split("end_of_record").next()?.to_owned();
    Some(move |line: u64| {
        let entry = format!("DA:{line},");
        let mut counts = of_file.lines().filter_map(|text| text.strip_prefix(&entry));
        counts.next()?.parse().ok()
    })
}
