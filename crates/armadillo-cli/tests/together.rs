//! `armadillo test run` of two executables: they run at the same time, and a person sees one run.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use armadillo_selftest::browser::Browser;
use armadillo_selftest::{meeting, suite, wait};
use serde_json::Value;
use tempfile::TempDir;

const ARMADILLO: &str = env!("CARGO_BIN_EXE_armadillo");

/// The suites, which lie where cargo has built them.
const SUITES: [&str; 2] = ["left", "right"];

/// What runs unless something else is to be seen.
const QUIET: [&str; 4] = ["pair::passes", "pair::fails", "pair::is_ignored", "--exact"];

/// A project with both suites, which its cargo has built already.
struct Pair(TempDir);

struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Said {
    /// Both streams, for whoever has to find out what went wrong.
    fn all(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }
}

fn executable(name: &str) -> PathBuf {
    let path = Path::new(ARMADILLO).with_file_name(name);
    let help = format!("`cargo build --workspace --bin {name}` builds it");
    assert!(path.is_file(), "{} is missing; {help}", path.display());
    path
}

impl Pair {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let messages = SUITES.map(|name| {
            let message = serde_json::json!({
                "reason": "compiler-artifact",
                "package_id": "path+file:///somewhere#pair@0.1.0",
                "manifest_path": home.path().join("Cargo.toml"),
                "target": { "name": name, "kind": ["test"] },
                "filenames": [executable(name)],
                "executable": executable(name),
            });
            format!("{message}\n")
        });
        std::fs::write(home.path().join("messages"), messages.concat()).unwrap();
        let cargo = home.path().join("cargo");
        std::fs::write(&cargo, "#!/bin/sh\ncat \"$(dirname \"$0\")/messages\"\n").unwrap();
        let may_run = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&cargo, may_run).unwrap();
        Self(home)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `armadillo test run` there, as a person calls it.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(ARMADILLO);
        let meddling = ["ARMADILLO_", "CARGO", "NEXTEST", "RUST_", "GITHUB_"];
        for (name, _) in std::env::vars_os() {
            if meddling
                .iter()
                .any(|prefix| name.to_string_lossy().starts_with(prefix))
            {
                command.env_remove(name);
            }
        }
        command
            .current_dir(self.0.path())
            .env("CARGO", self.path("cargo"))
            .env("ARMADILLO_OUTPUT_DIR", self.path("runs"))
            .env(meeting::PLACE, self.path("meeting"))
            // Tests of both meet.
            .env("ARMADILLO_PARALLEL", "4")
            .stdin(Stdio::null())
            .args(["test", "run"])
            .args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Said {
        said(self.command(args).output().unwrap())
    }

    /// Starts it, with pipes.
    fn start(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Waits until the tests of both suites run that stay.
    fn both_stay(&self) {
        for suite in SUITES {
            let place = self.path("meeting").join(suite);
            let came = wait::until(wait::LIMIT, || place.exists().then_some(()));
            assert!(came.is_some(), "{suite} has not come");
        }
    }

    /// Waits until the logs of both have this event of this test.
    fn both_logs_have(&self, event: &str, test: &str) {
        let is_it = |line: &str| line.contains(event) && line.contains(test);
        let have = wait::until(wait::LIMIT, || {
            let parts = std::fs::read_dir(self.path("runs/latest")).ok()?.flatten();
            let logs = parts
                .filter_map(|part| std::fs::read_to_string(part.path().join("events.jsonl")).ok());
            let with_it = logs.filter(|log| log.lines().any(is_it));
            (with_it.count() == SUITES.len()).then_some(())
        });
        assert!(have.is_some(), "{test}: no {event} in both logs");
    }

    fn leave(&self) {
        std::fs::write(self.path("meeting/leave"), "").unwrap();
    }

    fn results(&self) -> Value {
        let file = std::fs::read(self.path("runs/latest/results.json")).unwrap();
        serde_json::from_slice(&file).unwrap()
    }
}

fn said(output: Output) -> Said {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said {
        code: output.status.code(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

/// The child of a process that runs this suite.
fn child(of: u32, suite: &str) -> u32 {
    let found = wait::until(wait::LIMIT, || {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.find(|pid: &u32| {
            let read = |file: &str| {
                let text = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
                String::from_utf8_lossy(&text).into_owned()
            };
            let parent = format!("PPid:\t{of}\n");
            let program = read("cmdline");
            let program = program.split('\0').next().unwrap_or_default();
            program.ends_with(&format!("/{suite}")) && read("status").contains(&parent)
        })
    });
    found.unwrap_or_else(|| panic!("{suite} does not run"))
}

#[test]
fn two_executables_are_one_run() {
    let pair = Pair::new();
    let said = pair.run(&[&QUIET[..], &["pair::counts"]].concat());
    assert_eq!(said.code, Some(0), "{}", said.all());
    let mut lines: Vec<&str> = said.stdout.lines().collect();
    // The results come in the order in which tests end.
    lines[2..10].sort_unstable();
    let (end, lines) = lines.split_last().unwrap();
    let (result, lines) = match end.is_empty() {
        true => lines.split_last().unwrap(),
        false => (end, lines),
    };
    let expected = [
        "",
        "running 8 tests",
        "test armadillo-selftest::left$pair::counts ... ok",
        "test armadillo-selftest::left$pair::fails ... ok",
        "test armadillo-selftest::left$pair::is_ignored ... ignored, not today",
        "test armadillo-selftest::left$pair::passes ... ok",
        "test armadillo-selftest::right$pair::counts ... ok",
        "test armadillo-selftest::right$pair::fails ... ok",
        "test armadillo-selftest::right$pair::is_ignored ... ignored, not today",
        "test armadillo-selftest::right$pair::passes ... ok",
        "",
    ];
    assert_eq!(lines, expected, "{}", said.all());
    let counted = "test result: ok. 6 passed; 0 failed; 2 ignored; 0 measured; 22 filtered out;";
    assert!(result.starts_with(counted), "{result}");
    let once = |text: &str| assert_eq!(said.stderr.matches(text).count(), 1, "{}", said.stderr);
    once("armadillo 0.1.0, run ");
    once(": 6 tests of 2 executables, ");
    once("  armadillo-selftest::left: 3 tests\n");
    once("6 passed, 2 ignored in ");
    let latest = pair.path("runs/latest").canonicalize().unwrap();
    let files = format!("  files: {}\n", latest.display());
    // Before the run, and after it.
    assert_eq!(said.stderr.matches(&files).count(), 2, "{}", said.stderr);
    let results = pair.results();
    assert_eq!(results["totals"]["passed"], 6, "{results}");
    assert_eq!(results["exit_code"], 0, "{results}");
}

#[test]
fn a_failure_is_shown_once_and_so_are_its_annotations() {
    let pair = Pair::new();
    let mut command = pair.command(&QUIET);
    command
        .env("PAIR_FAILS", "left")
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", pair.path("summary"));
    let said = said(command.output().unwrap());
    assert_eq!(said.code, Some(101), "{}", said.all());
    let name = "armadillo-selftest::left$pair::fails";
    let count = |text: &str, pattern: &str| text.matches(pattern).count();
    assert_eq!(count(&said.stdout, &format!("test {name} ... FAILED\n")), 1);
    assert_eq!(
        count(&said.stdout, &format!("---- {name} stdout ----\n")),
        1
    );
    assert_eq!(count(&said.stderr, &format!("---- {name} ----\n")), 1);
    assert_eq!(
        count(&said.stdout, "test result: FAILED. 3 passed; 1 failed;"),
        1
    );
    assert_eq!(count(&said.stderr, "::error "), 1, "{}", said.stderr);
    let summary = std::fs::read_to_string(pair.path("summary")).unwrap();
    assert_eq!(count(&summary, "# "), 1, "{summary}");
    // It runs again in its own executable.
    let again = "cargo test -p armadillo-selftest --test left -- --exact pair::fails";
    assert!(said.stdout.contains(again), "{}", said.stdout);
}

#[test]
fn json_is_one_stream_and_terse_one_line() {
    let pair = Pair::new();
    let json = pair.run(&[&QUIET[..], &["--format", "json"]].concat());
    assert_eq!(json.code, Some(0), "{}", json.all());
    let events: Vec<Value> = (json.stdout.lines())
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    let suites: Vec<&Value> = events
        .iter()
        .filter(|event| event["type"] == "suite")
        .collect();
    assert_eq!(suites.len(), 2, "{}", json.stdout);
    assert_eq!(
        (&suites[0]["test_count"], &suites[1]["passed"]),
        (&6.into(), &4.into())
    );
    assert_eq!(events.last(), suites.last().copied());
    for words in [&["--quiet"][..], &["--format", "terse"]] {
        let terse = pair.run(&[&QUIET[..], words].concat());
        assert!(
            terse.stdout.contains("running 6 tests\nii...."),
            "{}",
            terse.all()
        );
    }
}

#[test]
fn what_is_no_event_comes_line_by_line() {
    let pair = Pair::new();
    let mut command = pair.command(&["pair::passes", "--exact"]);
    let said = said(command.env("PAIR_SPEAKS", "1").output().unwrap());
    assert_eq!(said.code, Some(0), "{}", said.all());
    for suite in SUITES {
        let (speaks, mutters) = (format!("{suite} speaks\n"), format!("{suite} mutters\n"));
        assert_eq!(said.stdout.matches(&speaks).count(), 1, "{}", said.stdout);
        assert_eq!(said.stderr.matches(&mutters).count(), 1, "{}", said.stderr);
    }
}

#[test]
fn maxfail_counts_over_all_executables() {
    let pair = Pair::new();
    let mut command = pair.command(&["pair::stays", "pair::fails_beside_the_other", "--exact"]);
    command.args(["-x", "-n", "4"]).env("PAIR_FAILS", "left");
    let said = said(command.output().unwrap());
    assert_eq!(said.code, Some(101), "{}", said.all());
    let early = "stopped early: 1 test failed, and --maxfail is 1";
    assert_eq!(said.stderr.matches(early).count(), 1, "{}", said.stderr);
    let results = pair.results();
    assert_eq!(results["ended_early"], "1 test failed, and --maxfail is 1");
    assert_eq!(results["exit_code"], 101, "{results}");
    // The other executable's test was ended, and its test that had passed is as it was.
    let other = |test: &str| format!("test armadillo-selftest::right$pair::{test}");
    let stays = format!("{} ... FAILED\n", other("stays"));
    assert!(said.stdout.contains(&stays), "{}", said.stdout);
    let passed = format!("{} ... ok\n", other("fails_beside_the_other"));
    assert!(said.stdout.contains(&passed), "{}", said.stdout);
}

#[test]
fn no_more_tests_run_at_once_than_one_executable_would() {
    for slots in [1, 2, 3] {
        let pair = Pair::new();
        let said = pair.run(&["takes_a_while", "-n", &slots.to_string()]);
        assert_eq!(said.code, Some(0), "{}", said.all());
        let notes = std::fs::read_to_string(pair.path("meeting/notes")).unwrap();
        let mut running = 0;
        let counts = notes.lines().map(|note| {
            running += if note.starts_with("begins") { 1 } else { -1 };
            running
        });
        assert_eq!(counts.max(), Some(slots), "{notes}");
        assert_eq!(notes.lines().count(), 32, "{notes}");
    }
}

#[test]
fn ctrl_c_ends_all_and_shows_what_ran() {
    let pair = Pair::new();
    let running = pair.start(&["pair::stays", "pair::passes", "--exact", "-n", "4"]);
    pair.both_stay();
    pair.both_logs_have("test_finished", "pair::passes");
    suite::interrupt(running.id());
    let said = said(running.wait_with_output().unwrap());
    assert_eq!(said.code, Some(130), "{}", said.all());
    let counted = "test result: FAILED. 2 passed; 2 failed;";
    assert_eq!(said.stdout.matches(counted).count(), 1, "{}", said.all());
    assert!(
        said.stderr.contains("stopped early: interrupted\n"),
        "{}",
        said.stderr
    );
    assert_eq!(pair.results()["exit_code"], 130);
}

#[test]
fn an_executable_that_is_killed_is_said_and_the_other_goes_on() {
    let pair = Pair::new();
    let running = pair.start(&["pair::stays", "pair::passes", "--exact", "-n", "4"]);
    pair.both_stay();
    pair.both_logs_have("test_started", "pair::stays");
    let left = child(running.id(), "left");
    suite::kill(left);
    let ended = wait::until(wait::LIMIT, || {
        let is_there = Path::new(&format!("/proc/{left}")).exists();
        (!is_there).then_some(())
    });
    assert!(ended.is_some());
    pair.leave();
    let said = said(running.wait_with_output().unwrap());
    assert_eq!(said.code, Some(3), "{}", said.all());
    let killed = "warning: armadillo-selftest::left was killed: signal: 9 (SIGKILL)\n";
    assert_eq!(said.stderr.matches(killed).count(), 1, "{}", said.stderr);
    let stays = "test armadillo-selftest::right$pair::stays ... ok\n";
    assert!(said.stdout.contains(stays), "{}", said.all());
    let early = "stopped early: armadillo-selftest::left: it was killed\n";
    assert!(said.stderr.contains(early), "{}", said.stderr);
}

#[test]
fn what_a_person_looks_at_runs_one_after_the_other() {
    let pair = Pair::new();
    let said = pair.run(&["pair::prints", "pair::passes", "--exact", "--nocapture"]);
    assert_eq!(said.code, Some(0), "{}", said.all());
    let why = "armadillo: the executables run one after the other because of --nocapture\n";
    assert_eq!(said.stderr.matches(why).count(), 1, "{}", said.stderr);
    assert_eq!(said.stdout.matches("test result: ok. 2 passed").count(), 2);
    assert!(
        said.stdout.contains("all executables: 4 passed"),
        "{}",
        said.stdout
    );
    // Wherever it is said.
    let mut command = pair.command(&["pair::passes", "--exact"]);
    command.env("ARMADILLO_ISOLATION", "none");
    let said = self::said(command.output().unwrap());
    assert_eq!(said.code, Some(0), "{}", said.all());
    assert!(
        said.stderr.contains("because of --isolation none\n"),
        "{}",
        said.stderr
    );
}

#[test]
fn packages_with_other_settings_run_one_after_the_other() {
    let pair = Pair::new();
    // Each in a package of its own.
    let messages = std::fs::read_to_string(pair.path("messages")).unwrap();
    let apart = messages.lines().zip(SUITES).map(|(line, suite)| {
        let mut message: Value = serde_json::from_str(line).unwrap();
        std::fs::create_dir(pair.path(suite)).unwrap();
        message["manifest_path"] = pair.path(suite).join("Cargo.toml").to_str().into();
        format!("{message}\n")
    });
    let apart: String = apart.collect();
    std::fs::write(pair.path("messages"), apart).unwrap();
    let passes = ["pair::passes", "--exact"];
    let said = pair.run(&passes);
    assert_eq!(said.code, Some(0), "{}", said.all());
    assert!(
        !said.stderr.contains("one after the other"),
        "{}",
        said.stderr
    );
    for (settings, why) in [
        (
            "timeout-factor = 2.0\n",
            "settings that give them different daemons",
        ),
        (
            "format = \"terse\"\n",
            "settings that give them different formats",
        ),
    ] {
        std::fs::write(pair.path("right/armadillo.toml"), settings).unwrap();
        let said = pair.run(&passes);
        assert_eq!(said.code, Some(0), "{}", said.all());
        let why = format!("armadillo: the executables run one after the other because of {why}\n");
        assert_eq!(said.stderr.matches(&why).count(), 1, "{}", said.stderr);
        assert!(
            said.stdout.contains("all executables: 2 passed"),
            "{}",
            said.stdout
        );
    }
}

#[test]
fn one_executable_prints_as_if_cargo_had_started_it() {
    let pair = Pair::new();
    let messages = std::fs::read_to_string(pair.path("messages")).unwrap();
    let first = messages.lines().next().unwrap();
    std::fs::write(pair.path("messages"), format!("{first}\n")).unwrap();
    let said = pair.run(&["pair::passes", "--exact"]);
    let began = "\nrunning 1 test\ntest pair::passes ... ok\n\ntest result: ok. 1 passed;";
    assert!(said.stdout.starts_with(began), "{}", said.all());
    let header = ": 1 test of armadillo-selftest::left, ";
    assert!(said.stderr.contains(header), "{}", said.stderr);
}

#[test]
fn a_wrong_argument_is_said_before_anything_runs() {
    let pair = Pair::new();
    let said = pair.run(&["pair::passes", "--no-such-flag"]);
    assert_eq!((said.code, &*said.stdout), (Some(2), ""), "{}", said.all());
    assert!(said.stderr.contains("--no-such-flag"), "{}", said.stderr);
}

#[test]
fn the_live_report_is_one_page_for_all() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let pair = Pair::new();
    let mut command = pair.command(&["--ui", "pair::stays", "pair::passes", "--exact", "-n", "4"]);
    let said = pair.path("said");
    command.stderr(File::create(&said).unwrap());
    let mut running = command.stdout(Stdio::null()).spawn().unwrap();
    let address = wait::until(wait::LIMIT, || {
        let said = std::fs::read_to_string(&said).ok()?;
        let mut lines = said.lines();
        lines.find_map(|line| Some(line.strip_prefix("live report: ")?.to_owned()))
    });
    let address = address.unwrap_or_else(|| panic!("no address in {}", said.display()));
    pair.both_stay();
    browser.look(1280, 900, "light");
    browser.visit(&address);
    browser.wait("/Running: [0-2] of 4 tests/.test(document.querySelector('#main').innerText)");
    for suite in SUITES {
        browser.wait(&format!(
            "document.querySelector('[data-card=Running]').innerText.includes('armadillo-selftest::{suite}$pair::stays')"
        ));
    }
    browser.picture("live-together");
    browser.run("window.neverReloaded = true");
    pair.leave();
    browser.wait("document.querySelector('#bar').innerText.includes('4 tests passed')");
    assert_eq!(browser.run("window.neverReloaded"), true);
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{complaints:#?}");
    let status = running.wait().unwrap();
    assert!(
        status.success(),
        "{}",
        std::fs::read_to_string(&said).unwrap()
    );
}

#[test]
fn a_terminal_has_one_live_display() {
    let pair = Pair::new();
    let (mut person, terminal) = suite::terminal();
    let mut command = pair.command(&["pair::stays", "pair::passes", "--exact", "-n", "4"]);
    command.env("TERM", "xterm").env_remove("CI");
    command
        .stdout(terminal.try_clone().unwrap())
        .stderr(terminal);
    let mut running = command.spawn().unwrap();
    // Its ends of the terminal are closed with it.
    drop(command);
    let screen = Arc::new(Mutex::new(Vec::new()));
    let seen = screen.clone();
    let reader = std::thread::spawn(move || {
        let mut piece = [0; 4096];
        // At the end of everybody who writes there, a terminal is an error.
        while let Ok(count @ 1..) = person.read(&mut piece) {
            seen.lock().unwrap().extend_from_slice(&piece[..count]);
        }
    });
    let text = || String::from_utf8_lossy(&screen.lock().unwrap()).into_owned();
    pair.both_stay();
    let shown = wait::until(wait::LIMIT, || {
        let shown = text().contains("2 of 4 tests") && text().contains(", 2 running");
        shown.then_some(())
    });
    assert!(shown.is_some(), "{}", text());
    for suite in SUITES {
        let stays = format!("  armadillo-selftest::{suite}$pair::stays");
        assert!(text().contains(&stays), "{}", text());
    }
    pair.leave();
    assert_eq!(running.wait().unwrap().code(), Some(0), "{}", text());
    reader.join().unwrap();
    let text = text();
    assert_eq!(text.matches("tests of 2 executables").count(), 1, "{text}");
    assert_eq!(text.matches("test result: ").count(), 1, "{text}");
    assert_eq!(text.matches("4 passed in ").count(), 1, "{text}");
    // What was drawn is taken off again before anything else is written: nothing of it is left in the end.
    let (_, end) = text.rsplit_once("test result: ").unwrap();
    assert!(!end.contains(" running, "), "{text}");
}
