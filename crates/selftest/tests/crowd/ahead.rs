//! Short tests are sent to a worker before it has ended the one that runs: each is still a test like any other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use armadillo_selftest::{Ran, Suite, meeting, wait};
use rustix::process::Signal;
use serde_json::Value;

use super::{SUITE, events, text};

/// How many tests a run has, unless it is to be ended before them.
const TESTS: usize = 300;

/// The number, in its process, of the test that does what it is told.
const THE_ONE: usize = 30;

/// A run of short tests, one of which does this.
fn short(what: &str, tests: usize, args: &[&str]) -> Suite {
    let repeat = tests.to_string();
    let suite = Suite::new(SUITE)
        .args(["short::runs", "--exact", "--ignored", "--repeat", &repeat])
        .args(args);
    let place = suite.home().join("meeting");
    suite
        .env(meeting::PLACE, place)
        .env("SELFTEST_TESTS", &repeat)
        .env("SELFTEST_SHORT", what)
}

/// The bodies that ran: process and number there, in the order in which they began.
fn bodies(ran: &Ran) -> Vec<String> {
    let begun = std::fs::read_to_string(ran.home().join("meeting/begun"));
    begun
        .unwrap_or_default()
        .lines()
        .map(str::to_owned)
        .collect()
}

/// What the log says of the attempts that ended.
fn finished(ran: &Ran) -> Vec<Value> {
    let events = events(ran).into_iter();
    let finished = events.filter(|(_, kind, _)| kind == "test_finished");
    finished.map(|(.., event)| event).collect()
}

fn failed(finished: &[Value]) -> Vec<&Value> {
    let failed = finished
        .iter()
        .filter(|event| event["verdict"].get("failed").is_some());
    failed.collect()
}

/// Each test has exactly one attempt, except for those of these names, and each began before it ended.
fn each_ran_once(ran: &Ran, tests: usize, but: &[String]) {
    let mut begun: BTreeMap<String, u32> = BTreeMap::new();
    let mut ended: BTreeMap<String, u32> = BTreeMap::new();
    for (_, kind, event) in events(ran) {
        let test = text(&event["test"]);
        match kind.as_str() {
            "test_started" => *begun.entry(test).or_default() += 1,
            "test_finished" => {
                assert!(begun.contains_key(&test), "{test} ended before it began");
                *ended.entry(test).or_default() += 1;
            }
            "test_put_back" => panic!("{test} was put back\n{}", ran.said()),
            _ => {}
        }
    }
    assert_eq!(begun, ended);
    assert_eq!(ended.len(), tests, "{}", ran.said());
    for (test, attempts) in &ended {
        assert!(*attempts == 1 || but.contains(test), "{test}: {attempts}");
    }
}

/// Each test printed its own line and nothing else.
fn each_printed_its_own(ran: &Ran) {
    let mut printed: BTreeSet<String> = BTreeSet::new();
    let mut numbers: BTreeMap<u64, usize> = BTreeMap::new();
    for event in finished(ran) {
        let output = text(&event["output"]["text"]);
        let lines: Vec<&str> = output.lines().collect();
        let (Some(line), Some(worker)) = (lines.first(), event["worker"].as_u64()) else {
            panic!("{event}");
        };
        // Its process begins them in this order.
        let number = numbers.entry(worker).or_default();
        *number += 1;
        assert!(line.ends_with(&format!(" {number}")), "{event}");
        let is_said = event["verdict"].get("failed").is_some();
        assert!(lines.len() == 1 || is_said, "{event}");
        assert!(printed.insert((*line).to_owned()), "{line} twice");
    }
    assert_eq!(printed, bodies(ran).into_iter().collect());
}

/// No body ran that nobody speaks of. One that was to be run may have been killed before it began, in each slot.
fn speaks_of_each_body(ran: &Ran, started: usize) {
    let bodies = bodies(ran).len();
    let killed_early = started.checked_sub(bodies);
    assert!(
        killed_early.is_some_and(|killed| killed <= 2),
        "{started} started, {bodies} ran\n{}",
        ran.said()
    );
}

#[test]
fn a_worker_goes_from_one_test_to_the_next_without_the_runner() {
    // Nothing is sent ahead behind a test that takes long, which any of them may on a busy machine.
    for _ in 0..20 {
        let running = short("stops the runner", TESTS, &["-n", "1"]).start();
        let begun = running.home().join("meeting/begun");
        let more_than = |tests: usize| {
            let begun = std::fs::read_to_string(&begun).unwrap_or_default();
            (begun.lines().count() > tests).then_some(())
        };
        assert!(wait::until(wait::LIMIT, || more_than(THE_ONE - 1)).is_some());
        // Those that had been sent to it, and no others, for there is nobody who could send more.
        let goes_on = wait::until(Duration::from_secs(2), || more_than(THE_ONE + 3));
        running.signal(Signal::CONT);
        let ran = running.wait();
        assert_eq!(ran.code, Some(0), "{}", ran.said());
        each_ran_once(&ran, TESTS, &[]);
        if goes_on.is_some() {
            return;
        }
    }
    panic!("nothing was sent ahead");
}

#[test]
fn what_short_tests_print_and_take_is_their_own() {
    for slots in ["1", "2", "3"] {
        let ran = short("takes long", TESTS, &["-n", slots, "--show-output"]).run();
        assert_eq!(ran.code, Some(0), "{}", ran.said());
        each_ran_once(&ran, TESTS, &[]);
        each_printed_its_own(&ran);
        let finished = finished(&ran);
        let us = |event: &Value, what: &str| event["times"][what].as_u64().unwrap();
        let is_the_one = |event: &&Value| {
            let output = text(&event["output"]["text"]);
            output.trim_end().ends_with(&format!(" {THE_ONE}"))
        };
        let ones = finished.iter().filter(is_the_one);
        let long = ones.map(|event| us(event, "body")).max();
        assert!(long >= Some(1_000_000), "{}", ran.said());
        for event in &finished {
            assert!(us(event, "body") <= us(event, "total"), "{event}");
        }
        // No time is that of two tests: those of one worker come to no more than the run.
        let events = events(&ran);
        let run = events.last().unwrap().0 - events[0].0;
        let mut of_workers: BTreeMap<u64, u64> = BTreeMap::new();
        for event in &finished {
            let worker = event["worker"].as_u64().unwrap();
            *of_workers.entry(worker).or_default() += us(event, "total");
        }
        assert!(
            of_workers.values().all(|sum| *sum <= run),
            "{of_workers:?} of {run} us\n{}",
            ran.said()
        );
    }
}

#[test]
fn tests_do_not_wait_behind_a_slow_one() {
    let ran = short("waits for the others", TESTS, &["-n", "2"]).run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    each_ran_once(&ran, TESTS, &[]);
}

#[test]
fn a_process_that_dies_is_charged_to_the_test_that_ran() {
    for (what, kind) in [("aborts", "crashed"), ("is killed", "crashed")] {
        for slots in ["1", "2"] {
            let ran = short(what, TESTS, &["-n", slots, "--show-output"]).run();
            assert_eq!(ran.code, Some(101), "{}", ran.said());
            each_ran_once(&ran, TESTS, &[]);
            each_printed_its_own(&ran);
            let finished = finished(&ran);
            let failed = failed(&finished);
            assert_eq!(failed.len(), 1, "{}", ran.said());
            assert_eq!(failed[0]["verdict"]["failed"]["kind"], kind);
            assert_eq!(ran.remains(), [""; 0]);
        }
    }
}

#[test]
fn only_the_test_that_fails_is_tried_again() {
    for what in ["fails", "aborts"] {
        let ran = short(what, TESTS, &["-n", "2", "--retries", "1"]).run();
        assert_eq!(ran.code, Some(0), "{}", ran.said());
        let finished = finished(&ran);
        let failed = failed(&finished);
        assert_eq!(failed.len(), 1, "{}", ran.said());
        each_ran_once(&ran, TESTS, &[text(&failed[0]["test"])]);
        assert!(ran.stderr.contains("1 flaky"), "{}", ran.stderr);
    }
}

#[test]
fn a_test_that_hangs_times_out_and_no_other() {
    let ran = short("hangs", TESTS, &["-n", "1", "--timeout", "10s"]).run();
    assert_eq!(ran.code, Some(101), "{}", ran.said());
    each_ran_once(&ran, TESTS, &[]);
    let finished = finished(&ran);
    let failed = failed(&finished);
    assert_eq!(failed.len(), 1, "{}", ran.said());
    assert_eq!(failed[0]["verdict"]["failed"]["kind"], "timed_out");
}

#[test]
fn nothing_begins_in_a_process_that_a_test_has_changed() {
    for (what, why) in [
        ("moves", "the test changed the working directory"),
        ("leaves a thread", "the test left threads running"),
    ] {
        let ran = short(what, TESTS, &["-n", "1", "--show-output"]).run();
        assert_eq!(ran.code, Some(0), "{}", ran.said());
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
        each_ran_once(&ran, TESTS, &[]);
        each_printed_its_own(&ran);
        let finished = finished(&ran);
        let by_worker = |number: u64| {
            let of = finished.iter().filter(|event| event["worker"] == number);
            of.count()
        };
        assert_eq!([by_worker(1), by_worker(2)], [THE_ONE, TESTS - THE_ONE]);
    }
}

#[test]
fn nothing_begins_after_the_last_failure() {
    for slots in ["1", "2"] {
        for limit in [["-x"].as_slice(), &["--maxfail", "1"]] {
            let args = [&["-n", slots], limit].concat();
            let ran = short("fails", TESTS, &args).run();
            assert_eq!(ran.code, Some(101), "{}", ran.said());
            let events = events(&ran);
            let failure = events.iter().position(|(_, kind, event)| {
                kind == "test_finished" && event["verdict"].get("failed").is_some()
            });
            let (before, after) = events.split_at(failure.unwrap());
            let starts = |events: &[(u64, String, Value)]| {
                let started = events.iter().filter(|(_, kind, _)| kind == "test_started");
                started.count()
            };
            assert_eq!(starts(after), 0, "{}", ran.said());
            speaks_of_each_body(&ran, starts(before));
            if slots == "1" {
                assert_eq!(starts(before), THE_ONE, "{}", ran.said());
            }
        }
    }
}

#[test]
fn a_run_that_ends_early_speaks_of_each_test_that_began() {
    for slots in ["1", "2"] {
        let interrupted = {
            let running = short("nothing", 50_000, &["-n", slots]).start();
            let begun = running.home().join("meeting/begun");
            let is_under_way = || {
                let begun = std::fs::read_to_string(&begun).unwrap_or_default();
                (begun.lines().count() > 10 * THE_ONE).then_some(())
            };
            assert!(wait::until(wait::LIMIT, is_under_way).is_some());
            running.signal(Signal::INT);
            let ran = running.wait();
            assert_eq!(ran.code, Some(130), "{}", ran.said());
            ran
        };
        let args = ["-n", slots, "--run-timeout", "1s"];
        let late = short("nothing", 50_000, &args).run();
        for ran in [interrupted, late] {
            let events = events(&ran);
            let of = |wanted: &str| {
                let of = events.iter().filter(|(_, kind, _)| kind == wanted);
                of.map(|(.., event)| text(&event["test"]))
                    .collect::<Vec<_>>()
            };
            speaks_of_each_body(&ran, of("test_started").len());
            assert_eq!(of("test_started").len(), of("test_finished").len());
            assert_eq!(ran.remains(), [""; 0]);
        }
    }
}
