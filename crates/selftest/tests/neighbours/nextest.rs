//! `cargo nextest`, which knows tests by `--list --format terse` and runs each in a process of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Once;
use std::time::Duration;

use armadillo_selftest::cargo::has;
use armadillo_selftest::{remains, suite, wait};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{cargo, output};

/// The file that has what nextest prints.
const STDERR: &str = "stderr";

/// The whole workspace: of a part, cargo would build dependencies again, with fewer features.
const TARGET: [&str; 3] = ["--workspace", "--test", "harnessed"];

fn is_there() -> bool {
    has(
        "cargo",
        &["nextest", "--version"],
        "ARMADILLO_REQUIRE_NEXTEST",
    )
}

/// Builds what nextest runs. Cargo may build for minutes, or wait for another cargo that builds: no limit of a test has
/// room for that.
fn build() {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let list = [&["nextest", "list"][..], &TARGET].concat();
        let (code, _, stderr) = output(cargo(&list));
        assert_eq!(code, Some(0), "{stderr}");
    });
}

#[test]
fn it_lists_the_tests() {
    if !is_there() {
        return;
    }
    let list = ["nextest", "list", "--message-format", "json"];
    let (code, stdout, stderr) = output(cargo(&[&list[..], &TARGET].concat()));
    assert_eq!(code, Some(0), "{stdout}\n{stderr}");
    let list: Value = serde_json::from_str(&stdout).unwrap();
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
    let run = Nextest::run(&["-E", "test(/^(inner::)?(adds|waits)$/)"]);
    assert_eq!(run.code(), Some(0), "{}", run.stderr);
    assert!(
        run.stderr.contains("3 tests run: 3 passed"),
        "{}",
        run.stderr
    );
    assert!(!run.stderr.contains("LEAK"), "{}", run.stderr);
}

#[test]
fn the_tests_of_a_run_share_deployments_and_reports() {
    if !is_there() {
        return;
    }
    let run = Nextest::run(&["-E", "test(/^together::/)", "--test-threads", "4"]);
    assert_eq!(run.code(), Some(0), "{}", run.stderr);
    assert!(!run.stderr.contains("LEAK"), "{}", run.stderr);
    // One server, and on it one set-up of what is kept for it.
    let notes = ["one", "two", "three", "four", "alone"].map(|name| run.scene.note(name));
    assert!(notes.iter().all(|note| note == &notes[0]), "{notes:?}");
    let results = run.scene.results();
    assert_eq!(results["tests"].as_array().unwrap().len(), 5, "{results}");
    assert_eq!(results["isolation"], "nextest");
    assert_eq!(run.scene.count("deployment_starting"), 1);
    assert_eq!(run.scene.count("daemon_started"), 1);
    // Who came first asked the program for its version, for all.
    let answers: Value = serde_json::from_str(&run.scene.note("latest/programs.json")).unwrap();
    assert_eq!(answers["said"].as_object().unwrap().len(), 1, "{answers}");
    assert_eq!(run.scene.remains(), [""; 0]);
}

#[test]
fn a_process_that_dies_gives_its_lease_back() {
    if !is_there() {
        return;
    }
    let only = "test(=on_demand::dies_at_first)";
    let run = Nextest::run(&["--run-ignored", "only", "-E", only, "--retries", "1"]);
    assert_eq!(run.code(), Some(0), "{}", run.stderr);
    // The second attempt met a server that had been repaired: it is the same one.
    assert_eq!(run.scene.count("deployment_starting"), 1);
    let results = run.scene.results();
    let attempts = &results["tests"][0]["attempts"];
    assert_eq!(attempts.as_array().unwrap().len(), 2, "{results}");
    let why = &attempts[0]["verdict"]["failed"]["kind"];
    assert_eq!(why, "interrupted", "{results}");
    assert_eq!(run.scene.remains(), [""; 0]);
}

/// How long processes are killed, in seconds, unless SELFTEST_SECONDS says otherwise.
const SECONDS: u64 = 8;

#[test]
fn processes_that_die_at_random_keep_nothing() {
    if !is_there() {
        return;
    }
    let said = std::env::var("SELFTEST_SECONDS").ok();
    let seconds = said.and_then(|said| said.parse().ok()).unwrap_or(SECONDS);
    let limit = format!("{seconds}s");
    let only = ["-E", "test(/^together::/)", "--test-threads", "10"];
    let mut running = Nextest::start(&[&only[..], &["--stress-duration", &limit]].concat());
    let mark = [format!("SELFTEST_TOKEN={}", running.scene.token)];
    let mut killed = 0_usize;
    let ended = wait::until(wait::LIMIT + Duration::from_secs(seconds), || {
        let tests = remains::processes(&mark).into_iter();
        let tests: Vec<_> = tests
            .filter(|found| found.command.contains("--exact"))
            .collect();
        // A different one each time, in no order that they know of.
        if let Some(found) = tests.get(killed * 7 % tests.len().max(1)) {
            suite::send(found.pid, Signal::KILL);
            killed += 1;
        }
        wait::pause(Duration::from_millis(60));
        running.process.try_wait().unwrap()
    });
    assert!(ended.is_some(), "nextest did not end");
    let run = running.wait();
    assert!(killed > 10, "{killed} were killed\n{}", run.stderr);
    // Whoever was not killed has passed.
    let results = run.scene.results();
    for test in results["tests"].as_array().unwrap() {
        let verdict = &test["verdict"];
        let kind = &verdict["failed"]["kind"];
        assert!(verdict == "passed" || kind == "interrupted", "{test}");
    }
    // Fewer than processes if most of them die before they ask for one.
    let granted = run.scene.leases("lease_granted").len();
    assert!(granted > 10, "{granted} leases, {killed} were killed");
    assert_eq!(run.scene.kept_leases(), [""; 0], "of {granted}");
    let most = run.scene.most_granted_meanwhile();
    assert!(
        most <= granted / 2,
        "{most} leases of {granted} began and one did not end"
    );
    assert_eq!(run.scene.remains(), [""; 0]);
    println!("{killed} processes killed, {granted} leases");
}

#[test]
fn a_lease_ends_although_its_servers_do_not_answer() {
    if !is_there() {
        return;
    }
    let running = Nextest::holding();
    let mark = [format!("SELFTEST_TOKEN={}", running.scene.token)];
    let processes = remains::processes(&mark).into_iter();
    let mut tests = processes.filter(|found| found.command.contains("--exact"));
    let servers = remains::children(running.scene.daemon());
    assert_eq!(servers.len(), 1, "{servers:?}");
    // The daemon looks at the server after the test, for longer than it has when nextest ends.
    suite::send(servers[0], Signal::STOP);
    suite::send(tests.next().unwrap().pid, Signal::KILL);
    let run = running.wait();
    assert_ne!(run.code(), Some(0), "{}", run.stderr);
    assert_eq!(run.scene.leases("lease_granted").len(), 1);
    assert_eq!(run.scene.kept_leases(), [""; 0]);
    assert_eq!(run.scene.remains(), [""; 0]);
}

#[test]
fn nothing_is_left_however_the_run_ends() {
    if !is_there() {
        return;
    }
    for (what, signal) in [
        ("nextest", Signal::INT),
        ("nextest", Signal::KILL),
        ("daemon", Signal::KILL),
    ] {
        let running = Nextest::holding();
        let pid = if what == "daemon" {
            running.scene.daemon()
        } else {
            running.process.id()
        };
        kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
        let run = running.wait();
        assert_ne!(run.code(), Some(0), "{what}: {}", run.stderr);
        if what == "daemon" {
            let why = "the daemon exited unexpectedly";
            assert!(run.stderr.contains(why), "{}", run.stderr);
        }
        assert_eq!(run.scene.remains(), [""; 0], "{what}, {signal:?}");
    }
}

/// Where a run of nextest takes place.
struct Scene {
    directory: tempfile::TempDir,
    token: String,
}

/// A run of nextest that goes on.
struct Nextest {
    scene: Scene,
    process: Child,
}

/// One that has ended.
struct Ended {
    scene: Scene,
    status: ExitStatus,
    stderr: String,
}

impl Nextest {
    fn run(args: &[&str]) -> Ended {
        Self::start(args).wait()
    }

    fn start(args: &[&str]) -> Self {
        build();
        let directory = tempfile::tempdir().unwrap();
        let name = directory.path().file_name().unwrap().to_string_lossy();
        let token = format!("nextest-{}-{name}", std::process::id());
        let run = ["nextest", "run", "--no-fail-fast"];
        let mut command: Command = cargo(&[&run[..], &TARGET, args].concat());
        command
            .env("ARMADILLO_OUTPUT_DIR", directory.path())
            .env("SELFTEST_NOTES", directory.path())
            .env("SELFTEST_TOKEN", &token)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            // A file takes everything, whether somebody reads it or not.
            .stderr(File::create(directory.path().join(STDERR)).unwrap());
        Self {
            process: command.spawn().unwrap(),
            scene: Scene { directory, token },
        }
    }

    /// One whose only test holds a server by now.
    fn holding() -> Self {
        let running = Self::start(&["--run-ignored", "only", "-E", "test(=on_demand::holds)"]);
        let begun = || running.scene.has_note("holds").then_some(());
        let begun = wait::until(wait::LIMIT, begun);
        assert!(begun.is_some(), "the test did not begin");
        running
    }

    /// Waits for its end.
    fn wait(mut self) -> Ended {
        let status = self.process.wait().unwrap();
        Ended {
            stderr: self.scene.note(STDERR),
            scene: self.scene,
            status,
        }
    }
}

impl Ended {
    fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

impl Scene {
    fn has_note(&self, name: &str) -> bool {
        self.directory.path().join(name).exists()
    }

    fn note(&self, name: &str) -> String {
        std::fs::read_to_string(self.directory.path().join(name)).unwrap()
    }

    /// The directory of the run of nextest.
    fn run(&self) -> PathBuf {
        self.directory.path().join("latest")
    }

    /// The directories of its processes.
    fn parts(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.run()).unwrap().flatten();
        let paths = entries.map(|entry| entry.path());
        paths.filter(|path| path.is_dir()).collect()
    }

    /// The process id of the daemon.
    fn daemon(&self) -> u32 {
        let said = self.parts().iter().find_map(|part| {
            let events = std::fs::read_to_string(part.join("events.jsonl")).ok()?;
            let first: Value = serde_json::from_str(events.lines().next()?).ok()?;
            first["kind"]["daemon_started"]["pid"].as_u64()
        });
        u32::try_from(said.unwrap()).unwrap()
    }

    /// A file of the reports of the whole, which are written when nextest has ended.
    fn report(&self, name: &str) -> String {
        let path: &Path = &self.run().join(name);
        let written = wait::until(wait::LIMIT, || std::fs::read_to_string(path).ok());
        written.unwrap_or_else(|| panic!("no {}", path.display()))
    }

    fn results(&self) -> Value {
        serde_json::from_str(&self.report("results.json")).unwrap()
    }

    /// The events of this kind.
    fn events(&self, kind: &str) -> Vec<Value> {
        let log = self.report("events.jsonl");
        let events = log.lines().map(|line| serde_json::from_str(line).unwrap());
        let of_kind = events.filter_map(|event: Value| event["kind"].get(kind).cloned());
        of_kind.collect()
    }

    /// How many events of this kind there are.
    fn count(&self, kind: &str) -> usize {
        self.events(kind).len()
    }

    /// The leases that events of this kind name.
    fn leases(&self, kind: &str) -> BTreeSet<String> {
        let events = self.events(kind).into_iter();
        let lease = |event: Value| event["lease"].as_str().map(str::to_owned);
        events.filter_map(lease).collect()
    }

    /// How many leases began at most between the beginning of one and its end.
    fn most_granted_meanwhile(&self) -> usize {
        let log = self.report("events.jsonl");
        let (mut granted, mut most) = (0, 0);
        let mut open = BTreeMap::new();
        for line in log.lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            let lease = |kind: &str| event["kind"][kind]["lease"].as_str().map(str::to_owned);
            if let Some(lease) = lease("lease_granted") {
                granted += 1;
                open.insert(lease, granted);
            }
            if let Some(lease) = lease("lease_released") {
                most = most.max(granted - open.remove(&lease).unwrap());
            }
        }
        most
    }

    /// The leases that have no end in the log.
    fn kept_leases(&self) -> Vec<String> {
        let released = self.leases("lease_released");
        let granted = self.leases("lease_granted");
        granted.difference(&released).cloned().collect()
    }

    /// What is left of it after a while.
    fn remains(&self) -> Vec<String> {
        let parts = self.parts();
        let runs = parts
            .iter()
            .filter_map(|part| Some(part.file_name()?.to_str()?.to_owned()));
        remains::after(wait::LIMIT, &self.token, &runs.collect::<Vec<_>>())
    }
}
