//! A run with every kind of verdict, as its events: what the snapshots of all formats are made of.

use std::collections::BTreeMap;
use std::time::Duration;

use armadillo_orchestrator::{Notice, ServerKey, Stage, Topology};

use crate::event::{
    Captured, Company, CopiesReason, Event, EventKind, LogExcerpt, Names, PlannedCopies,
    PlannedTest, ProgramInfo, RunStarted, Shown, StartReason, TestFinished, TestIsolation, Times,
    VERSION,
};
use crate::failure::Failure;
use crate::needs::{LeaseMode, Need};
use crate::outcome::{FailureKind, Verdict};
use crate::trace::{Frame, Trace, What};

const CLUSTER: &str = "tally-cluster-members3-1f3a9c20";

pub(crate) fn event(us: u64, kind: EventKind) -> Event {
    Event {
        v: VERSION,
        us,
        kind,
    }
}

pub(crate) fn cluster() -> Topology {
    Topology {
        system: "tally".to_owned(),
        shape: "cluster".to_owned(),
        params: BTreeMap::from([("members".to_owned(), 3)]),
        words: Default::default(),
        options: Vec::new(),
        binaries: BTreeMap::new(),
        data: None,
    }
}

fn on_the_cluster(mode: LeaseMode) -> Need {
    Need {
        topology: cluster(),
        mode,
    }
}

pub(crate) fn planned(test: &str, markers: &[&str], lease: Option<LeaseMode>) -> PlannedTest {
    PlannedTest {
        test: test.to_owned(),
        place: format!("tests/suite/main.rs:{}", test.len()),
        markers: markers.iter().map(|marker| (*marker).to_owned()).collect(),
        needs: lease.map(on_the_cluster).into_iter().collect(),
        earlier: None,
        recorded: None,
        expected_us: None,
        origin: None,
    }
}

pub(crate) fn started(tests: Vec<PlannedTest>, filtered_out: u32) -> RunStarted {
    RunStarted {
        run: "1f3a9c20".to_owned(),
        unix_time: 1_763_816_700,
        unix_millis: 0,
        armadillo: "0.1.0".to_owned(),
        binary: "suite".to_owned(),
        package: "shop".to_owned(),
        args: ["-m", "not nightly", "--timeout", "5s", "-n", "4"]
            .map(str::to_owned)
            .to_vec(),
        seed: 42,
        workers: 4,
        isolation: "workers".to_owned(),
        tests,
        filtered_out,
        programs: BTreeMap::from([(
            "tally".to_owned(),
            ProgramInfo {
                program: "tally-stub".to_owned(),
                version: "1.2.0".to_owned(),
                stand_in: Some("tally-stub, a stand-in, not tally".to_owned()),
                note: None,
                origin: None,
            },
        )]),
        protections: ["subreaper", "parent-death signal"]
            .map(str::to_owned)
            .to_vec(),
        directory: Some("target/armadillo/1f3a9c20".to_owned()),
        copies: Some(PlannedCopies {
            of: BTreeMap::from([("tally cluster(members = 3)".to_owned(), 2)]),
            why: CopiesReason::Pays {
                ends_us: 19_200_000,
                instead_of_us: 31_200_000,
            },
            no_room_in_mib: None,
        }),
        shard: None,
        topology: None,
        command: None,
        again: None,
        part: None,
        expected_us: None,
        commit: None,
    }
}

pub(crate) fn begins(us: u64, test: &str, attempt: u32) -> Event {
    event(
        us,
        EventKind::TestStarted {
            test: test.to_owned(),
            attempt,
            worker: Some(1),
            lease: None,
            deployments: Vec::new(),
        },
    )
}

pub(crate) fn ends(us: u64, test: &str, verdict: Verdict, output: &str) -> TestFinished {
    TestFinished {
        test: test.to_owned(),
        attempt: 1,
        repetition: None,
        retried: false,
        isolation: TestIsolation::default(),
        verdict,
        times: Times {
            set_up: us / 10,
            body: us / 2,
            tear_down: us / 20,
            total: us,
        },
        output: Captured {
            bytes: output.len() as u64,
            text: output.to_owned(),
            omitted: 0,
        },
        worker: Some(1),
        deployments: Vec::new(),
        company: Company::default(),
        server_logs: BTreeMap::new(),
        artifacts: None,
        shown: Shown::default(),
    }
}

pub(crate) fn failed(kind: FailureKind, message: &str) -> Verdict {
    Verdict::failed(kind, message)
}

/// A failure of this kind at these places.
fn failed_at(kind: FailureKind, message: &str, what: What, places: &[(&str, &str)]) -> Verdict {
    let frames = places.iter().map(|(function, place)| Frame {
        function: (*function).to_owned(),
        place: (*place).to_owned(),
    });
    let trace = Trace {
        what,
        place: places.first().map(|(_, place)| (*place).to_owned()),
        frames: frames.collect(),
    };
    let failure = Failure {
        message: message.to_owned(),
        traces: vec![trace],
    };
    Verdict::failed(kind, failure)
}

fn on_cluster(mut finished: TestFinished) -> TestFinished {
    finished.deployments = vec![CLUSTER.to_owned()];
    finished.company.shared_with = Names::of(["net::reads", "net::writes"]);
    finished.artifacts = Some(format!("target/armadillo/1f3a9c20/tests/{}", finished.test));
    let logs = BTreeMap::from([
        (
            ServerKey::from("member-1"),
            LogExcerpt {
                lines: vec![
                    "12:00:02.250 ERROR bye".to_owned(),
                    "12:00:01.500 INFO leader".to_owned(),
                ],
                of: 2_121,
            },
        ),
        (
            ServerKey::from("member-2"),
            LogExcerpt {
                lines: vec!["12:00:02.750 INFO I am leader now".to_owned()],
                of: 1,
            },
        ),
    ]);
    finished.server_logs = BTreeMap::from([(CLUSTER.to_owned(), logs)]);
    finished
}

fn cluster_comes_up(events: &mut Vec<Event>) {
    let deployment = || CLUSTER.to_owned();
    events.push(event(
        1_000,
        EventKind::DeploymentStarting {
            deployment: deployment(),
            topology: cluster(),
            reason: StartReason::First,
        },
    ));
    events.push(event(
        100_000,
        EventKind::Deployment {
            deployment: deployment(),
            notice: Notice::ServerReached {
                server: "member-1".into(),
                stage: Stage::Answering,
                after: Duration::from_millis(99),
            },
        },
    ));
    events.push(event(
        210_000,
        EventKind::DeploymentReady {
            deployment: deployment(),
            took_us: 209_000,
        },
    ));
}

/// The events of the run.
pub(crate) fn run() -> Vec<Event> {
    let names = [
        "adds",
        "subtracts",
        "net::reads",
        "net::writes",
        "net::hangs",
        "net::survives",
        "net::skips",
        "net::dies",
        "net::leaks",
        "net::waits",
        "net::doubts",
        "never",
    ];
    let planned_tests = names.map(|name| match name {
        "net::survives" => planned(
            name,
            &["crash_test", "suite(\"raft\")"],
            Some(LeaseMode::Exclusive),
        ),
        "net::hangs" => planned(name, &["slow"], Some(LeaseMode::Shared)),
        _ if name.starts_with("net") => planned(name, &[], Some(LeaseMode::Shared)),
        _ => planned(name, &[], None),
    });
    let mut events = vec![
        event(0, EventKind::RunStarted(started(planned_tests.to_vec(), 2))),
        event(
            10,
            EventKind::TestIgnored {
                test: "net::lasts".to_owned(),
                reason: "slow; --runslow runs it".to_owned(),
            },
        ),
        event(
            11,
            EventKind::TestIgnored {
                test: "broken".to_owned(),
                reason: String::new(),
            },
        ),
    ];
    cluster_comes_up(&mut events);
    let mut us = 300_000;
    let mut finish = |finished: TestFinished| {
        events.push(begins(us, &finished.test, finished.attempt));
        us += 100_000;
        events.push(event(us, EventKind::TestFinished(finished)));
    };
    finish(ends(7, "adds", Verdict::Passed, ""));
    finish(ends(
        1_200,
        "subtracts",
        failed_at(
            FailureKind::Failed,
            "assertion `left == right` failed\n  left: 1\n right: 2",
            What::Failed,
            &[
                ("check", "tests/suite/main.rs:9:5"),
                ("subtracts", "tests/suite/main.rs:21:9"),
            ],
        ),
        "counting <down>\n\u{1b}[31mred\u{1b}[0m and \u{0} and & \"quotes\"",
    ));
    finish(on_cluster(ends(90_000, "net::reads", Verdict::Passed, "")));
    let mut first = on_cluster(ends(
        50_000,
        "net::writes",
        failed(FailureKind::Failed, "refused\nby the leader"),
        "try\n",
    ));
    first.retried = true;
    finish(first);
    let mut second = on_cluster(ends(60_000, "net::writes", Verdict::Passed, ""));
    second.attempt = 2;
    finish(second);
    finish(on_cluster(ends(
        5_000_000,
        "net::hangs",
        failed_at(
            FailureKind::TimedOut,
            "the test did not finish within 5s",
            What::Waits,
            &[("net::hangs", "tests/suite/net.rs:40:17")],
        ),
        "",
    )));
    let mut first = on_cluster(ends(
        70_000,
        "net::survives",
        failed(
            FailureKind::ServerCrashed,
            "member-1 ended by itself: signal 6 (SIGABRT)",
        ),
        "",
    ));
    first.retried = true;
    finish(first);
    let mut second = on_cluster(ends(
        80_000,
        "net::survives",
        failed(FailureKind::Crashed, "signal 6 (SIGABRT)"),
        "thread overflowed\n",
    ));
    second.attempt = 2;
    second.output.bytes = 9_000_000;
    second.output.omitted = 8_000_000;
    finish(second);
    let skipped = Verdict::Skipped {
        reason: "needs a GPU,\nthis machine has none".to_owned(),
    };
    finish(ends(900, "net::skips", skipped, ""));
    finish(on_cluster(ends(
        100,
        "net::dies",
        failed(FailureKind::SetUp, "Database: refused"),
        "",
    )));
    finish(on_cluster(ends(
        200,
        "net::leaks",
        failed(FailureKind::Leaked, "databases: it left `orders`"),
        "",
    )));
    finish(ends(
        0,
        "net::waits",
        failed(
            FailureKind::Error,
            "the deployment failed to start: no space",
        ),
        "",
    ));
    finish(on_cluster(ends(
        300,
        "net::doubts",
        failed(
            FailureKind::Inconclusive,
            "only 3 of 7 rounds count\n  not counted: round 4",
        ),
        "",
    )));
    for kind in [
        EventKind::DeploymentRecycled {
            deployment: CLUSTER.to_owned(),
            reason: "net::survives crashed".to_owned(),
        },
        EventKind::DeploymentStopped {
            deployment: CLUSTER.to_owned(),
            complaints: vec!["member-3 had to be killed".to_owned()],
            evicted: false,
        },
        EventKind::DeploymentFailed {
            deployment: "tally-cluster-members3-77777777".to_owned(),
            error: "no space".to_owned(),
        },
        EventKind::Warning {
            text: "the machine is slow".to_owned(),
        },
        EventKind::RunFinished {
            exit_code: 3,
            ended_early: Some("5 tests failed".to_owned()),
        },
    ] {
        us += 1;
        events.push(event(us, kind));
    }
    events
}
