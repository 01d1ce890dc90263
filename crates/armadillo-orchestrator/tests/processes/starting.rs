//! How deployments start, and how they do not.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use armadillo_orchestrator::deployment::{Phase, Problem};
use armadillo_orchestrator::{Notice, Operation, ServerKey, Stage, StartError};

use crate::support::{Ground, LIMIT, Scenario, block_on, directory_of, key, row};

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("starting::gates_are_kept_and_the_whole_is_good", gates),
    ("starting::the_proof_may_be_a_token_or_the_socket", proofs),
    (
        "starting::variables_that_the_system_names_are_passed_on",
        passed_on,
    ),
    ("starting::a_wrong_token_is_refused", wrong_token),
    (
        "starting::whoever_else_answers_is_refused",
        foreign_listener,
    ),
    (
        "starting::who_answers_but_is_not_accepted_is_looked_at",
        not_accepted,
    ),
    (
        "starting::a_ready_server_has_said_so_in_its_log",
        ready_message,
    ),
    (
        "starting::a_wrong_configuration_fails_at_once_with_the_log",
        wrong_configuration,
    ),
    (
        "starting::a_server_that_refuses_a_held_port_is_started_again",
        port_refused,
    ),
    (
        "starting::a_server_that_crashes_after_it_was_ready_fails_the_start",
        crash_behind,
    ),
    (
        "starting::what_never_gets_ready_fails_at_the_deadline",
        late,
    ),
    (
        "starting::secrets_lie_apart_and_go_with_the_deployment",
        secrets,
    ),
];

/// How long a start may take that never ends: long enough for the server to be seen on any machine.
const IN_VAIN: Duration = Duration::from_secs(8);

/// The place in the notices where a server has reached a stage.
fn reached(notices: &[Notice], wanted: &ServerKey, at_least: Stage) -> usize {
    notices
        .iter()
        .position(|notice| {
            matches!(notice, Notice::ServerReached { server, stage, .. }
                if server == wanted && *stage >= at_least)
        })
        .unwrap()
}

fn gates() {
    block_on(async {
        let mut ground = Ground::new();
        let slow = row("by-pid", 3, &[("node-1", "ready-after=50")]);
        let deployment = ground.start(&slow).await.unwrap();
        let notices = ground.heard();
        for number in 2..=3 {
            let started = notices
                .iter()
                .position(|notice| {
                    matches!(notice, Notice::ServerStarted { server, .. } if *server == key(number))
                })
                .unwrap();
            assert!(reached(&notices, &key(number - 1), Stage::Answering) < started);
        }
        let health = deployment.health(LIMIT).await;
        assert!(health.is_good(), "{health}");
        assert_eq!(health.leader("row"), Some(&key(1)));
        let servers = deployment.servers();
        assert!(servers.values().all(|server| {
            server.phase == Phase::Running && server.stage == Some(Stage::Ready)
        }));
        assert_eq!(deployment.view().places[&key(1)].share.cores, 2);
        assert!(deployment.stop(LIMIT).await.complaints().is_empty());
    });
}

fn passed_on() {
    block_on(async {
        let ground = Ground::new();
        let deployment = ground.start(&row("by-pid", 1, &[])).await.unwrap();
        let log = deployment.last_lines(&key(1), 10).join("\n");
        assert!(log.contains("ONLY_IN_THE_PARENT: Some(\"1\")"), "{log}");
        assert!(log.contains("ROW_SERVER: Some(\"node-1\")"), "{log}");
        assert!(log.contains("NOWHERE: None"), "{log}");
        deployment.stop(LIMIT).await;
    });
}

fn proofs() {
    block_on(async {
        let ground = Ground::new();
        for shape in ["by-token", "by-socket"] {
            let deployment = ground.start(&row(shape, 1, &[])).await.unwrap();
            deployment.stop(LIMIT).await;
        }
    });
}

fn wrong_token() {
    block_on(async {
        let ground = Ground::new();
        let wrong = row("by-token", 1, &[("node-1", "wrong-token")]);
        let error = ground.start(&wrong).await.unwrap_err();
        let StartError::Server(failure) = &error else {
            panic!("{error}");
        };
        assert!(matches!(*failure.problem, Problem::Foreign(_)), "{error}");
        assert!(ground.processes.running().is_empty());
    });
}

fn foreign_listener() {
    block_on(async {
        let ground = Ground::new();
        for shape in ["by-socket", "by-pid"] {
            // The server listens nowhere, and this process answers in its place.
            let topology = row(shape, 1, &[("node-1", "sleep"), ("impostor", "yes")]);
            let error = ground.start(&topology).await.unwrap_err();
            let text = error.to_string();
            assert!(text.contains("is not the server that responds"), "{text}");
            assert!(ground.processes.running().is_empty());
        }
    });
}

fn not_accepted() {
    block_on(async {
        let ground = Ground::new();
        let own = row("by-nothing", 1, &[]);
        let text = ground.start_within(&own, IN_VAIN).await.unwrap_err();
        let text = text.to_string();
        assert!(
            text.contains("it is started: it says that it is busy"),
            "{text}"
        );
        let foreign = row("by-nothing", 1, &[("node-1", "sleep"), ("impostor", "yes")]);
        let text = ground.start(&foreign).await.unwrap_err().to_string();
        assert!(text.contains("is not the server that responds"), "{text}");
    });
}

fn ready_message() {
    block_on(async {
        let mut ground = Ground::new();
        let slow = row("by-log", 1, &[("node-1", "logs-after=300")]);
        let deployment = ground.start(&slow).await.unwrap();
        let ready_after = ground.heard().into_iter().find_map(|notice| match notice {
            Notice::ServerReached {
                stage: Stage::Ready,
                after,
                ..
            } => Some(after),
            _ => None,
        });
        assert!(ready_after.unwrap() > Duration::from_millis(250));
        // What it said at an earlier start does not count.
        for operation in [Operation::Kill, Operation::Start] {
            let done = deployment.operate(&key(1), operation, LIMIT).await;
            done.unwrap();
        }
        let silent = row("by-log", 1, &[]);
        let error = ground.start_within(&silent, IN_VAIN);
        let text = error.await.unwrap_err().to_string();
        assert!(
            text.contains("it is answering: its log does not have the message READY yet"),
            "{text}"
        );
        deployment.stop(LIMIT).await;
    });
}

fn wrong_configuration() {
    block_on(async {
        let mut ground = Ground::new();
        let error = ground
            .start(&row("by-pid", 2, &[("node-2", "exits=3")]))
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("node-2 exited during start-up: exit code 3: an unknown option"),
            "{text}"
        );
        assert!(text.contains("FATAL: I was told to"), "{text}");
        assert!(ground.processes.running().is_empty());
        let starts = |notice: &&Notice| matches!(notice, Notice::ServerStarted { server, .. } if *server == key(2));
        assert_eq!(ground.heard().iter().filter(starts).count(), 1);
    });
}

fn port_refused() {
    block_on(async {
        let mut ground = Ground::new();
        let deployment = ground
            .start(&row("by-pid", 1, &[("node-1", "does-not-reuse")]))
            .await
            .unwrap();
        let notices = ground.heard();
        assert!(
            notices
                .iter()
                .any(|notice| matches!(notice, Notice::Warning { text }
                if text.contains("with its ports released"))),
            "{notices:?}"
        );
        assert!(deployment.crashes().is_empty());
        deployment.stop(LIMIT).await;
    });
}

fn crash_behind() {
    block_on(async {
        let ground = Ground::new();
        // The second is started when the first has been seen to be ready.
        let file = ground.path().join("the second has begun");
        let [leaves, makes] =
            ["leaves-with", "makes"].map(|word| format!("{word}={}", file.display()));
        let options = [
            ("node-1", leaves.as_str()),
            ("node-2", "ready-after=100000000"),
            ("node-2", makes.as_str()),
        ];
        let error = ground.start(&row("by-pid", 2, &options)).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("node-1 exited: exit code 5"), "{text}");
        assert!(ground.processes.running().is_empty());
    });
}

fn late() {
    block_on(async {
        let ground = Ground::new();
        let never = row("by-pid", 1, &[("node-1", "ready-after=100000000")]);
        let error = ground.start_within(&never, IN_VAIN).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("node-1 is not ready after"), "{text}");
        assert!(
            text.contains("it is answering: it says that it is busy"),
            "{text}"
        );
        assert!(ground.processes.running().is_empty());
    });
}

fn secrets() {
    block_on(async {
        let ground = Ground::new();
        let deployment = ground.start(&row("by-pid", 1, &[])).await.unwrap();
        let visible = directory_of(&ground, &key(1)).join("key");
        let hidden = fs::read_link(&visible).unwrap();
        assert!(hidden.starts_with(ground.path().join("secrets")));
        assert_eq!(
            fs::metadata(&hidden).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let secret = deployment.view().secret.reveal();
        assert_eq!(fs::read_to_string(&visible).unwrap(), secret);
        assert!(!format!("{:?}", deployment.view()).contains(secret));
        deployment.stop(LIMIT).await;
        assert!(!hidden.exists());
        deployment.remove_data().unwrap();
        let left: Vec<_> = fs::read_dir(directory_of(&ground, &key(1)))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["log"]);
        // The port was held to the end, and is free now.
        let address = deployment.view().reach(&key(1), "http").unwrap().to_owned();
        drop(deployment);
        TcpListener::bind(address).unwrap();
    });
}
