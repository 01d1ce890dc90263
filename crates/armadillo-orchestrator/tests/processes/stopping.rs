//! How deployments end.

use std::time::Duration;

use armadillo_orchestrator::{Notice, Operation, ServerKey, Verb};

use crate::support::{
    Ground, LIMIT, Scenario, block_on, directory_of, is_alive, key, pid_of, row, until,
};

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("stopping::servers_stop_in_their_order", order),
    (
        "stopping::a_server_that_ignores_the_request_is_killed",
        escalation,
    ),
    (
        "stopping::a_server_that_is_stuck_is_looked_at_before_it_is_aborted",
        stuck,
    ),
    ("stopping::a_passed_deadline_kills_at_once", no_time),
    ("stopping::a_dropped_deployment_leaves_nothing", dropped),
    ("stopping::a_dropped_start_leaves_nothing", dropped_start),
];

fn order() {
    block_on(async {
        let mut ground = Ground::new();
        let deployment = ground.start(&row("by-pid", 3, &[])).await.unwrap();
        ground.heard();
        let report = deployment.stop(LIMIT).await;
        assert_eq!(report.servers.len(), 3);
        assert!(report.servers.values().all(|outcome| {
            outcome.exit.is_some_and(|exit| exit.is_by(Verb::Terminate))
                && outcome.escalated.is_none()
        }));
        let exits: Vec<ServerKey> = ground
            .heard()
            .into_iter()
            .filter_map(|notice| match notice {
                Notice::ServerExited {
                    server,
                    expected: true,
                    ..
                } => Some(server),
                _ => None,
            })
            .collect();
        assert_eq!(exits, [key(3), key(2), key(1)]);
    });
}

fn escalation() {
    block_on(async {
        let mut ground = Ground::new();
        let mut stubborn = row("by-pid", 1, &[("node-1", "ignores-terminate")]);
        stubborn.params.insert("grace_ms".into(), 50);
        let deployment = ground.start(&stubborn).await.unwrap();
        let done = deployment
            .operate(&key(1), Operation::Restart, LIMIT)
            .await
            .unwrap();
        let note = done.note.unwrap();
        assert!(note.contains("it did not exit within"), "{note}");
        assert!(note.ends_with("it was killed"), "{note}");
        assert!(
            ground
                .heard()
                .iter()
                .any(|notice| matches!(notice, Notice::Warning { .. }))
        );
        let pid = pid_of(&deployment, &key(1));
        let report = deployment.stop(LIMIT).await;
        let complaints = report.complaints();
        assert_eq!(complaints.len(), 1);
        assert!(
            complaints[0].starts_with("node-1 did not shut down cleanly"),
            "{complaints:?}"
        );
        assert!(report.servers[&key(1)].exit.unwrap().is_by(Verb::Kill));
        assert!(!is_alive(pid));
    });
}

fn stuck() {
    block_on(async {
        let mut ground = Ground::new();
        let mut stubborn = row("by-pid", 1, &[("node-1", "ignores-terminate")]);
        stubborn.params.insert("grace_ms".into(), 50);
        stubborn.params.insert("abort_ms".into(), 5000);
        let deployment = ground.start(&stubborn).await.unwrap();
        ground.heard();
        let report = deployment.stop(LIMIT).await;
        let exit = report.servers[&key(1)].exit.unwrap();
        assert!(exit.is_by(Verb::Abort), "{exit}");
        let files = directory_of(&ground, &ServerKey::from("node-1-stuck"));
        for file in ["processes", "node-1.json", "node-1-conf"] {
            assert!(files.join(file).is_file(), "{file}");
        }
        let warned = ground.heard().into_iter().find_map(|notice| match notice {
            Notice::Warning { text } => Some(text),
            _ => None,
        });
        let warned = warned.unwrap();
        assert!(
            warned.starts_with("node-1 does not stop; 4 files about it are in "),
            "{warned}"
        );
    });
}

fn no_time() {
    block_on(async {
        let ground = Ground::new();
        let stubborn = row("by-pid", 2, &[("node-1", "ignores-terminate")]);
        let deployment = ground.start(&stubborn).await.unwrap();
        // The grace of ten seconds does not count, nor does the order.
        let report = deployment.stop(Duration::ZERO).await;
        assert!(
            report
                .servers
                .values()
                .all(|outcome| { outcome.exit.is_some_and(|exit| exit.is_by(Verb::Kill)) })
        );
        assert!(ground.processes.running().is_empty());
    });
}

fn dropped() {
    block_on(async {
        let ground = Ground::new();
        let deployment = ground.start(&row("by-pid", 2, &[])).await.unwrap();
        let pids = [1, 2].map(|number| pid_of(&deployment, &key(number)));
        drop(deployment);
        until("gone", || ground.processes.running().is_empty()).await;
        assert!(!pids.into_iter().any(is_alive));
    });
}

fn dropped_start() {
    block_on(async {
        let ground = Ground::new();
        let never = row("by-pid", 1, &[("node-1", "ready-after=100000000")]);
        let start = ground.start(&never);
        let started = until("started", || !ground.processes.running().is_empty());
        tokio::select! {
            _ = start => panic!("it cannot be ready"),
            () = started => {}
        }
        until("gone", || ground.processes.running().is_empty()).await;
    });
}
