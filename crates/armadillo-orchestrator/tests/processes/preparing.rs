//! What a program does to its data before it starts on what another one has served.

use std::time::Duration;

use armadillo_orchestrator::deployment::Phase;
use armadillo_orchestrator::{Deployment, Notice, Operation, Program};

use crate::support::{Ground, LIMIT, Scenario, block_on, key, own_program, row};

pub(crate) const SCENARIOS: &[Scenario] = &[
    (
        "preparing::another_program_changes_the_data_before_it_starts",
        changed,
    ),
    (
        "preparing::a_program_that_cannot_change_the_data_is_not_started",
        refused,
    ),
    ("preparing::it_is_waited_for_until_the_deadline", endless),
    (
        "preparing::a_start_that_is_meant_to_fail_changes_nothing",
        meant_to_fail,
    ),
];

/// This executable as another program, with what it does to data that is not its own.
fn other_program(does: &str) -> Program {
    Program {
        version: Some(does.to_owned()),
        ..own_program()
    }
}

fn prepared(notices: &[Notice]) -> Vec<Result<(), String>> {
    let results = notices.iter().filter_map(|notice| match notice {
        Notice::Prepared { what, result, .. } => {
            assert_eq!(what, "the exercise");
            Some(result.clone())
        }
        _ => None,
    });
    results.collect()
}

async fn restart(deployment: &std::sync::Arc<Deployment>) -> Result<(), String> {
    let done = deployment.operate(&key(1), Operation::Restart, LIMIT).await;
    done.map(|_| ()).map_err(|error| error.to_string())
}

fn changed() {
    block_on(async {
        let mut ground = Ground::new();
        let deployment = ground.start(&row("by-pid", 1, &[])).await.unwrap();
        restart(&deployment).await.unwrap();
        assert!(prepared(&ground.heard()).is_empty());
        deployment
            .change_server(&key(1), Some(other_program("exits=0")), &[])
            .unwrap();
        restart(&deployment).await.unwrap();
        let notices = ground.heard();
        assert_eq!(prepared(&notices), [Ok(())]);
        // One process to change the data, one to serve it.
        let starts = notices
            .iter()
            .filter(|notice| matches!(notice, Notice::ServerStarted { .. }));
        assert_eq!(starts.count(), 2);
        let unexpected = |notice: &&Notice| {
            matches!(
                notice,
                Notice::ServerExited {
                    expected: false,
                    ..
                }
            )
        };
        assert_eq!(notices.iter().find(unexpected), None);
        let log = deployment.last_lines(&key(1), 20).join("\n");
        assert!(log.contains("FATAL: I was told to"), "{log}");
        // From now on it is its data.
        restart(&deployment).await.unwrap();
        assert!(prepared(&ground.heard()).is_empty());
        assert!(deployment.crashes().is_empty());
        deployment.stop(LIMIT).await;
    });
}

fn refused() {
    block_on(async {
        let mut ground = Ground::new();
        let deployment = ground.start(&row("by-pid", 1, &[])).await.unwrap();
        let node = key(1);
        deployment
            .change_server(&node, Some(other_program("exits=3")), &[])
            .unwrap();
        let error = restart(&deployment).await.unwrap_err();
        let expected = "node-1 could not do the exercise: exit code 3: an unknown option";
        assert!(error.starts_with(expected), "{error}");
        assert!(error.contains("FATAL: I was told to"), "{error}");
        let expected = Err("exit code 3: an unknown option".to_owned());
        assert_eq!(prepared(&ground.heard()), [expected]);
        let crashes = deployment.crashes();
        assert_eq!(crashes.len(), 1);
        assert!(!deployment.servers()[&node].phase.is_alive());
        // The data is what it was: the next program must change it, too.
        deployment
            .change_server(&node, Some(other_program("exits=0")), &[])
            .unwrap();
        restart(&deployment).await.unwrap();
        assert_eq!(prepared(&ground.heard()), [Ok(())]);
        deployment.stop(LIMIT).await;
    });
}

fn endless() {
    block_on(async {
        let ground = Ground::new();
        let deployment = ground.start(&row("by-pid", 1, &[])).await.unwrap();
        deployment
            .change_server(&key(1), Some(other_program("sleep")), &[])
            .unwrap();
        let limit = Duration::from_millis(300);
        let error = deployment
            .operate(&key(1), Operation::Restart, limit)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("its program has not finished the exercise"),
            "{error}"
        );
        // It is left to finish, and goes with the deployment.
        assert_eq!(deployment.servers()[&key(1)].phase, Phase::Running);
        deployment.stop(LIMIT).await;
        assert!(!deployment.servers()[&key(1)].phase.is_alive());
    });
}

fn meant_to_fail() {
    block_on(async {
        let mut ground = Ground::new();
        let failing = row("by-pid", 1, &[]);
        let deployment = ground.start(&failing).await.unwrap();
        deployment
            .operate(&key(1), Operation::Stop, LIMIT)
            .await
            .unwrap();
        deployment
            .change_server(&key(1), Some(other_program("exits=0")), &[])
            .unwrap();
        let ready = deployment
            .start_expecting_failure(&key(1), LIMIT)
            .await
            .unwrap_err();
        assert!(ready.to_string().contains("ready"), "{ready}");
        assert!(prepared(&ground.heard()).is_empty());
        deployment
            .operate(&key(1), Operation::Start, LIMIT)
            .await
            .unwrap();
        assert_eq!(prepared(&ground.heard()), [Ok(())]);
        deployment.stop(LIMIT).await;
    });
}
