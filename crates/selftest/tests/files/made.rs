//! The events of runs that nobody ran: as many tests as wanted, on three deployments, with failovers, pauses, a crash, leaks,
//! retries and hostile names.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows test functions, not the helpers beside them"
)]

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

/// The name of a test that would like to be HTML.
pub(crate) const HOSTILE: &str = "evil::</script><img src=x onerror=alert(1)>&\"'{{data}}";

/// The run's start, in milliseconds since 1970: a quarter of a second after the second that the run tells.
const START_MS: u64 = 1_763_816_700_250;

const DEPLOYMENTS: [(&str, u64); 3] = [
    ("tally-cluster-members3-1f3a9c20d1s1", 3),
    ("tally-cluster-members5-1f3a9c20d2s1", 5),
    ("tally-single-1f3a9c20d3s1", 1),
];
const MODULES: [&str; 6] = [
    "auth::tokens",
    "catalogue::search",
    "checkout::payment",
    "orders::lifecycle",
    "shipping::labels",
    "users::profile",
];
const VERBS: [&str; 5] = ["keeps", "rejects", "finds", "returns", "survives"];
const THINGS: [&str; 5] = [
    "a_write",
    "the_leader",
    "an_empty_page",
    "two_orders",
    "the_last_key",
];

/// What stands in the file, by time.
#[derive(Default)]
struct Log(Vec<(u64, Value)>);

impl Log {
    fn put(&mut self, us: u64, kind: Value) {
        self.0.push((us, kind));
    }

    fn notice(&mut self, us: u64, deployment: usize, notice: Value) {
        let deployment = DEPLOYMENTS[deployment].0;
        self.put(
            us,
            json!({"deployment": {"deployment": deployment, "notice": notice}}),
        );
    }

    fn lines(mut self) -> String {
        self.0.sort_by_key(|(us, _)| *us);
        let mut text = String::new();
        for (us, kind) in self.0 {
            writeln!(text, "{}", json!({"v": 1, "us": us, "kind": kind})).unwrap();
        }
        text
    }
}

/// Numbers that look random and are always the same.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

fn topology(at: usize) -> Value {
    let (shape, params) = match at {
        0 => ("cluster", json!({"members": 3})),
        1 => ("cluster", json!({"members": 5})),
        _ => ("single", json!({})),
    };
    json!({"system": "tally", "shape": shape, "params": params, "words": [], "options": [], "binaries": {}})
}

/// The name of test number `at`. Two are chosen: the hostile one, and one that is always the same.
pub(crate) fn name(at: usize) -> String {
    match at {
        7 => HOSTILE.to_owned(),
        6 => "orders::lifecycle::loses_an_order".to_owned(),
        _ => {
            let part = |words: &[&str], by: usize| words[(at / by) % words.len()].to_owned();
            format!(
                "{}::{}_{}_{at}",
                part(&MODULES, 1),
                part(&VERBS, 3),
                part(&THINGS, 7)
            )
        }
    }
}

/// On which deployment it runs.
fn place(at: usize) -> Option<usize> {
    (!at.is_multiple_of(5)).then_some(at % 3)
}

fn mode(at: usize) -> &'static str {
    if at % 97 == 1 { "exclusive" } else { "shared" }
}

fn verdict(at: usize) -> Value {
    match at {
        6 | 7 => {
            json!({"failed": {"kind": "failed", "message": "assertion `left == right` failed: the order is there\n  left: 3\n right: 2",
            "traces": [{"what": "failed", "place": "tests/suite/orders.rs:69:9", "frames": []}]}})
        }
        _ if at % 331 == 8 => {
            json!({"failed": {"kind": "timed_out", "message": "the test did not finish within 5s", "traces": []}})
        }
        _ if at % 401 == 9 => {
            json!({"failed": {"kind": "leaked", "message": "databases: it left `orders`", "traces": []}})
        }
        _ if at % 907 == 11 => {
            json!({"failed": {"kind": "inconclusive", "message": "only 3 of 7 rounds count", "traces": []}})
        }
        _ if at % 211 == 13 => json!({"skipped": {"reason": "needs a GPU"}}),
        _ => json!("passed"),
    }
}

/// A moment as a server's log has it.
fn of_day(us: u64) -> String {
    let ms = START_MS + us / 1000;
    let second = ms / 1000;
    format!(
        "{:02}:{:02}:{:02}.{:03}",
        second / 3600 % 24,
        second / 60 % 60,
        second % 60,
        ms % 1000
    )
}

/// The events of a run of so many tests.
pub(crate) fn events(count: usize) -> String {
    let mut log = Log::default();
    log.put(0, started(count));
    for at in 0..20 {
        log.put(1, json!({"test_ignored": {"test": format!("nightly::soak_{at}"), "reason": "slow; --runslow runs it"}}));
    }
    for at in 0..DEPLOYMENTS.len() {
        comes_up(&mut log, at);
    }
    let end = tests(&mut log, count) + 2_000_000;
    failovers(&mut log, end);
    rolling(&mut log);
    log.notice(end / 2, 1, json!({"notice": "server_exited", "server": "member-4", "exit": "signal 6 (SIGABRT)", "expected": false, "log": ["panic: index out of range"]}));
    statistics(&mut log, end);
    for (us, load, waited) in [(1_000_000, 1.5, 0.02), (2_000_000, 6.5, 0.61)] {
        log.put(us, json!({"machine_sampled": {"cores": 4, "load": load, "available_mib": 3072, "waited_for_cpu": waited, "waited_for_io": 0.0}}));
    }
    log.put(end, json!({"warning": {"text": "the machine is slow"}}));
    for (deployment, _) in DEPLOYMENTS {
        log.put(
            end + 5_000,
            json!({"deployment_stopped": {"deployment": deployment, "complaints": []}}),
        );
    }
    log.put(
        end + 9_000,
        json!({"run_finished": {"exit_code": 101, "ended_early": null}}),
    );
    log.lines()
}

/// The same, in a directory.
pub(crate) fn write(directory: &Path, count: usize) -> String {
    let events = events(count);
    std::fs::write(directory.join("events.jsonl"), &events).unwrap();
    events
}

fn started(count: usize) -> Value {
    let tests: Vec<Value> = (0..count)
        .map(|at| {
            let needs: Vec<Value> = (place(at).iter())
                .map(|place| json!({"topology": topology(*place), "mode": mode(at)}))
                .collect();
            let markers = if at % 50 == 0 { vec!["slow"] } else { Vec::new() };
            json!({"test": name(at), "place": format!("tests/suite/main.rs:{}", 10 + at), "markers": markers, "needs": needs})
        })
        .collect();
    json!({"run_started": {"run": "1f3a9c20", "unix_time": START_MS / 1000, "armadillo": "0.1.0", "binary": "suite", "package": "shop",
        "args": ["-m", "not nightly", "-n", "4"], "seed": 42, "workers": 4, "isolation": "workers", "tests": tests, "filtered_out": 12,
        "programs": {"tally": {"program": "/usr/bin/tally", "version": "1.2.0", "stand_in": null}}, "protections": [], "directory": "/x/1f3a9c20"}})
}

fn comes_up(log: &mut Log, at: usize) {
    let (deployment, servers) = DEPLOYMENTS[at];
    let start = 1_000 + at as u64 * 30_000;
    log.put(start, json!({"deployment_starting": {"deployment": deployment, "topology": topology(at), "reason": "first"}}));
    for no in 1..=servers {
        let server = format!("member-{no}");
        log.notice(
            start + no * 2_000,
            at,
            json!({"notice": "server_started", "server": server, "pid": 4_000 + no}),
        );
        for (stage, after) in [("answering", 300_000), ("ready", 800_000)] {
            log.notice(start + after + no * 20_000, at, json!({"notice": "server_reached", "server": server, "stage": stage, "after": {"secs": 0, "nanos": after * 1_000}}));
        }
    }
    log.put(
        start + 1_100_000,
        json!({"deployment_ready": {"deployment": deployment, "took_us": 1_095_000}}),
    );
    leads(log, at, start + 1_000_000, Some("member-1"), 2, None);
}

fn leads(log: &mut Log, at: usize, seen: u64, leader: Option<&str>, term: u64, after: Option<u64>) {
    let ms = |us: u64| START_MS + us / 1000;
    log.notice(seen + 900, at, json!({"notice": "leader", "group": "raft", "leader": leader, "term": term, "after_ms": after.map(ms), "seen_ms": ms(seen)}));
}

/// Four at once. Returns when the last has ended.
fn tests(log: &mut Log, count: usize) -> u64 {
    let mut dice = Dice(7);
    let mut free = [1_300_000_u64; 4];
    for at in 0..count {
        let worker = (0..4).min_by_key(|worker| free[*worker]).unwrap_or(0);
        let waits = if at % 97 == 1 {
            90_000
        } else {
            dice.below(4) * 2_000
        };
        let (test, lease) = (name(at), format!("l{at}"));
        let deployments: Vec<&str> = place(at)
            .iter()
            .map(|place| DEPLOYMENTS[*place].0)
            .collect();
        let start = free[worker] + 300 + waits;
        if let Some(deployment) = deployments.first() {
            log.put(start, json!({"lease_granted": {"lease": lease, "test": test, "on": [{"deployment": deployment, "mode": mode(at)}], "waited_us": waits}}));
        }
        let took = if at == 6 {
            400_000
        } else {
            4_000 + dice.below(90_000) * (1 + 5 * u64::from(at % 50 == 0))
        };
        let mut end = start;
        let retried = at % 401 == 3;
        for attempt in 1..=1 + u64::from(retried) {
            log.put(end + 100, json!({"test_started": {"test": test, "attempt": attempt, "worker": worker, "lease": (!deployments.is_empty()).then_some(&lease), "deployments": deployments}}));
            end += took;
            log.put(
                end,
                finished(at, attempt, retried && attempt == 1, took, worker, end),
            );
        }
        if !deployments.is_empty() {
            log.put(end + 800, json!({"lease_released": {"lease": lease}}));
        }
        free[worker] = end + 1_000;
    }
    free.into_iter().max().unwrap_or(0)
}

fn finished(at: usize, attempt: u64, retried: bool, took: u64, worker: usize, end: u64) -> Value {
    let verdict = if retried {
        json!({"failed": {"kind": "failed", "message": "no leader yet", "traces": []}})
    } else {
        verdict(at)
    };
    let has_failed = verdict.get("failed").is_some();
    let output = if has_failed {
        (0..30).fold(format!("{HOSTILE}\n"), |text, step| {
            text + &format!("step {step}\n")
        })
    } else {
        String::new()
    };
    let deployments: Vec<&str> = place(at)
        .iter()
        .map(|place| DEPLOYMENTS[*place].0)
        .collect();
    let mut logs = json!({});
    if let (true, Some(deployment)) = (has_failed, deployments.first()) {
        let lines = [
            format!("{} WARN slow sync took 1.2s", of_day(end - took / 2)),
            format!(
                "{} ERROR lost the connection to a peer",
                of_day(end - took / 4)
            ),
        ];
        logs[*deployment] = json!({"member-1": {"lines": lines, "of": 210}});
    }
    json!({"test_finished": {"test": name(at), "attempt": attempt, "retried": retried, "verdict": verdict,
        "times": {"set_up": took / 8, "body": took / 2, "tear_down": took / 8, "total": took},
        "output": {"bytes": output.len(), "text": output, "omitted": 0}, "worker": worker, "deployments": deployments,
        "company": if has_failed { json!({"shared_with": {"named": [name(at + 1)], "more": 2}}) } else { json!({}) },
        "server_logs": logs, "artifacts": has_failed.then(|| format!("/x/1f3a9c20/tests/{at}"))}})
}

/// A rolling restart of the second cluster, which fails at its second server.
fn rolling(log: &mut Log) {
    let steps = ["restart member-4", "restart member-5"];
    log.notice(2_000_000, 1, json!({"notice": "operation_began", "operation": 1, "name": "rolling restart", "steps": steps}));
    let took = json!({"secs": 0, "nanos": 400_000_000});
    let mut step = |us: u64, no: usize, state: Value| {
        let server = format!("member-{}", no + 3);
        log.notice(us, 1, json!({"notice": "operation_step", "operation": 1, "step": no, "server": server, "what": "restart", "state": state}));
    };
    step(2_000_100, 1, json!({"state": "running"}));
    step(
        2_400_000,
        1,
        json!({"state": "done", "took": took, "seen": "it answers"}),
    );
    step(2_400_100, 2, json!({"state": "running"}));
    let why = "its disk is full";
    step(
        2_800_000,
        2,
        json!({"state": "failed", "took": took, "why": why}),
    );
    log.notice(2_800_100, 1, json!({"notice": "operation_ended", "operation": 1, "outcome": {"outcome": "failed", "why": why}, "took": {"secs": 0, "nanos": 800_000_000}}));
}

/// Every few seconds the leader of the first cluster is killed, another one leads, and one is paused.
fn failovers(log: &mut Log, end: u64) {
    let operation = |server: &str, what: &str, ms: u64| json!({"notice": "operation", "server": server, "operation": what, "took": {"secs": 0, "nanos": ms * 1_000_000}, "result": {"Ok": null}});
    let (mut at, mut leader, mut term) = (1_500_000, 1, 2);
    while at + 8_000_000 < end || term == 2 {
        let server = format!("member-{leader}");
        log.notice(at + 30_000, 0, json!({"notice": "server_exited", "server": server, "exit": "signal 9 (SIGKILL)", "expected": true, "log": []}));
        log.notice(at + 40_000, 0, operation(&server, "kill", 40));
        leader = leader % 3 + 1;
        term += 1;
        leads(log, 0, at + 300_000, None, term, Some(at - 100_000));
        leads(
            log,
            0,
            at + 900_000,
            Some(&format!("member-{leader}")),
            term,
            Some(at + 300_000),
        );
        log.notice(
            at + 1_000_000,
            0,
            json!({"notice": "server_started", "server": server, "pid": 5_000}),
        );
        log.notice(at + 1_800_000, 0, json!({"notice": "server_reached", "server": server, "stage": "ready", "after": {"secs": 0, "nanos": 800_000_000}}));
        log.notice(at + 1_800_010, 0, operation(&server, "start", 900));
        let paused = format!("member-{}", leader % 3 + 1);
        log.notice(at + 2_200_000, 0, operation(&paused, "pause", 3));
        log.notice(at + 2_600_000, 0, operation(&paused, "resume", 3));
        log.notice(
            at + 2_400_000,
            0,
            json!({"notice": "warning", "text": format!("{paused} answers slowly")}),
        );
        at += 8_000_000;
    }
}

fn statistics(log: &mut Log, end: u64) {
    let mut dice = Dice(3);
    for second in 2..end / 1_000_000 {
        for (at, (_, servers)) in DEPLOYMENTS.iter().enumerate() {
            let us = second * 1_000_000 + at as u64 * 100;
            let of_all: serde_json::Map<String, Value> = (1..=*servers)
                .map(|no| {
                    let figures = json!({"requests": second * (100 + no * 20) + dice.below(50), "writes": second * 30,
                        "process_cpu": second as f64 * 0.3 * no as f64 + dice.below(100) as f64 / 500.0, "process_memory": 60_000_000 + no * 9_000_000 + second * 200_000});
                    (format!("member-{no}"), json!({"figures": figures}))
                })
                .collect();
            log.notice(us, at, json!({"notice": "statistics", "at_ms": START_MS + us / 1000 - 5, "servers": of_all}));
        }
    }
}
