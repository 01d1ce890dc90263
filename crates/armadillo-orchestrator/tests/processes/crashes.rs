//! Ends that nobody asked for, and what is collected of them.

use std::fs;
use std::io::Write;
use std::net::TcpStream;

use armadillo_orchestrator::deployment::Phase;
use armadillo_orchestrator::http::{Client, Request};
use armadillo_orchestrator::{Deployment, Notice, Operation, ServerKey};

use crate::support::{Ground, LIMIT, Scenario, block_on, is_alive, key, nap, pid_of, row, until};

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("crashes::a_crash_is_remembered_with_its_last_words", crash),
    (
        "crashes::a_long_backtrace_does_not_hide_what_happened",
        backtrace,
    ),
    (
        "crashes::a_crash_after_a_start_was_given_up_is_remembered",
        given_up,
    ),
    (
        "crashes::a_kill_that_came_too_late_is_an_error_and_the_end_a_crash",
        too_late,
    ),
    (
        "crashes::evidence_is_collected_before_anything_ends",
        evidence,
    ),
];

pub(crate) async fn hit(deployment: &Deployment, server: &ServerKey, path: &str) {
    let address = deployment.view().reach(server, "http").unwrap();
    // The server ends in the middle of it.
    let answer = Client::tcp(address).send(Request::get(path), LIMIT).await;
    assert!(!answer.unwrap_err().surely_not_sent());
}

fn crash() {
    block_on(async {
        let mut ground = Ground::new();
        let deployment = ground.start(&row("by-pid", 2, &[])).await.unwrap();
        let marks = deployment.log_marks();
        assert!(deployment.logs_since(&marks).is_empty());
        ground.heard();
        hit(&deployment, &key(1), "/abort").await;
        until("crashed", || !deployment.crashes().is_empty()).await;
        let crash = deployment.crashes().remove(0);
        assert_eq!(crash.server, key(1));
        assert_eq!(crash.exit.signal, Some(libc::SIGABRT));
        assert_eq!(crash.log.last().unwrap(), "CRASH: asked to abort");
        assert!(ground.heard().iter().any(|notice| {
            matches!(notice, Notice::ServerExited { expected: false, log, .. } if !log.is_empty())
        }));
        let lines = deployment.grave_lines(&marks);
        assert_eq!((lines.len(), &lines[0].0), (1, &key(1)));
        assert_eq!(
            deployment.logs_since(&marks)[&key(1)],
            "CRASH: asked to abort\n"
        );
        let health = deployment.health(LIMIT).await;
        assert!(
            health.servers[&key(1)].1.contains("it crashed (SIGABRT"),
            "{health}"
        );
        hit(&deployment, &key(2), "/leave").await;
        until("left", || deployment.crashes().len() == 2).await;
        assert_eq!(
            deployment.crashes()[1].text,
            "exit code 3: an unknown option"
        );
        let report = deployment.stop(LIMIT).await;
        assert!(report.servers.is_empty());
    });
}

fn backtrace() {
    block_on(async {
        let ground = Ground::new();
        let deployment = ground.start(&row("by-pid", 1, &[])).await.unwrap();
        hit(&deployment, &key(1), "/trace").await;
        until("crashed", || !deployment.crashes().is_empty()).await;
        let crash = deployment.crashes().remove(0);
        let expected = (1..10).chain(41..=50).map(|frame| format!("frame {frame}"));
        let expected = ["CRASH: asked to abort".to_owned()]
            .into_iter()
            .chain(expected);
        assert_eq!(crash.log, expected.collect::<Vec<_>>());
        let grave = deployment.grave_line_of(&crash.log).unwrap();
        assert_eq!(grave, "CRASH: asked to abort");
        deployment.stop(LIMIT).await;
    });
}

fn given_up() {
    block_on(async {
        let ground = Ground::new();
        let deployment = ground.start(&row("by-pid", 1, &[])).await.unwrap();
        let first = key(1);
        deployment
            .operate(&first, Operation::Kill, LIMIT)
            .await
            .unwrap();
        {
            let start = deployment.operate(&first, Operation::Start, LIMIT);
            let mut changes = deployment.changes();
            let started = async {
                while deployment.servers()[&first].pid.is_none() {
                    changes.changed().await.unwrap();
                }
            };
            tokio::select! {
                biased;
                () = started => {}
                _ = start => panic!("it cannot be ready before it was seen to start"),
            }
        }
        let pid = pid_of(&deployment, &first);
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(),
            rustix::process::Signal::KILL,
        )
        .unwrap();
        until("remembered", || deployment.crashes().len() == 1).await;
        assert_eq!(deployment.servers()[&first].phase, Phase::Crashed);
    });
}

fn too_late() {
    block_on(async {
        let ground = Ground::new();
        let deployment = ground.start(&row("by-pid", 1, &[])).await.unwrap();
        let pid = pid_of(&deployment, &key(1));
        let address = deployment.view().reach(&key(1), "http").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /leave HTTP/1.1\r\n\r\n").unwrap();
        // This blocks the thread: the exit cannot be noticed before the kill is asked for.
        while is_alive(pid) {
            nap();
        }
        let error = deployment
            .operate(&key(1), Operation::Kill, LIMIT)
            .await
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("it had already exited: exit code 3"),
            "{error}"
        );
        assert_eq!(deployment.crashes().len(), 1);
    });
}

fn evidence() {
    block_on(async {
        let ground = Ground::new();
        let deployment = ground.start(&row("by-pid", 2, &[])).await.unwrap();
        deployment
            .operate(&key(2), Operation::Kill, LIMIT)
            .await
            .unwrap();
        let dest = ground.path().join("evidence");
        let report = deployment.evidence(&dest, LIMIT).await;
        let mut names: Vec<String> = report
            .saved
            .iter()
            .map(|path| path.strip_prefix(&dest).unwrap().display().to_string())
            .collect();
        names.sort();
        let expected = [
            "leaders.jsonl",
            "node-1-conf",
            "node-1.json",
            "node-1.log",
            "node-2-conf",
            "node-2.log",
            "processes",
        ];
        assert_eq!(names, expected);
        assert_eq!(report.failed.len(), 1, "{report:?}");
        assert!(report.failed[0].contains("node-2.json"), "{report:?}");
        let table = fs::read_to_string(dest.join("processes")).unwrap();
        assert!(table.contains("node-1               running"), "{table}");
        assert!(
            table.contains("node-2               stopped   SIGKILL"),
            "{table}"
        );
        // SIGQUIT ended it, as was to be expected.
        assert_eq!(deployment.servers()[&key(1)].phase, Phase::Stopped);
        assert!(deployment.crashes().is_empty());
    });
}
