//! What a server may go through until it is ready.

use std::fs;
use std::os::unix::fs::symlink;

use armadillo_selftest::{Ran, Suite};

use crate::{PROGRAM, SUITE};

/// Runs these tests on the program, whose servers go through these phases.
fn run(phases: &str, args: &[&str]) -> Ran {
    let suite = Suite::new(SUITE);
    let program = suite.home().join("arangod");
    symlink(PROGRAM, &program).unwrap();
    fs::write(suite.home().join("phases"), phases).unwrap();
    let program = program.display().to_string();
    suite.args(["--arangod", &program]).args(args).run()
}

/// Every server stopped as it was told to, and nothing is left.
fn stopped(ran: &Ran, what: &str) {
    for event in ran.events("deployment_stopped") {
        let complaints = event["complaints"].as_array().unwrap();
        assert!(complaints.is_empty(), "{what}: {complaints:?}");
    }
    assert_eq!(ran.remains(), [""; 0], "{what}");
}

/// What a single server may go through until it serves, and what a run has to do with it. Each is a run of two tests: one
/// as it was started, one after a restart.
const SINGLE: &[(&str, &str)] = &[
    ("it is there at once", "single:"),
    (
        "with early connections, through all phases",
        "single: closed=100 startup=150 maintenance=150 userless=200",
    ),
    (
        "without early connections",
        "single: closed=150 blocked=150 userless=150",
    ),
    ("it opens its port when it is ready", "single: closed=300"),
    (
        "it knows its key late",
        "single: keyless=200 startup=100 maintenance=100",
    ),
    (
        "it falls back to boot after it has answered",
        "single: startup=100 blocked=150 maintenance=100 userless=100",
    ),
    (
        "it is full at first",
        "single: maintenance=100 full=200 userless=100",
    ),
    (
        "it serves long before it knows its users",
        "single: startup=50 userless=700",
    ),
    (
        "it rejects a token once when it serves",
        "single: maintenance=100 rejects=1",
    ),
    ("it is read-only", "single: maintenance=100 readonly"),
    ("it stops slowly", "single: maintenance=50 stopping=600"),
];

#[test]
fn a_single_server_is_ready_in_every_order_of_phases() {
    for (what, phases) in SINGLE {
        let ran = run(
            phases,
            &["--exact", "a_single_server", "a_single_server_again"],
        );
        assert_eq!(ran.code, Some(0), "{what}\n{}", ran.said());
        assert_eq!(ran.verdict("a_single_server"), "passed", "{what}");
        assert_eq!(ran.verdict("a_single_server_again"), "passed", "{what}");
        let recycled = ran.events("deployment_recycled");
        assert!(recycled.is_empty(), "{what}: {recycled:?}");
        stopped(&ran, what);
    }
}

/// The same of a cluster with three agents, three dbservers and a coordinator.
const CLUSTER: &[(&str, &str)] = &[
    ("they are there at once", ""),
    (
        "each goes through all phases",
        "agent: closed=50 startup=50 maintenance=100 leaderless=200\n\
         dbserver: closed=50 startup=100 maintenance=150\n\
         coordinator: closed=50 startup=100 maintenance=200 userless=200",
    ),
    (
        "without early connections, and agents that are long without a leader",
        "agent: closed=100 blocked=100 leaderless=500\n\
         dbserver: closed=100 blocked=200\n\
         coordinator: closed=100 blocked=300 userless=100",
    ),
    (
        "the coordinator is there before the dbservers",
        "agent: leaderless=100\ndbserver: closed=300 maintenance=300\ncoordinator: startup=20",
    ),
    (
        "dbservers are full at first, and coordinators read-only",
        "agent: startup=50 maintenance=50\ndbserver: maintenance=50 full=250\n\
         coordinator: blocked=100 userless=50 readonly",
    ),
    (
        "agents open their port when they lead, and everybody stops slowly",
        "agent: closed=200 stopping=300\ndbserver: closed=200 stopping=300\n\
         coordinator: closed=200 stopping=300",
    ),
    (
        "tokens are rejected at first, by each in its way",
        "agent: keyless=100 leaderless=100 rejects=1\ndbserver: keyless=150 rejects=1\n\
         coordinator: keyless=100 userless=100 rejects=1",
    ),
];

#[test]
fn a_cluster_is_ready_in_every_order_of_phases() {
    for (what, phases) in CLUSTER {
        let ran = run(phases, &["--exact", "a_cluster"]);
        assert_eq!(ran.code, Some(0), "{what}\n{}", ran.said());
        assert_eq!(ran.verdict("a_cluster"), "passed", "{what}");
        stopped(&ran, what);
    }
}

/// What is no server of this deployment, or never becomes one: the message, and whether it is known without waiting.
const NEVER: &[(&str, &str, bool)] = &[
    (
        "single: role=COORDINATOR",
        "single-1 cannot become ready: it runs as COORDINATOR, not as SINGLE",
        true,
    ),
    (
        "single: keyless=100000",
        "it is started: it rejects the token of this deployment",
        false,
    ),
    (
        "single: maintenance=100000",
        "it is answering: it is in maintenance mode in start Bootstrap",
        false,
    ),
    (
        "single: blocked=100000",
        "HTTP 503: service unavailable due to startup or maintenance mode",
        false,
    ),
    (
        "single: full=100000",
        "it is answering: HTTP 503: service unavailable",
        false,
    ),
    (
        "single: silent",
        "it is answering: its log does not have the message cf3f4 yet",
        false,
    ),
];

#[test]
fn what_never_gets_ready_says_why() {
    for (phases, message, at_once) in NEVER {
        // The 120 s that a start has become 8 s. What is known at once has all of them: whoever waits for their end is not
        // waited for.
        let factor = if *at_once { "1" } else { "0.066" };
        let args = ["--exact", "a_single_server", "--timeout-factor", factor];
        let ran = run(phases, &args);
        assert_eq!(ran.code, Some(3), "{phases}\n{}", ran.said());
        assert!(ran.printed(message), "{phases}\n{}", ran.said());
        assert_eq!(ran.remains(), [""; 0], "{phases}");
    }
}
