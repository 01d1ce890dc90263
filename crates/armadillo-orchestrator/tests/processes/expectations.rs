//! Exits that are meant.

use std::time::Duration;

use armadillo_orchestrator::deployment::{ExpectationError, Phase};
use armadillo_orchestrator::{Deployment, ExitExpectation, Notice, Operation};

use crate::crashes::hit;
use crate::support::{Ground, LIMIT, Scenario, block_on, key, row, until};

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("expectations::an_exit_that_was_meant_is_no_crash", met),
    (
        "expectations::an_exit_in_another_way_is_a_crash",
        met_by_another,
    ),
    (
        "expectations::what_did_not_happen_is_told_once",
        did_not_happen,
    ),
    (
        "expectations::one_holds_for_one_exit_of_one_start",
        one_exit_of_one_start,
    ),
    (
        "expectations::an_operation_ends_a_server_in_its_own_way",
        ended_by_an_operation,
    ),
    (
        "expectations::what_does_not_run_cannot_be_expected_to_exit",
        out_of_place,
    ),
];

fn phase_of(deployment: &Deployment, number: u32) -> Phase {
    deployment.servers()[&key(number)].phase
}

fn met() {
    block_on(async {
        let mut ground = Ground::new();
        let deployment = ground.start(&row("by-pid", 2, &[])).await.unwrap();
        ground.heard();
        let abort = deployment
            .expect_exit(&key(1), ExitExpectation::signal(libc::SIGABRT))
            .unwrap();
        let leave = deployment
            .expect_exit(&key(2), ExitExpectation::code(3))
            .unwrap();
        hit(&deployment, &key(1), "/abort").await;
        let exit = deployment.wait_for_exit(abort, LIMIT).await.unwrap();
        assert_eq!(exit.signal, Some(libc::SIGABRT));
        hit(&deployment, &key(2), "/leave").await;
        let exit = deployment.wait_for_exit(leave, LIMIT).await.unwrap();
        assert_eq!(exit.code, Some(3));
        let phases = [phase_of(&deployment, 1), phase_of(&deployment, 2)];
        assert_eq!(phases, [Phase::Stopped, Phase::Stopped]);
        assert!(deployment.crashes().is_empty());
        let exits: Vec<bool> = ground
            .heard()
            .into_iter()
            .filter_map(|notice| match notice {
                Notice::ServerExited { expected, .. } => Some(expected),
                _ => None,
            })
            .collect();
        assert_eq!(exits, [true, true]);
        assert!(deployment.take_unmet_expectations().is_empty());
    });
}

fn met_by_another() {
    block_on(async {
        let ground = Ground::new();
        let deployment = ground.start(&row("by-pid", 1, &[])).await.unwrap();
        let abort = deployment
            .expect_exit(&key(1), ExitExpectation::signal(libc::SIGABRT))
            .unwrap();
        hit(&deployment, &key(1), "/leave").await;
        let error = deployment.wait_for_exit(abort, LIMIT).await.unwrap_err();
        let said =
            "node-1 was expected to exit with SIGABRT (signal 6), but exited with exit code 3";
        assert!(error.to_string().starts_with(said), "{error}");
        assert_eq!(phase_of(&deployment, 1), Phase::Crashed);
        let crashes = deployment.crashes();
        let said = "exit code 3: an unknown option, but was expected to exit with SIGABRT";
        assert_eq!(crashes.len(), 1);
        assert!(crashes[0].text.starts_with(said), "{}", crashes[0].text);
    });
}

fn did_not_happen() {
    block_on(async {
        let ground = Ground::new();
        let deployment = ground.start(&row("by-pid", 2, &[])).await.unwrap();
        let expectation = deployment
            .expect_exit(&key(1), ExitExpectation::signal(libc::SIGABRT))
            .unwrap();
        // The last word counts.
        let replaced = deployment
            .expect_exit(&key(2), ExitExpectation::code(1))
            .unwrap();
        deployment
            .expect_exit(&key(2), ExitExpectation::any())
            .unwrap();
        let soon = Duration::from_millis(50);
        let late = deployment.wait_for_exit(expectation, soon).await;
        assert!(matches!(late, Err(ExpectationError::Late { .. })));
        let gone = deployment.wait_for_exit(replaced, soon).await;
        assert_eq!(gone, Err(ExpectationError::Gone));
        assert_eq!(
            deployment.take_unmet_expectations(),
            [
                "node-1 was expected to exit with SIGABRT (signal 6), but did not",
                "node-2 was expected to exit, but did not",
            ]
        );
        assert!(deployment.take_unmet_expectations().is_empty());
        // It was forgotten with that.
        hit(&deployment, &key(1), "/abort").await;
        until("crashed", || !deployment.crashes().is_empty()).await;
    });
}

fn one_exit_of_one_start() {
    block_on(async {
        let ground = Ground::new();
        let deployment = ground.start(&row("by-pid", 1, &[])).await.unwrap();
        let first = key(1);
        let expectation = deployment
            .expect_exit(&first, ExitExpectation::any())
            .unwrap();
        hit(&deployment, &first, "/leave").await;
        deployment.wait_for_exit(expectation, LIMIT).await.unwrap();
        let start = deployment.operate(&first, Operation::Start, LIMIT).await;
        start.unwrap();
        hit(&deployment, &first, "/leave").await;
        until("crashed", || !deployment.crashes().is_empty()).await;
        // Who asks later is told of the exit that was meant.
        assert!(deployment.wait_for_exit(expectation, LIMIT).await.is_ok());
    });
}

fn ended_by_an_operation() {
    block_on(async {
        let ground = Ground::new();
        let deployment = ground.start(&row("by-pid", 2, &[])).await.unwrap();
        for number in [1, 2] {
            let abort = ExitExpectation::signal(libc::SIGABRT);
            deployment.expect_exit(&key(number), abort).unwrap();
        }
        for (number, operation) in [(1, Operation::Abort), (2, Operation::Kill)] {
            let done = deployment.operate(&key(number), operation, LIMIT).await;
            done.unwrap();
        }
        assert!(deployment.crashes().is_empty());
        assert_eq!(
            deployment.take_unmet_expectations(),
            [
                "node-2 was expected to exit with SIGABRT (signal 6), but exited with SIGKILL (signal 9)"
            ]
        );
    });
}

fn out_of_place() {
    block_on(async {
        let ground = Ground::new();
        let deployment = ground.start(&row("by-pid", 1, &[])).await.unwrap();
        let stop = deployment.operate(&key(1), Operation::Stop, LIMIT).await;
        stop.unwrap();
        let error = deployment.expect_exit(&key(1), ExitExpectation::any());
        let error = error.unwrap_err().to_string();
        assert_eq!(error, "cannot expect node-1 to exit: it is stopped");
        let unknown = deployment.expect_exit(&key(2), ExitExpectation::any());
        assert!(matches!(unknown, Err(ExpectationError::Unknown { .. })));
    });
}
