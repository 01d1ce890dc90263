//! One run from several.

mod order;

use super::*;
use crate::event::Part;
use crate::outcome::{FailureKind, Verdict};
use crate::report::{Model, sample};

/// The log of a process that ran one test: it began at `at` seconds of the machine's clock.
fn process(at: u64, binary: &str, test: &str, verdict: Verdict) -> Log {
    let mut started = sample::started(vec![sample::planned(test, &[], None)], 0);
    binary.clone_into(&mut started.binary);
    started.part = Some(Part {
        clock: Origin::at(at * 1_000_000),
        of: None,
        may_follow: false,
        repetition: None,
        threads: Some(4),
        shares_daemon: false,
        slots: None,
        ignored: 0,
    });
    let exit_code = Exit::of(&verdict).code();
    let finished = sample::ends(500_000, test, verdict, "");
    Log(vec![
        sample::event(0, EventKind::RunStarted(started)),
        sample::begins(100_000, test, 1),
        sample::event(600_000, EventKind::TestFinished(finished)),
        sample::event(
            600_000,
            EventKind::RunFinished {
                exit_code,
                ended_early: None,
            },
        ),
    ])
}

/// The same of a process that was killed while its test waited for a deployment.
fn killed(at: u64, test: &str) -> Log {
    let Log(mut events) = process(at, "suite", test, Verdict::Passed);
    events.truncate(1);
    Log(events)
}

fn daemon(at: u64) -> Log {
    let clock = Origin::at(at * 1_000_000);
    Log(vec![sample::event(
        0,
        EventKind::DaemonStarted { pid: 1, clock },
    )])
}

fn failed() -> Verdict {
    sample::failed(FailureKind::Failed, "no")
}

fn model(logs: Vec<Log>) -> (Model, u8) {
    let events = gather(logs, "nextest", "here", false).unwrap();
    let mut model = Model::default();
    for event in &events {
        model.on(event);
    }
    let exit_code = model.ending.as_ref().unwrap().exit_code;
    (model, exit_code)
}

#[test]
fn attempts_at_one_test_are_one_test_and_the_last_counts() {
    let logs = vec![
        process(12, "suite", "a", Verdict::Passed),
        daemon(9),
        process(10, "suite", "a", failed()),
        process(11, "suite", "b", Verdict::Passed),
    ];
    let (model, exit_code) = model(logs);
    assert_eq!(exit_code, 0);
    assert_eq!(model.started.as_ref().unwrap().tests.len(), 2);
    let a = model.tests.iter().find(|test| test.name == "a");
    let attempts = &a.unwrap().attempts;
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[1].ended_us, 3_600_000);
    assert_eq!(model.counts().flaky, 1);
}

#[test]
fn a_process_that_was_killed_before_its_test_began_has_failed_it() {
    let logs = vec![process(1, "suite", "a", failed()), killed(2, "a")];
    let (model, exit_code) = model(logs);
    assert_eq!(exit_code, Exit::Failed.code());
    assert_eq!(model.tests[0].attempts.len(), 2);
    assert_eq!(model.counts().failed, 1);
}

#[test]
fn tests_of_several_executables_are_told_apart() {
    let logs = vec![
        process(1, "one", "a", failed()),
        process(2, "two", "a", Verdict::Passed),
    ];
    let (model, exit_code) = model(logs);
    assert_eq!(exit_code, Exit::Failed.code());
    let names: Vec<&str> = model.tests.iter().map(|test| &*test.name).collect();
    assert_eq!(names, ["shop::one$a", "shop::two$a"]);
}

/// The same of an executable with several tests, as `cargo test` runs it; it has run these, and then ended or been killed.
fn executable(at: u64, binary: &str, ran: &[(&str, Verdict)], ending: Option<(u8, &str)>) -> Log {
    let all = ["a", "b", "c"].map(|test| sample::planned(test, &[], None));
    let mut started = sample::started(all.to_vec(), 0);
    binary.clone_into(&mut started.binary);
    started.seed = at;
    started.part = Some(Part {
        clock: Origin::at(at * 1_000_000),
        of: None,
        may_follow: false,
        repetition: None,
        threads: None,
        shares_daemon: false,
        slots: None,
        ignored: 0,
    });
    let mut events = vec![sample::event(0, EventKind::RunStarted(started))];
    for (number, (test, verdict)) in (1..).zip(ran) {
        events.push(sample::begins(number * 1_000, test, 1));
        if *verdict
            != (Verdict::Skipped {
                reason: "killed".into(),
            })
        {
            let finished = sample::ends(number * 1_000 + 500, test, verdict.clone(), "");
            events.push(sample::event(
                number * 1_000 + 500,
                EventKind::TestFinished(finished),
            ));
        }
    }
    if let Some((exit_code, why)) = ending {
        let ended_early = (!why.is_empty()).then(|| why.to_owned());
        events.push(sample::event(
            9_000,
            EventKind::RunFinished {
                exit_code,
                ended_early,
            },
        ));
    }
    Log(events)
}

#[test]
fn what_executables_have_not_run_is_said() {
    let passed = || ("a", Verdict::Passed);
    let logs = vec![
        executable(
            1,
            "one",
            &[passed(), ("b", failed())],
            Some((101, "--maxfail is 1")),
        ),
        executable(2, "two", &[passed()], Some((130, "interrupted"))),
        executable(
            3,
            "three",
            &[
                passed(),
                (
                    "b",
                    Verdict::Skipped {
                        reason: "killed".into(),
                    },
                ),
            ],
            None,
        ),
    ];
    let (model, exit_code) = model(logs);
    assert_eq!(exit_code, Exit::Interrupted.code());
    let counts = model.counts();
    assert_eq!((counts.passed, counts.failed), (3, 2));
    let results = crate::report::results(&model).unwrap();
    assert_eq!(
        results.not_run,
        ["shop::one$c", "shop::two$b", "shop::two$c", "shop::three$c"]
    );
    let early = "shop::one: --maxfail is 1; shop::two: interrupted; shop::three: it was killed";
    assert_eq!(results.ended_early.as_deref(), Some(early));
    let ids: Vec<&str> = results.tests.iter().map(|test| &*test.id).collect();
    assert!(ids.contains(&"shop::one$a"), "{ids:?}");
}

#[test]
fn a_test_is_run_again_in_its_own_executable() {
    let logs = vec![
        executable(1, "one", &[("a", Verdict::Passed)], Some((0, ""))),
        executable(2, "two", &[("b", failed())], Some((101, ""))),
    ];
    let (model, _) = model(logs);
    let command = crate::report::block::command_line(&model, "shop::two$b").unwrap();
    assert_eq!(
        command,
        "cargo test -p shop --test two -- --exact b --seed 2 --timeout 5s"
    );
    let junit = crate::report::junit(&model).unwrap();
    for wanted in [
        r#"<testsuites name="armadillo" tests="6""#,
        r#"<testsuite name="shop::one" tests="3""#,
        r#"<testcase name="b" classname="shop::two""#,
    ] {
        assert!(junit.contains(wanted), "{wanted}\n{junit}");
    }
}

#[test]
fn a_process_that_goes_on_has_a_test_that_goes_on() {
    let Log(mut going_on) = process(2, "suite", "b", Verdict::Passed);
    going_on.truncate(2);
    let logs = |going_on: &[Event]| {
        vec![
            process(1, "suite", "a", Verdict::Passed),
            Log(going_on.to_vec()),
        ]
    };
    let of = |live| {
        let events = gather(logs(&going_on), "test run", "here", live).unwrap();
        let mut model = Model::default();
        for event in &events {
            model.on(event);
        }
        (model.running.contains_key("b"), model.counts().failed)
    };
    assert_eq!(of(true), (true, 0));
    assert_eq!(of(false), (false, 1), "it was killed");
}

#[test]
fn what_all_executables_say_of_their_end_is_said_once() {
    let interrupted = Some((130, "interrupted"));
    let logs = vec![
        executable(1, "one", &[("a", Verdict::Passed)], interrupted),
        executable(2, "two", &[], interrupted),
        executable(3, "three", &[("a", Verdict::Passed)], Some((0, ""))),
    ];
    let (model, _) = model(logs);
    assert_eq!(model.ended_early(), Some("interrupted"));
}

#[test]
fn tests_that_others_left_out_and_slots_that_all_share_are_counted_for_the_whole() {
    let part = |at, binary: &str, slots| {
        let Log(mut events) = executable(at, binary, &[("a", Verdict::Passed)], Some((0, "")));
        if let EventKind::RunStarted(started) = &mut events[0].kind {
            started.filtered_out = 2;
            started.workers = 3;
            started.expected_us = Some(at * 1_000);
            if let Some(part) = &mut started.part {
                part.slots = slots;
            }
            for test in &mut started.tests {
                test.expected_us = Some(900);
            }
        }
        Log(events)
    };
    let of = |slots| {
        let (model, _) = model(vec![part(1, "one", slots), part(2, "two", slots)]);
        let started = model.started.unwrap();
        (started.workers, started.filtered_out, started.expected_us)
    };
    assert_eq!(of(None), (3, 4, Some(1_000)));
    // Six tests of 900 µs each on two slots; on eight, there are only six to run.
    assert_eq!(of(Some(2)), (2, 4, Some(2_700)));
    assert_eq!(of(Some(8)), (6, 4, Some(2_000)));
}
