//! What a run leaves in the history.

use std::path::Path;
use std::process::Command;

use armadillo_selftest::past::History;
use armadillo_selftest::{Ran, Running, Suite, cargo, meeting};

use super::suite;

const TALLY: &str = "tally servers(servers = 1)";

fn history(ran: &Ran) -> History {
    History::read(&ran.home().join("runs/history.jsonl"))
}

#[test]
fn who_was_there_and_on_what() {
    let copies = |args: &[&str]| {
        let suite = Suite::new(env!("CARGO_BIN_EXE_copies")).args(args);
        let place = suite.home().join("meeting");
        suite.env(meeting::PLACE, place).run()
    };
    let ran = copies(&["alone::adds::a"]);
    let known = history(&ran);
    let [one] = &known.attempts("alone::adds::a")[..] else {
        panic!("{}", ran.said());
    };
    assert_eq!((one.on.as_str(), one.company.as_str()), (TALLY, "alone"));
    assert_eq!(one.outcome, "passed");
    assert_eq!(ran.runs(), [one.run.as_str()]);
    assert_eq!(known.took(TALLY)[0], 1);
    // Two that can only pass at the same time.
    let ran = copies(&["company::", "-n", "2"]);
    let known = history(&ran);
    for name in ["company::meets::one", "company::meets::other"] {
        let attempts = known.attempts(name);
        let company: Vec<&str> = attempts.iter().map(|it| it.company.as_str()).collect();
        assert_eq!(company, ["shared"], "{name}\n{}", ran.said());
    }
    // Without a deployment there is nobody to share it with.
    let ran = suite(&["pass::one::a"]).run();
    let attempts = history(&ran).attempts("pass::one::a");
    assert_eq!((&*attempts[0].on, &*attempts[0].company), ("", ""));
}

#[test]
fn every_attempt_counts_and_what_did_not_run_does_not() {
    let ran = suite(&["fail::one::a", "pass::slowly", "--retries", "1"]).run();
    let known = history(&ran);
    let attempts = known.attempts("fail::one::a");
    let outcomes: Vec<&str> = attempts.iter().map(|it| it.outcome.as_str()).collect();
    assert_eq!(outcomes, ["failed+", "failed"], "{}", ran.said());
    assert_eq!(known.attempts("pass::slowly"), []);
    let ran = suite(&["pass::slowly"]).run();
    assert!(!ran.home().join("runs/history.jsonl").exists());
}

#[test]
fn the_commit_is_that_of_the_checkout() {
    let id = "0123456789abcdef0123456789abcdef01234567";
    let checkout = suite(&["pass::one::a"]);
    std::fs::create_dir(checkout.home().join(".git")).unwrap();
    let ran = checkout.file(".git/HEAD", id).run();
    let known = history(&ran);
    // git itself has no such repository, and does not say what was changed.
    assert_eq!(known.commit(&ran.runs()[0]), Some((id.to_owned(), None)));
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let ran = suite(&["pass::one::a"]).run();
    assert_eq!(history(&ran).commit(&ran.runs()[0]), None);
}

#[test]
fn changed_files_are_not_the_commit() {
    if !cargo::has("git", &["--version"], "ARMADILLO_REQUIRE_GIT") {
        return;
    }
    let asked = |change: bool| {
        let suite = suite(&["pass::one::a"]).file("code", "one");
        let id = committed(suite.home());
        let suite = match change {
            true => suite.file("code", "two"),
            // It need not be known to git.
            false => suite.file("notes", "new"),
        };
        let ran = suite.run();
        let known = history(&ran).commit(&ran.runs()[0]);
        let (known, dirty) = known.unwrap_or_else(|| panic!("{}", ran.said()));
        assert_eq!(known, id);
        dirty
    };
    // On a busy machine, git may not answer in time.
    let is_dirty = |change: bool| (0..10).find_map(|_| asked(change));
    assert_eq!(is_dirty(true), Some(true));
    assert_eq!(is_dirty(false), Some(false));
}

/// Commits what is there; the commit.
#[expect(
    clippy::unwrap_used,
    reason = "clippy knows test functions, not the helpers beside them"
)]
fn committed(directory: &Path) -> String {
    let git = |args: &[&str]| {
        let author = [
            "-c",
            "user.name=nobody",
            "-c",
            "user.email=nobody@localhost",
        ];
        let output = Command::new("git")
            .arg("-C")
            .arg(directory)
            .args(author)
            .args(args)
            .output();
        let output = output.unwrap();
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "--quiet"]);
    git(&["add", "code"]);
    git(&["commit", "--quiet", "--no-verify", "-m", "one"]);
    git(&["rev-parse", "HEAD"])
}

/// As nextest runs them: a process for each attempt at each test, several at a time.
#[test]
fn the_processes_of_a_nextest_run_are_one_run() {
    let shared = tempfile::tempdir().unwrap();
    let process = |test: &str, attempt: &str| {
        let suite = suite(&[test, "--exact", "--nocapture"]);
        let suite = suite
            .env("ARMADILLO_OUTPUT_DIR", shared.path())
            .env("NEXTEST", "1");
        let suite = suite.env("NEXTEST_RUN_ID", "89abcdef-0000-4000-8000-000000000000");
        suite
            .env("NEXTEST_ATTEMPT", attempt)
            .env("NEXTEST_TOTAL_ATTEMPTS", "2")
            .start()
    };
    let tests = ["a", "b", "c", "d", "e"].map(|case| format!("pass::one::{case}"));
    let mut all: Vec<Running> = tests.iter().map(|test| process(test, "1")).collect();
    all.push(process("fail::one::a", "1"));
    all.into_iter().for_each(|one| drop(one.wait()));
    drop(process("fail::one::a", "2").wait());
    let known = History::read(&shared.path().join("history.jsonl"));
    let failed = known.attempts("fail::one::a");
    let outcomes: Vec<&str> = failed.iter().map(|it| it.outcome.as_str()).collect();
    assert_eq!(outcomes, ["failed+", "failed"]);
    let passed = tests.iter().flat_map(|test| known.attempts(test));
    let passed: Vec<_> = passed.collect();
    assert_eq!(passed.len(), tests.len());
    for attempt in passed.iter().chain(&failed) {
        assert_eq!(attempt.run, "nextest-89abcdef");
    }
}

/// Somebody has named the wrong file.
#[test]
fn a_file_that_is_not_a_history_stays_as_it_is() {
    let notes = "buy milk\n";
    let said = "notes is not a history of tests; it stays as it is";
    let ran = suite(&["pass::one::a", "--history", "notes"])
        .file("notes", notes)
        .run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    assert_eq!(ran.said().matches(said).count(), 1, "{}", ran.said());
    let kept = |ran: &Ran| std::fs::read_to_string(ran.home().join("notes")).unwrap();
    assert_eq!(kept(&ran), notes);
    // Nor do the reports of a killed run fail for that.
    let events = String::from_utf8(ran.file("events.jsonl")).unwrap();
    let killed: Vec<&str> = events
        .lines()
        .filter(|line| !line.contains("\"run_finished\""))
        .collect();
    let again = suite(&["--report-from", "events.jsonl", "--history", "notes"]);
    let again = again
        .file("notes", notes)
        .file("events.jsonl", &(killed.join("\n") + "\n"))
        .run();
    assert_eq!(again.code, Some(0), "{}", again.said());
    assert!(
        again.stderr.contains("warning: cannot record the outcomes"),
        "{}",
        again.said()
    );
    assert!(again.stderr.contains(said), "{}", again.said());
    assert_eq!(kept(&again), notes);
}

/// A run that was killed has recorded nothing; the reports that are made of it afterwards do, and once.
#[test]
fn what_a_killed_run_found_out_can_be_recorded_later() {
    let ran = suite(&["one", "--skip", "d", "-n", "1"]).run();
    let events = String::from_utf8(ran.file("events.jsonl")).unwrap();
    let until = |marker: &str| {
        let end = events.match_indices('\n').map(|(at, _)| at + 1);
        let mut ends = end.filter(|end| events[..*end].matches(marker).count() >= 3);
        ends.next()
            .map(|end| events[..end].to_owned())
            .unwrap_or_default()
    };
    let killed = until("\"test_finished\"");
    let later = |log: &str, times: usize| {
        let suite = suite(&["--report-from", "events.jsonl"]).file("events.jsonl", log);
        let place = suite.home().join("runs");
        let ran = suite.run();
        assert_eq!(ran.code, Some(0), "{}", ran.said());
        for _ in 1..times {
            let again = self::suite(&["--report-from", "events.jsonl"]).file("events.jsonl", log);
            drop(again.env("ARMADILLO_OUTPUT_DIR", &place).run());
        }
        ran
    };
    let ran = later(&killed, 1);
    let known = history(&ran);
    let names =
        ["a", "b", "c"].map(|case| [format!("pass::one::{case}"), format!("fail::one::{case}")]);
    let attempts = names.iter().flatten().flat_map(|name| known.attempts(name));
    assert_eq!(attempts.count(), 3, "{killed}");
    // It counts once.
    let ran = later(&killed, 3);
    let failed = suite(&["fail", "--last-failed", "--list"]);
    let ran = failed
        .env("ARMADILLO_OUTPUT_DIR", ran.home().join("runs"))
        .run();
    assert!(ran.stdout.lines().count() <= 5, "{}", ran.said());
    // A whole run has recorded everything itself.
    let whole = later(&events, 1);
    assert!(!whole.home().join("runs/history.jsonl").exists());
}
