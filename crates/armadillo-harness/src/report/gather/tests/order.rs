//! The order in which logs are read changes nothing but the order in which tests are shown.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::event::{StartReason, Use};
use crate::needs::LeaseMode;
use crate::report::results;

const SERVER: &str = "tally-one-1f3a9c20d1s1";

fn at(us: u64, kind: EventKind) -> Event {
    sample::event(us, kind)
}

fn warns(us: u64, text: &str) -> Event {
    let text = text.to_owned();
    at(us, EventKind::Warning { text })
}

fn starts(us: u64, reason: StartReason) -> Event {
    let topology = sample::cluster();
    let deployment = SERVER.to_owned();
    at(
        us,
        EventKind::DeploymentStarting {
            deployment,
            topology,
            reason,
        },
    )
}

fn grants(us: u64, lease: &str, test: &str) -> Event {
    let on = vec![Use {
        deployment: SERVER.to_owned(),
        mode: LeaseMode::Shared,
    }];
    let (lease, test) = (lease.to_owned(), test.to_owned());
    let waited_us = 5;
    at(
        us,
        EventKind::LeaseGranted {
            lease,
            test,
            on,
            waited_us,
        },
    )
}

fn releases(us: u64, lease: &str) -> Event {
    let lease = lease.to_owned();
    at(us, EventKind::LeaseReleased { lease })
}

/// An executable that shares a daemon, and has in its own log what the daemon says of its tests.
fn client(number: u64, verdict: &Verdict, ending: Option<(u8, &str)>) -> Log {
    let binary = format!("suite{number}");
    let ran = [("a", Verdict::Passed), ("b", verdict.clone())];
    let Log(mut events) = executable(number, &binary, &ran, ending);
    let lease_of_b = format!("lease{number}");
    for event in &mut events {
        match &mut event.kind {
            EventKind::RunStarted(started) => {
                if let Some(part) = &mut started.part {
                    part.shares_daemon = true;
                    part.ignored = 1;
                }
            }
            EventKind::TestStarted {
                test,
                lease,
                worker,
                ..
            } => {
                *worker = Some(1);
                if test == "b" {
                    *lease = Some(lease_of_b.clone());
                }
            }
            EventKind::TestFinished(finished) => finished.worker = Some(1),
            _ => {}
        }
    }
    let test = "later".to_owned();
    let reason = "slow".to_owned();
    events.insert(1, at(1, EventKind::TestIgnored { test, reason }));
    let worker = EventKind::WorkerStarted { worker: 1, pid: 7 };
    events.insert(2, at(2, worker));
    let copies = [
        starts(900, StartReason::Shared),
        warns(1_950, "the server is slow"),
        grants(1_990, &lease_of_b, "b"),
    ];
    events.splice(5..5, copies);
    Log(events)
}

fn logs() -> Vec<Log> {
    let Log(mut shared) = daemon(1);
    shared.push(starts(500, StartReason::First));
    shared.push(warns(950, "the server is slow"));
    for number in 1..=3 {
        let lease = format!("lease{number}");
        shared.push(grants(number * 1_000_000 + 1_990, &lease, "b"));
        shared.push(releases(number * 1_000_000 + 2_600, &lease));
    }
    // Nobody has begun with this one.
    shared.push(grants(4_000_000, "nobody's", "c"));
    vec![
        Log(shared),
        client(1, &Verdict::Passed, Some((0, ""))),
        client(2, &failed(), Some((101, "--maxfail is 1"))),
        // It was killed.
        client(
            3,
            &Verdict::Skipped {
                reason: "killed".into(),
            },
            None,
        ),
    ]
}

/// What is known of the whole, in an order of its own.
fn known(events: &[Event]) -> (Value, Vec<String>, Vec<String>) {
    let mut model = Model::default();
    for event in events {
        model.on(event);
    }
    let mut results = serde_json::to_value(results(&model).unwrap()).unwrap();
    for list in ["tests", "ignored"] {
        let tests = results[list].as_array_mut().unwrap();
        tests.sort_by_key(|test| test["name"].to_string());
    }
    // Who was the first to say it decides when it was said.
    let mut warnings: Vec<String> = model.warnings.into_iter().map(|(_, text)| text).collect();
    warnings.sort();
    let mut leases: Vec<String> = (events.iter())
        .filter_map(|event| match &event.kind {
            EventKind::LeaseGranted { lease, test, .. } => {
                Some(format!("{lease} {test} {}", event.us))
            }
            EventKind::LeaseReleased { lease } => Some(format!("{lease} {}", event.us)),
            EventKind::TestStarted { test, worker, .. } => Some(format!("{test} {worker:?}")),
            _ => None,
        })
        .collect();
    leases.sort();
    (results, warnings, leases)
}

/// The same, read in this order: each number says which of the logs that have more is read next.
fn read_in(order: &[u8]) -> Vec<Event> {
    let mut logs: Vec<std::collections::VecDeque<Event>> = logs()
        .into_iter()
        .map(|Log(events)| events.into())
        .collect();
    let firsts: Vec<Event> = logs.iter().map(|log| log[0].clone()).collect();
    let firsts: Vec<Option<&Event>> = firsts.iter().map(Some).collect();
    let (mut gathering, first) = Gathering::begin(&firsts, "run", "here").unwrap();
    let mut whole = vec![first];
    let mut order = order.iter().cycle();
    loop {
        let left: Vec<usize> = (0..logs.len())
            .filter(|log| !logs[*log].is_empty())
            .collect();
        let Some(next) = order.next().filter(|_| !left.is_empty()) else {
            break;
        };
        let log = left[usize::from(*next) % left.len()];
        let event = logs[log].pop_front().unwrap();
        whole.extend(gathering.take(log, event));
    }
    for log in 0..logs.len() {
        whole.extend(gathering.missing(log));
    }
    whole.extend(gathering.unnamed());
    let us = whole.iter().map(|event| event.us).max().unwrap();
    let (exit, ended_early) = gathering.ending();
    let exit_code = exit.code();
    whole.push(at(
        us,
        EventKind::RunFinished {
            exit_code,
            ended_early,
        },
    ));
    whole
}

proptest! {
    #[test]
    fn whatever_is_read_first_the_whole_is_the_same(order in prop::collection::vec(0_u8..12, 1..60)) {
        let at_once = gather(logs(), "run", "here", false).unwrap();
        prop_assert_eq!(known(&read_in(&order)), known(&at_once));
    }
}

#[test]
fn what_a_shared_daemon_says_is_in_the_whole_once() {
    let (results, warnings, leases) = known(&gather(logs(), "run", "here", false).unwrap());
    assert_eq!(warnings, ["the server is slow"]);
    assert_eq!(results["deployments"].as_object().unwrap().len(), 1);
    let expected = [
        "lease1 1002600",
        "lease1 shop::suite1$b 1001990",
        "lease2 2002600",
        "lease2 shop::suite2$b 2001990",
        "lease3 3002600",
        "lease3 shop::suite3$b 3001990",
        "nobody's c 4000000",
    ];
    let of_daemon: Vec<&String> = leases
        .iter()
        .filter(|said| !said.contains("Some"))
        .collect();
    assert_eq!(of_daemon, expected);
    // No two executables have a worker of the same number.
    assert!(
        leases.contains(&"shop::suite2$a Some(2)".to_owned()),
        "{leases:?}"
    );
    assert!(leases.contains(&"shop::suite3$b Some(3)".to_owned()));
}
