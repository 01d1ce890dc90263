//! Many tests on one deployment: who is charged with a crash, what leases and logs come to, and what the daemon bears. And
//! many that need none: what becomes of those that wait in a worker.

mod ahead;
mod api;
mod limits;
mod memory;
mod warm;

use std::collections::BTreeMap;

use armadillo_selftest::{Ran, Suite};
use serde_json::Value;

const SUITE: &str = env!("CARGO_BIN_EXE_crowd");

/// An attempt of a test: when it began and ended, in microseconds, and whether it failed.
#[derive(Debug)]
struct Attempt {
    test: String,
    began: u64,
    ended: u64,
    failed: bool,
}

/// Every event with its time and kind.
fn events(ran: &Ran) -> Vec<(u64, String, Value)> {
    let log = ran.file("events.jsonl");
    let log = String::from_utf8_lossy(&log);
    let event = |line: &str| {
        let event: Value = serde_json::from_str(line).ok()?;
        let (kind, value) = event["kind"].as_object()?.iter().next()?;
        Some((event["us"].as_u64()?, kind.clone(), value.clone()))
    };
    let mut events: Vec<_> = log.lines().filter_map(event).collect();
    events.sort_by_key(|(us, ..)| *us);
    events
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn attempts(events: &[(u64, String, Value)]) -> Vec<Attempt> {
    let mut began = BTreeMap::new();
    let mut attempts = Vec::new();
    for (us, kind, event) in events {
        match kind.as_str() {
            "test_started" => _ = began.insert(text(&event["test"]), *us),
            "test_finished" => {
                let test = text(&event["test"]);
                attempts.push(Attempt {
                    began: began.remove(&test).unwrap_or(*us),
                    ended: *us,
                    failed: event["verdict"].get("failed").is_some(),
                    test,
                });
            }
            _ => {}
        }
    }
    attempts
}

/// When servers ended that were not meant to.
fn crashes(events: &[(u64, String, Value)]) -> Vec<u64> {
    let crash = |(us, kind, event): &(u64, String, Value)| {
        let notice = &event["notice"];
        let exited = notice["notice"] == "server_exited" && notice["expected"] == false;
        (kind == "deployment" && exited).then_some(*us)
    };
    events.iter().filter_map(crash).collect()
}

/// The most leases that were held at one moment by tests that had not begun.
fn most_held_ahead(events: &[(u64, String, Value)]) -> usize {
    let mut ahead = std::collections::BTreeSet::new();
    let mut most = 0;
    for (_, kind, event) in events {
        match kind.as_str() {
            "lease_granted" => _ = ahead.insert(text(&event["lease"])),
            "test_started" | "lease_released" => _ = ahead.remove(&text(&event["lease"])),
            _ => {}
        }
        most = most.max(ahead.len());
    }
    most
}

#[test]
fn a_crash_is_charged_to_those_who_ran_at_that_moment() {
    for slots in ["1", "2", "4", "8"] {
        for retries in ["0", "1"] {
            let suite = Suite::new(SUITE).args(["-n", slots, "--retries", retries]);
            let ran = suite.run();
            assert_eq!(ran.code, Some(101), "{}", ran.said());
            let events = events(&ran);
            let crashes = crashes(&events);
            let attempts = attempts(&events);
            assert_eq!(
                attempts
                    .iter()
                    .filter(|one| one.test == "a_culprit")
                    .count(),
                crashes.len()
            );
            for attempt in &attempts {
                // The log is written by two processes: a moment may lie between what happened and its line.
                let slack = 5_000;
                let ran_then = crashes
                    .iter()
                    .any(|crash| attempt.began <= crash + slack && *crash <= attempt.ended + slack);
                assert!(
                    !attempt.failed || ran_then,
                    "{attempt:?} {crashes:?}\n{}",
                    ran.said()
                );
            }
            let culprit = attempts.iter().rfind(|one| one.test == "a_culprit");
            assert!(culprit.is_some_and(|one| one.failed), "{attempts:?}");
            // Each attempt that ran at that moment failed; each test that did not has passed.
            let finished = attempts.iter().map(|one| one.test.as_str());
            let tests: std::collections::BTreeSet<&str> = finished.collect();
            assert_eq!(tests.len(), 40, "{tests:?}");
            assert!(
                most_held_ahead(&events) <= slots.parse().unwrap(),
                "{}",
                ran.said()
            );
            assert_eq!(ran.remains(), [""; 0]);
        }
    }
}

#[test]
fn what_is_recorded_grows_with_the_tests_and_not_with_their_pairs() {
    let recorded = |tests: usize| {
        let repeat = tests.to_string();
        let suite = Suite::new(SUITE).args(["holds_it", "--exact", "-n", "4", "--repeat", &repeat]);
        // These are recorded as time goes by, however many tests there are.
        let suite = suite.args(["--statistics-interval", "off"]);
        let ran = suite.run();
        assert_eq!(ran.code, Some(0), "{}", ran.said());
        let events = events(&ran);
        assert!(most_held_ahead(&events) <= 4);
        let started = events
            .iter()
            .filter(|(_, kind, _)| kind == "deployment_starting");
        assert_eq!(started.count(), 1);
        ran.file("events.jsonl").len() / tests
    };
    let (few, many) = (recorded(200), recorded(800));
    // What a run records once weighs less, the more tests there are; names and numbers are a little longer.
    assert!(many <= few + few / 10, "{few} bytes a test, then {many}");
}
