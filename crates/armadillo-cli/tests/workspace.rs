//! `armadillo test`: the tests of several packages of this workspace, as a person runs them. Their servers start in milliseconds.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use armadillo_selftest::cargo::{cargo, has, in_workspace, workspace};
use armadillo_selftest::{suite, wait};
use serde_json::Value;
use tempfile::TempDir;

const ARMADILLO: &str = env!("CARGO_BIN_EXE_armadillo");

/// What cargo builds: the executables that these tests run are among those of the workspace. Of a part of the workspace, cargo would
/// build dependencies again, with fewer features.
const BUILT: [&str; 5] = ["--workspace", "--test", "tally", "--test", "harnessed"];

struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// The command, with an environment as a person has it.
fn command(output: &TempDir, args: &[&str]) -> Command {
    let mut command = in_workspace(ARMADILLO);
    command
        .args(args)
        .env("ARMADILLO_OUTPUT_DIR", output.path());
    command
}

fn armadillo(output: &TempDir, args: &[&str]) -> Said {
    let Output {
        status,
        stdout,
        stderr,
    } = command(output, args).output().unwrap();
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
    let whole = "\n2 passed in ";
    assert_eq!(said.stderr.matches(whole).count(), 1, "{}", said.stderr);
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
    // Both are parts of one run.
    let said = armadillo(&output, &["history"]);
    let always = "2 tests of 1 run: every test always passed\n";
    assert_eq!(
        (said.stdout.as_str(), said.code),
        (always, Some(0)),
        "{}",
        said.stderr
    );
}

#[test]
fn a_flag_of_one_suite_is_no_mistake_for_the_others() {
    let output = tempfile::tempdir().unwrap();
    let names = ["counts", "a_counter_adds_up", "--show-output"];
    let run = |flags: &[&str]| {
        let args = [&["test", "run"], &BUILT[..], &names, flags].concat();
        armadillo(&output, &args)
    };
    for flags in [&["--step", "40"][..], &["--step=40"]] {
        let said = run(flags);
        assert_eq!(said.code, Some(0), "{}\n{}", said.stdout, said.stderr);
        assert!(said.stdout.contains("the sum is 42"), "{}", said.stdout);
        assert!(said.stdout.contains("test result: ok. 2 passed"));
    }
    let refused = run(&["--step", "far"]);
    let says = "tally: --step: `far` is not a whole number";
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains(says), "{}", refused.stderr);
    let refused = run(&["--stepp", "3"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("--stepp"), "{}", refused.stderr);
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

/// A cargo that says what is in a file of this directory, and ends with the code that is in another: it has built nothing.
struct Cargo<'a>(&'a Path);

impl Cargo<'_> {
    /// It says that it has built the executable of a test, whose source file is `source.rs`.
    fn new(directory: &Path) -> Cargo<'_> {
        let script = "#!/bin/sh\ncd \"$(dirname \"$0\")\"\ncat messages\nexit $(cat code)\n";
        let program = directory.join("cargo");
        std::fs::write(&program, script).unwrap();
        let may_run = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&program, may_run).unwrap();
        std::fs::write(directory.join("source.rs"), "").unwrap();
        let note = format!("suite: {}\n", directory.join("source.rs").display());
        std::fs::write(directory.join("suite.d"), note).unwrap();
        Cargo(directory)
    }

    fn says(&self, executable: &Path, code: u8) {
        let message = serde_json::json!({
            "reason": "compiler-artifact",
            "package_id": "path+file:///somewhere#tally-system@0.1.0",
            "manifest_path": workspace().join("examples/tally/Cargo.toml"),
            "target": { "name": "tally", "kind": ["test"] },
            "filenames": [self.0.join("suite")],
            "executable": executable,
        });
        std::fs::write(self.0.join("messages"), format!("{message}\n")).unwrap();
        std::fs::write(self.0.join("code"), code.to_string()).unwrap();
    }

    /// Somebody saves the file.
    fn save(&self, text: &str) {
        std::fs::write(self.0.join("source.rs"), text).unwrap();
    }
}

/// A command that watches, and leaves deployments up. Both end with this.
struct Watching<'a>(Child, &'a TempDir);

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        // It may have ended.
        _ = self.0.kill();
        _ = self.0.wait();
        let mut down = command(self.1, &["down", "--all"]);
        down.env("ARMADILLO_RUNTIME_DIR", self.1.path().join("private"));
        let down = down.output().unwrap();
        assert!(
            down.status.success() || std::thread::panicking(),
            "{down:?}"
        );
    }
}

/// The test executable of the package with the example.
fn tally() -> String {
    let build = ["test", "--no-run", "--message-format=json", "--workspace"];
    let built = cargo(ARMADILLO)
        .args(build)
        .args(["--test", "tally"])
        .output()
        .unwrap();
    let lines = String::from_utf8(built.stdout).unwrap();
    let messages = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut executables =
        messages.filter_map(|message| Some(message["executable"].as_str()?.to_owned()));
    executables.next_back().unwrap()
}

#[test]
fn what_a_change_can_affect_runs_again_on_the_same_servers() {
    let output = tempfile::tempdir().unwrap();
    let private = output.path().join("private");
    std::fs::create_dir(&private).unwrap();
    std::fs::set_permissions(&private, std::fs::Permissions::from_mode(0o700)).unwrap();
    let (original, executable) = (tally(), output.path().join("tally"));
    // A new file, because the one before runs.
    let build = || {
        let new = executable.with_extension("new");
        std::fs::copy(&original, &new).unwrap();
        std::fs::rename(&new, &executable).unwrap();
    };
    build();
    let fake = Cargo::new(output.path());
    fake.says(&executable, 0);
    let said = output.path().join("said");
    let file = File::create(&said).unwrap();
    let watching = command(&output, &["test", "run", "--watch", "a_counter_adds_up"])
        .env("CARGO", output.path().join("cargo"))
        .env("ARMADILLO_RUNTIME_DIR", &private)
        .stdin(Stdio::null())
        .stderr(file.try_clone().unwrap())
        .stdout(file)
        .spawn()
        .unwrap();
    let mut watching = Watching(watching, &output);
    // Everything that it has said when it watches for the n-th time.
    let rounds = |count: usize| {
        let text = wait::until(wait::LIMIT, || {
            let text = std::fs::read_to_string(&said).unwrap();
            (text.matches("\nwatching ").count() >= count).then_some(text)
        });
        text.unwrap_or_else(|| panic!("{}", std::fs::read_to_string(&said).unwrap()))
    };
    let first = rounds(1);
    assert!(first.contains("1 passed in"), "{first}");
    build();
    fake.save("// one");
    let second = rounds(2);
    let second = second.strip_prefix(&*first).unwrap();
    assert!(second.contains("source.rs has changed\n"), "{second}");
    assert!(
        second.contains("0 deployments started, 1 already running"),
        "{second}"
    );
    // Nothing comes of this one.
    fake.save("// two");
    assert!(rounds(3).contains("no test executable has changed\n"));
    // What does not compile is to be mended.
    fake.says(&executable, 101);
    build();
    fake.save("mistake");
    assert!(rounds(4).contains("error: cargo cannot build the tests\n"));
    // What was built beside it has not run yet.
    let fourth = rounds(4);
    fake.says(&executable, 0);
    fake.save("// three");
    let fifth = rounds(5);
    assert!(fifth[fourth.len()..].contains("1 passed in"), "{fifth}");
    suite::interrupt(watching.0.id());
    assert_eq!(watching.0.wait().unwrap().code(), Some(0));
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
    // Each of them is part of one shard.
    let shard = |shard: &str| {
        let all = [&["test", "list"], &BUILT[..], &[file, "--shard", shard]].concat();
        armadillo(&output, &all).stdout
    };
    let (first, second) = (shard("1/2"), shard("2/2"));
    let tests = |list: &str| {
        list.lines()
            .skip(1)
            .map(str::to_owned)
            .collect::<BTreeSet<_>>()
    };
    let mut both = tests(&first);
    assert!(both.is_disjoint(&tests(&second)), "{first}{second}");
    both.extend(tests(&second));
    assert_eq!(both, tests(&all));
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
    let target = ["--workspace", "--test", "harnessed"];
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
