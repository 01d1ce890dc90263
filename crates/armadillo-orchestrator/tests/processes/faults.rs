//! Faults: injected, seen, healed; and the crashes that nobody asked for.

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use armadillo_orchestrator::deployment::Phase;
use armadillo_orchestrator::ports::HeldPort;
use armadillo_orchestrator::process::proc_fs;
use armadillo_orchestrator::{Notice, Operation, OperationError, Program, Scope, State};
use socket2::{Domain, Socket, Type};

use crate::support::{Ground, LIMIT, Scenario, block_on, directory_of, is_alive, key, pid_of, row};

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("faults::a_kill_is_seen_and_healed_on_the_same_port", kill),
    ("faults::a_pause_is_seen_in_every_thread", pause),
    ("faults::an_operation_without_effect_is_an_error", no_effect),
    ("faults::an_operation_out_of_place_is_refused", out_of_place),
    ("faults::a_restart_gives_another_process", restart),
    (
        "faults::a_server_behind_a_script_is_one_server",
        behind_a_script,
    ),
    ("faults::health_is_waited_for_by_version", versions),
    (
        "faults::a_checker_that_never_answers_has_complained",
        checkers,
    ),
];

fn kill() {
    block_on(async {
        let mut ground = Ground::new();
        let deployment = ground.start(&row("by-pid", 3, &[])).await.unwrap();
        let pid = pid_of(&deployment, &key(1));
        let address = deployment.view().reach(&key(1), "http").unwrap();
        let port: u16 = address.rsplit_once(':').unwrap().1.parse().unwrap();
        ground.heard();
        let operate = |operation| {
            let deployment = deployment.clone();
            async move { deployment.operate(&key(1), operation, LIMIT).await.unwrap() }
        };
        operate(Operation::Kill).await;
        assert!(!is_alive(pid));
        let status = deployment.servers().remove(&key(1)).unwrap();
        assert_eq!((status.phase, status.pid), (Phase::Stopped, None));
        assert_eq!(status.exit.as_deref(), Some("SIGKILL (signal 9)"));
        assert!(deployment.crashes().is_empty());
        assert!(ground.heard().iter().any(|notice| {
            matches!(notice, Notice::ServerExited { server, expected: true, .. } if *server == key(1))
        }));
        let health = deployment.health(LIMIT).await;
        assert_eq!(health.servers[&key(1)].0, State::Failed);
        assert!(
            health.servers[&key(1)].1.contains("it was stopped"),
            "{health}"
        );
        assert_eq!(
            (health.percent(), health.leader("row")),
            (66, Some(&key(2)))
        );
        assert!(health.without(&key(1)).is_good());
        // The port is nobody else's meanwhile.
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let stolen = socket.bind(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, port).into());
        assert_eq!(stolen.unwrap_err().kind(), ErrorKind::AddrInUse);
        let others: Vec<HeldPort> = (0..200).map(|_| HeldPort::take().unwrap()).collect();
        assert!(others.iter().all(|other| other.port() != port));
        operate(Operation::Start).await;
        assert_ne!(pid_of(&deployment, &key(1)), pid);
        assert!(deployment.wait_good(LIMIT).await.is_ok());
        assert!(
            !ground
                .heard()
                .iter()
                .any(|notice| matches!(notice, Notice::Warning { .. }))
        );
        let log = fs::read_to_string(directory_of(&ground, &key(1)).join("log")).unwrap();
        assert_eq!(log.matches(" begins").count(), 2, "{log}");
        deployment.stop(LIMIT).await;
    });
}

fn pause() {
    block_on(async {
        let ground = Ground::new();
        let deployment = ground.start(&row("by-pid", 2, &[])).await.unwrap();
        let pid = pid_of(&deployment, &key(1));
        let done = deployment.operate(&key(1), Operation::Pause, LIMIT).await;
        assert_eq!(done.unwrap().note, None);
        assert!(
            proc_fs::thread_states(pid)
                .iter()
                .all(|state| *state == 'T')
        );
        let health = deployment.health(Duration::from_millis(300)).await;
        let (state, why) = &health.servers[&key(1)];
        assert_eq!(
            (*state, why.as_str()),
            (State::Failed, "its process is paused")
        );
        deployment
            .operate(&key(1), Operation::Resume, LIMIT)
            .await
            .unwrap();
        assert!(!proc_fs::thread_states(pid).contains(&'T'));
        assert!(deployment.wait_good(LIMIT).await.is_ok());
        // A stop reaches one that is paused, too.
        deployment
            .operate(&key(1), Operation::Pause, LIMIT)
            .await
            .unwrap();
        let report = deployment.stop(LIMIT).await;
        assert!(report.complaints().is_empty(), "{report:?}");
        assert!(!is_alive(pid));
    });
}

fn no_effect() {
    block_on(async {
        let mut ground = Ground::new();
        let stubborn = row("by-pid", 1, &[("node-1", "ignores-terminate")]);
        let deployment = ground.start(&stubborn).await.unwrap();
        let limit = Duration::from_millis(100);
        let error = deployment
            .operate(&key(1), Operation::Terminate, limit)
            .await
            .unwrap_err();
        assert!(matches!(error, OperationError::NoEffect { .. }), "{error}");
        assert!(ground.heard().iter().any(|notice| {
            matches!(notice, Notice::Operation { result: Err(why), .. } if why.contains("it is still running"))
        }));
        deployment
            .operate(&key(1), Operation::Abort, LIMIT)
            .await
            .unwrap();
        assert!(deployment.crashes().is_empty());
    });
}

fn out_of_place() {
    block_on(async {
        let ground = Ground::new();
        let deployment = ground.start(&row("by-pid", 1, &[])).await.unwrap();
        let refused = async |operation| {
            let result = deployment.operate(&key(1), operation, LIMIT).await;
            let error = result.unwrap_err();
            assert!(matches!(error, OperationError::State { .. }), "{error}");
        };
        refused(Operation::Start).await;
        refused(Operation::Resume).await;
        deployment
            .operate(&key(1), Operation::Pause, LIMIT)
            .await
            .unwrap();
        refused(Operation::Pause).await;
        deployment
            .operate(&key(1), Operation::Kill, LIMIT)
            .await
            .unwrap();
        for operation in [
            Operation::Kill,
            Operation::Stop,
            Operation::Pause,
            Operation::Abort,
        ] {
            refused(operation).await;
        }
        let unknown = deployment.operate(&key(2), Operation::Kill, LIMIT).await;
        assert!(matches!(unknown, Err(OperationError::Unknown { .. })));
        deployment.stop(LIMIT).await;
        let ended = deployment.operate(&key(1), Operation::Start, LIMIT).await;
        assert!(matches!(ended, Err(OperationError::Ended { .. })));
    });
}

fn restart() {
    block_on(async {
        let ground = Ground::new();
        let deployment = ground.start(&row("by-pid", 2, &[])).await.unwrap();
        for number in [2, 1] {
            let before = pid_of(&deployment, &key(number));
            let done = deployment
                .operate(&key(number), Operation::Restart, LIMIT)
                .await
                .unwrap();
            assert_eq!(done.note, None);
            assert_ne!(pid_of(&deployment, &key(number)), before);
        }
        assert!(deployment.wait_good(LIMIT).await.is_ok());
        assert!(deployment.crashes().is_empty());
    });
}

fn behind_a_script() {
    block_on(async {
        let ground = Ground::new();
        let exe = std::env::current_exe().unwrap();
        let script = Program {
            path: "/bin/sh".into(),
            leading_args: vec![
                "-c".into(),
                r#""$0" "$@"; exit $?"#.into(),
                exe.display().to_string(),
            ],
            version: None,
            title: "a script".into(),
            stand_in: false,
            note: None,
            origin: None,
            sanitizers: Default::default(),
            features: Default::default(),
        };
        for shape in ["by-pid", "by-socket"] {
            let topology = row(shape, 1, &[]);
            let deployment = ground
                .start_program(script.clone(), &topology, LIMIT)
                .await
                .unwrap();
            let server = proc_fs::all()
                .into_iter()
                .find(|stat| stat.parent == pid_of(&deployment, &key(1)))
                .unwrap();
            let operate = async |operation| {
                deployment.operate(&key(1), operation, LIMIT).await.unwrap();
            };
            operate(Operation::Pause).await;
            assert_eq!(proc_fs::thread_states(server.pid), ['T']);
            operate(Operation::Resume).await;
            operate(Operation::Kill).await;
            assert!(!is_alive(server.pid));
            operate(Operation::Start).await;
            operate(Operation::Kill).await;
        }
    });
}

fn versions() {
    block_on(async {
        let ground = Ground::new();
        let deployment = ground.start(&row("by-pid", 2, &[])).await.unwrap();
        let (version, health) = deployment.wait_for_health(0, LIMIT).await;
        assert!(version > 0 && health.is_good());
        let unchanged = deployment
            .wait_for_health(version, Duration::from_millis(50))
            .await;
        assert_eq!(unchanged, (version, health));
        let waits = deployment.wait_for_health(version, LIMIT);
        let also_waits = deployment.wait_for_health(version, LIMIT);
        let second = key(2);
        let kills = deployment.operate(&second, Operation::Kill, LIMIT);
        let ((now, health), (_, same), killed) = tokio::join!(waits, also_waits, kills);
        killed.unwrap();
        assert!(now > version);
        assert!(!health.is_good() && !same.is_good());
        let not_good = deployment
            .wait_good(Duration::from_millis(50))
            .await
            .unwrap_err();
        let is_said = |sentence: &String| sentence.contains("node-2 is failed");
        assert!(not_good.missing.iter().any(is_said), "{not_good}");
    });
}

fn checkers() {
    block_on(async {
        let ground = Ground::new();
        let deployment = ground.start(&row("by-pid", 1, &[])).await.unwrap();
        let found = deployment.check(Scope::Lease, "x", |_| true, LIMIT).await;
        assert!(found.is_empty());
        let unasked = deployment.check(Scope::Idle, "x", |_| false, LIMIT).await;
        assert!(unasked.is_empty());
        let complaints = deployment
            .check(Scope::Idle, "x", |_| true, Duration::from_millis(20))
            .await;
        assert_eq!((complaints.len(), complaints[0].0.as_str()), (1, "never"));
        assert_eq!(deployment.purge("x", LIMIT).await.unwrap(), ["x"]);
    });
}
