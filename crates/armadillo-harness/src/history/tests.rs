//! The file is the union of its lines, whoever wrote them, in whatever order, however it was cut off.

mod files;
mod topologies;

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::file::Identity;
use super::*;
use crate::event::EventKind;
use crate::outcome::{FailureKind, Verdict};
use crate::report::Model;
use crate::report::sample::{ends, event, failed, planned, run, started};

const FAILED: Outcome = Outcome::Failed(FailureKind::Failed);
const RETRIED: Outcome = Outcome::Retried(FailureKind::TimedOut);

fn model() -> Model {
    let mut model = Model::default();
    for event in run() {
        model.on(&event);
    }
    model
}

fn all(path: &Path) -> History {
    let found = read(path, &|_| true);
    assert_eq!(found.problem, None);
    found.history
}

/// Adds to a file as if it had lines that nobody can read.
fn append_as_damaged(path: &Path, new: &History) {
    let metadata = fs::metadata(path).ok();
    let old = metadata.map(|there| Old::Damaged(Identity::of_metadata(&there)));
    append(path, new, old.unwrap_or_default()).unwrap();
}

/// One attempt at a test.
fn attempt(run: &str, commit: Option<&str>, at_ms: u64, test: &str, outcome: Outcome) -> History {
    let mut history = History::default();
    let number = history.run(run);
    history.runs[number as usize].commit = commit.map(|id| Commit {
        id: id.trim_end_matches(['*', '?']).to_owned(),
        dirty: id.ends_with('*'),
        unchecked: id.ends_with('?'),
    });
    history.attempts_of(test, "").push(Attempt {
        at_ms,
        run: number,
        outcome,
        took_us: at_ms * 1000,
        company: None,
    });
    history
}

/// Runs of one test, each of its own commit.
fn runs(outcomes: &[&[Outcome]], commits: &[&str]) -> History {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("history.jsonl");
    let mut at_ms = 0;
    for (number, attempts) in outcomes.iter().enumerate() {
        for outcome in *attempts {
            at_ms += 10;
            let commit = commits.get(number).copied();
            let new = attempt(&format!("run{number}"), commit, at_ms, "t", *outcome);
            append(&file, &new, Old::Stays).unwrap();
        }
    }
    all(&file)
}

/// Everything that is known, to compare.
fn said(history: &History) -> Vec<String> {
    let run = |number: u32| &history.runs[number as usize];
    let tests = history.tests.iter().flat_map(|(test, by_topology)| {
        let attempts = by_topology.values().flatten();
        attempts.map(move |it| format!("{test} {} {} {:?}", it.at_ms, it.outcome, run(it.run)))
    });
    let mut all: Vec<String> = tests.collect();
    all.sort_unstable();
    all
}

#[test]
fn a_run_is_remembered() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("deep/history.jsonl");
    assert!(all(&file).is_empty());
    append(&file, &History::of(&model()), Old::Stays).unwrap();

    let history = all(&file);
    let id = |name: &str| format!("shop::suite${name}");
    let test = |name: &str| history.test(&id(name));
    assert_eq!(test("net::reads"), Some(Duration::from_micros(90_000)));
    assert_eq!(test("net::writes"), Some(Duration::from_micros(60_000)));
    // A failure says little about a duration.
    assert_eq!(test("net::hangs"), None);
    assert!(!history.knows(&id("net::skips")) && !history.knows(&id("net::doubts")));
    let failed = |name: &str| history.failed_last(&id(name));
    assert!(failed("net::hangs") && !failed("net::reads") && !failed("net::skips"));
    let cluster = "tally cluster(members = 3)";
    assert_eq!(history.start(cluster), Some(Duration::from_micros(209_000)));
    let known = history.known(&id("net::writes")).unwrap();
    assert_eq!(
        known.rate(),
        Part {
            of: 1,
            failed: 0,
            flaky: 1
        }
    );
    assert_eq!(known.runs[0].topology, cluster);
    assert_eq!(known.runs[0].kind, Some(FailureKind::Failed));
    assert_eq!(history.known(&id("adds")).unwrap().by_company().len(), 0);
    let files = fs::read_dir(directory.path().join("deep")).unwrap().count();
    assert_eq!(files, 1, "nothing half written is left");
}

/// Runs that follow each other within a second.
#[test]
fn the_run_that_began_later_is_the_last() {
    let began = |run: &str, millis: u32, verdict: Verdict, us: u64| {
        let mut started = started(vec![planned("t", &[], None)], 0);
        run.clone_into(&mut started.run);
        started.unix_millis = millis;
        let mut model = Model::default();
        model.on(&event(0, EventKind::RunStarted(started)));
        model.on(&event(
            us,
            EventKind::TestFinished(ends(1, "t", verdict, "")),
        ));
        History::of(&model)
    };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("history.jsonl");
    let slow = began("one", 100, failed(FailureKind::Failed, "no"), 90_000);
    let fast = began("two", 200, Verdict::Passed, 1_000);
    for history in [fast, slow] {
        append(&file, &history, Old::Stays).unwrap();
    }
    let history = all(&file);
    assert!(!history.failed_last("shop::suite$t"));
}

#[test]
fn a_deployment_that_the_run_does_not_start_says_nothing_of_starts() {
    use crate::event::StartReason::{Attached, Shared, Unstarted};
    for reason in [Unstarted, Shared, Attached] {
        let mut model = model();
        for deployment in model.deployments.values_mut() {
            deployment.reason = Some(reason);
        }
        let history = History::of(&model);
        assert_eq!(history.start("tally cluster(members = 3)"), None);
    }
}

#[test]
fn a_new_duration_counts_for_three_tenths() {
    let average = |all: &[u64]| average(all.iter().copied()).map(|average| average.as_millis());
    assert_eq!(average(&[1_000_000, 2_000_000]), Some(1300));
    assert_eq!(average(&[]), None);
}

#[test]
fn only_what_is_asked_for_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("history.jsonl");
    append(&file, &History::of(&model()), Old::Stays).unwrap();
    let found = read(&file, &|test| test.ends_with("net::reads")).history;
    assert_eq!(found.ids().collect::<Vec<_>>(), ["shop::suite$net::reads"]);
    assert!(found.start("tally cluster(members = 3)").is_some());
    let strange = "shop::suite$a \"quoted\" \\ name";
    append(&file, &attempt("r", None, 1, strange, FAILED), Old::Stays).unwrap();
    let found = read(&file, &|test| test == strange);
    assert!(found.problem.is_none() && found.history.failed_last(strange));
    assert!(!read(&file, &|test| test == "other").history.knows(strange));
}

#[test]
fn the_file_has_an_end() {
    let mut history = History::default();
    for number in 0..100 {
        history.run(&format!("{number:08x}"));
    }
    for test in 0..21_000_u64 {
        let name = format!("shop::suite$a_module::a_test_of_usual_length_{test}");
        let attempts = (0..100).map(|run| Attempt {
            at_ms: 1_787_000_000_000 + u64::from(run) * 1000 + test % 7,
            run,
            outcome: Outcome::Passed,
            took_us: 90_000,
            company: Some(Company::Shared),
        });
        let on = "tally cluster(members = 3)";
        history.attempts_of(&name, on).extend(attempts);
    }
    history.forget();
    assert_eq!(history.tests.len(), 20_000);
    let mut text = Vec::new();
    history.write_lines(&mut text).unwrap();
    assert!(text.len() < 20 << 20, "{}", text.len());
    let newest = history
        .tests
        .values()
        .next()
        .unwrap()
        .values()
        .next()
        .unwrap();
    // Runs of which nothing is left are forgotten, and the others keep their names.
    let kept: Vec<&str> = (newest.iter())
        .map(|attempt| &*history.runs[attempt.run as usize].id)
        .collect();
    let expected: Vec<String> = (0..100).map(|number| format!("{number:08x}")).collect();
    assert_eq!(kept, expected[100 - kept.len()..]);
    assert_eq!(history.runs.len(), kept.len());
    assert!(kept.len() > 10);
}

#[test]
fn a_test_that_fails_now_and_then_is_flaky() {
    use Outcome::Passed;
    let told =
        |outcomes: &[&[Outcome]], commits: &[&str]| runs(outcomes, commits).earlier("t").unwrap();
    assert_eq!(told(&[&[Passed]], &["a"]), "passed the only run before");
    assert_eq!(
        told(&[&[Passed], &[Passed]], &["a"]),
        "passed all 2 runs before"
    );
    assert_eq!(
        told(&[&[Passed], &[FAILED], &[Passed]], &["a", "b", "c"]),
        "failed 1 of 3 runs before"
    );
    // The same commit did both.
    assert_eq!(
        told(&[&[Passed], &[FAILED], &[Passed]], &["a", "b", "b"]),
        "failed 1 of 3 runs before (known flaky: 33.3 %)"
    );
    // What was changed may have been changed in between.
    assert_eq!(
        told(&[&[Passed], &[FAILED], &[Passed]], &["a", "b*", "b*"]),
        "failed 1 of 3 runs before"
    );
    assert_eq!(
        told(&[&[Passed], &[FAILED], &[Passed]], &["a", "b?", "b?"]),
        "failed 1 of 3 runs before"
    );
    assert_eq!(
        told(&[&[Passed], &[RETRIED, Passed]], &["a", "b"]),
        "failed 1 of 2 runs before, 1 of these passed on a retry (known flaky: 50.0 %)"
    );
    // No commits, but twice it mended itself.
    assert_eq!(
        told(&[&[FAILED], &[Passed], &[FAILED], &[Passed]], &[]),
        "failed 2 of 4 runs before (known flaky: 50.0 %)"
    );
}

#[test]
fn failures_in_a_row_have_a_beginning() {
    use Outcome::Passed;
    let told =
        |outcomes: &[&[Outcome]], commits: &[&str]| runs(outcomes, commits).earlier("t").unwrap();
    assert_eq!(
        told(
            &[&[Passed], &[RETRIED, FAILED], &[FAILED]],
            &["a", "b", "c*"]
        ),
        "failed 2 of 3 runs before (fails since b, passed last at a)"
    );
    assert_eq!(
        told(&[&[FAILED]], &[]),
        "failed 1 of 1 run before (failed the last run)"
    );
    // Flaky once in twenty, and now five times in a row: that is no chance.
    let mut outcomes: Vec<&[Outcome]> = vec![&[Passed]; 20];
    outcomes[7] = &[RETRIED, Passed];
    let mut commits = vec!["old"; 20];
    outcomes.push(&[FAILED]);
    commits.push("new");
    let once = runs(&outcomes, &commits);
    assert!(matches!(
        once.known("t").unwrap().says(),
        Says::Flaky { .. }
    ));
    outcomes.extend([&[FAILED][..]; 4]);
    commits.extend(["new"; 4]);
    let told = told(&outcomes, &commits);
    assert!(
        told.contains("fails since new, passed last at old"),
        "{told}"
    );
}

#[test]
fn a_retry_that_was_interrupted_has_not_passed() {
    let history = runs(&[&[RETRIED]], &["a"]);
    assert!(history.failed_last("t"));
}

#[test]
fn durations_are_those_of_passed_attempts() {
    let outcomes: Vec<&[Outcome]> = vec![&[Outcome::Passed]; 100];
    // Each took as many milliseconds as its time says: 10, 20, .. 1000.
    let history = runs(&outcomes, &[]);
    assert_eq!(
        history.known("t").unwrap().durations(),
        Some((500_000, 950_000))
    );
    assert_eq!(
        runs(&[&[FAILED]], &[]).known("t").unwrap().durations(),
        None
    );
}

/// Numbers that nobody has written in earnest.
#[test]
fn large_numbers_are_numbers() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("history.jsonl");
    let huge = "{\"test\":\"t\",\"on\":\"\",\"attempts\":[[\"r\",18446744073709551615,\"passed\",18446744073709551615,null]]}\n";
    fs::write(&file, huge).unwrap();
    let history = all(&file);
    assert_eq!(history.test("t"), Some(Duration::from_secs(7 * 24 * 3600)));
    let known = history.known("t").unwrap();
    assert!(!known.runs[0].at().is_empty() && known.durations().is_some());
    let mut started = started(vec![planned("t", &[], None)], 0);
    (started.unix_time, started.unix_millis) = (u64::MAX, u32::MAX);
    let mut model = Model::default();
    model.on(&event(0, EventKind::RunStarted(started)));
    model.on(&event(
        u64::MAX,
        EventKind::TestFinished(ends(1, "t", Verdict::Passed, "")),
    ));
    append(&file, &History::of(&model), Old::Stays).unwrap();
    assert!(all(&file).knows("shop::suite$t"));
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![Just(Outcome::Passed), Just(FAILED), Just(RETRIED)]
}

fn histories() -> impl Strategy<Value = Vec<History>> {
    let one = (0..4_u64, 0..3_u8, 0..50_u64, outcomes());
    let one = one.prop_map(|(run, test, at_ms, outcome)| {
        let commit = format!("commit{run}");
        let run = format!("run{run}");
        attempt(&run, Some(&commit), at_ms, &format!("t{test}"), outcome)
    });
    prop::collection::vec(one, 1..12)
}

proptest! {
    #[test]
    fn the_order_of_lines_and_how_often_they_stand_there_are_the_same(
        histories in histories(),
        order in any::<prop::sample::Index>(),
        twice in any::<prop::sample::Index>(),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for history in &histories {
            append(&path("one"), history, Old::Stays).unwrap();
        }
        let mut others = histories.clone();
        others.rotate_left(order.index(histories.len()));
        others.push(twice.get(&histories).clone());
        let (some, rest) = others.split_at(order.index(others.len()));
        for history in some {
            append_as_damaged(&path("other"), history);
        }
        for history in rest {
            append(&path("third"), history, Old::Stays).unwrap();
        }
        let together = [path("other"), path("third")].map(|path| fs::read(path).unwrap_or_default()).concat();
        fs::write(path("together"), together).unwrap();
        prop_assert_eq!(said(&all(&path("one"))), said(&all(&path("together"))));
    }

    /// A run that is killed while it writes, or a full disk, costs what it was about to write and nothing else.
    #[test]
    fn wherever_the_file_was_cut_off_the_next_run_goes_on(
        histories in histories(),
        cut in any::<prop::sample::Index>(),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("history.jsonl");
        for history in &histories {
            append(&file, history, Old::Stays).unwrap();
        }
        let bytes = fs::read(&file).unwrap();
        let cut = cut.index(bytes.len() + 1);
        // A line that lacks nothing but its end is whole.
        let kept = String::from_utf8_lossy(&bytes[..cut]).into_owned();
        let kept = kept.lines().filter(|line| line.ends_with('}') && serde_json::from_str::<serde_json::Value>(line).is_ok());
        let whole: String = kept.map(|line| format!("{line}\n")).collect();
        fs::write(&file, &bytes[..cut]).unwrap();
        let before = all(&file);
        let expected = directory.path().join("expected.jsonl");
        fs::write(&expected, whole).unwrap();
        prop_assert_eq!(said(&before), said(&all(&expected)));
        let new = attempt("new", Some("new"), 99, "new", FAILED);
        append(&file, &new, Old::Stays).unwrap();
        append(&expected, &new, Old::Stays).unwrap();
        prop_assert_eq!(said(&all(&file)), said(&all(&expected)));
    }
}
