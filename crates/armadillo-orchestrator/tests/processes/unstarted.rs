//! Deployments of which nothing runs yet, and starts that are meant to fail.

use std::time::Duration;

use armadillo_orchestrator::deployment::{NotFailed, Phase};
use armadillo_orchestrator::{Deployment, Notice, Operation, OperationError};

use crate::support::{Ground, LIMIT, Scenario, block_on, is_alive, key, pid_of, row};

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("unstarted::one_has_places_and_runs_nothing", places),
    (
        "unstarted::all_are_started_behind_their_gates",
        started_together,
    ),
    (
        "unstarted::a_start_that_was_meant_to_fail_tells_how_it_did",
        failed,
    ),
    (
        "unstarted::what_gets_ready_all_the_same_is_stopped",
        got_ready,
    ),
    ("unstarted::what_does_not_end_is_killed", did_not_end),
    (
        "unstarted::held_ports_are_not_why_a_start_fails",
        held_ports,
    ),
];

fn phase_of(deployment: &Deployment, number: u32) -> Phase {
    deployment.servers()[&key(number)].phase
}

fn places() {
    block_on(async {
        let mut ground = Ground::new();
        let deployment = ground.place(&row("by-pid", 2, &[])).await;
        for number in [1, 2] {
            assert_eq!(phase_of(&deployment, number), Phase::Planned);
            assert!(deployment.view().reach(&key(number), "http").is_some());
        }
        assert!(ground.heard().is_empty());
        // In whatever order a test likes.
        let start = deployment.operate(&key(2), Operation::Start, LIMIT).await;
        start.unwrap();
        let phases = [phase_of(&deployment, 1), phase_of(&deployment, 2)];
        assert_eq!(phases, [Phase::Planned, Phase::Running]);
        let pid = pid_of(&deployment, &key(2));
        assert!(deployment.stop(LIMIT).await.complaints().is_empty());
        assert!(!is_alive(pid));
    });
}

fn started_together() {
    block_on(async {
        let mut ground = Ground::new();
        let deployment = ground.place(&row("by-pid", 3, &[])).await;
        let first = deployment.operate(&key(1), Operation::Start, LIMIT).await;
        first.unwrap();
        let pid = pid_of(&deployment, &key(1));
        deployment.start_all(LIMIT).await.unwrap();
        assert_eq!(pid_of(&deployment, &key(1)), pid);
        assert!(deployment.health(LIMIT).await.is_good());
        let started: Vec<String> = ground
            .heard()
            .into_iter()
            .filter_map(|notice| match notice {
                Notice::ServerStarted { server, .. } => Some(server.to_string()),
                _ => None,
            })
            .collect();
        assert_eq!(started, ["node-1", "node-2", "node-3"]);
        deployment.stop(LIMIT).await;
        let error = deployment.start_all(LIMIT).await.unwrap_err();
        assert!(error.to_string().contains("is being stopped"), "{error}");
    });
}

fn failed() {
    block_on(async {
        let mut ground = Ground::new();
        let topology = row("by-pid", 1, &[("node-1", "exits=3")]);
        let deployment = ground.place(&topology).await;
        // The log is that of the last start only.
        for _ in 0..2 {
            let failed = deployment.start_expecting_failure(&key(1), LIMIT).await;
            let failed = failed.unwrap();
            assert_eq!(failed.exit.code, Some(3));
            assert_eq!(failed.to_string(), "exit code 3: an unknown option");
            assert_eq!(failed.log.matches(" begins\n").count(), 1, "{}", failed.log);
            assert!(failed.log.ends_with("FATAL: I was told to\n"));
        }
        assert_eq!(phase_of(&deployment, 1), Phase::Stopped);
        assert!(deployment.crashes().is_empty());
        assert!(ground.heard().iter().all(|notice| {
            !matches!(
                notice,
                Notice::ServerExited {
                    expected: false,
                    ..
                }
            )
        }));
    });
}

fn got_ready() {
    block_on(async {
        let ground = Ground::new();
        let deployment = ground.place(&row("by-pid", 1, &[])).await;
        let ready = deployment.start_expecting_failure(&key(1), LIMIT).await;
        let error = ready.unwrap_err();
        assert!(matches!(error, NotFailed::Ready { .. }), "{error}");
        assert_eq!(phase_of(&deployment, 1), Phase::Stopped);
        let start = deployment.operate(&key(1), Operation::Start, LIMIT).await;
        start.unwrap();
        let alive = deployment.start_expecting_failure(&key(1), LIMIT).await;
        assert!(matches!(
            alive,
            Err(NotFailed::Operation(OperationError::State { .. }))
        ));
        assert!(deployment.crashes().is_empty());
    });
}

fn did_not_end() {
    block_on(async {
        let ground = Ground::new();
        let topology = row("by-pid", 1, &[("node-1", "ready-after=1000000")]);
        let deployment = ground.place(&topology).await;
        let limit = Duration::from_millis(200);
        let error = deployment.start_expecting_failure(&key(1), limit).await;
        let error = error.unwrap_err();
        assert!(matches!(error, NotFailed::Late { .. }), "{error}");
        assert_eq!(phase_of(&deployment, 1), Phase::Stopped);
        assert!(deployment.crashes().is_empty());
    });
}

fn held_ports() {
    block_on(async {
        let ground = Ground::new();
        let topology = row("by-pid", 1, &[("node-1", "does-not-reuse")]);
        let deployment = ground.place(&topology).await;
        let ready = deployment.start_expecting_failure(&key(1), LIMIT).await;
        assert!(matches!(ready, Err(NotFailed::Ready { .. })), "{ready:?}");
    });
}
