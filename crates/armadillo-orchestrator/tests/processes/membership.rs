//! Servers that join while a deployment runs, and servers that leave it.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use armadillo_orchestrator::deployment::{MembershipFailure, Phase};
use armadillo_orchestrator::{
    Deployment, MembershipChange, Notice, Operation, OperationError, ServerKey,
};

use crate::support::{Ground, LIMIT, Scenario, block_on, directory_of, is_alive, key, pid_of, row};

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("membership::a_spare_waits_until_it_joins", spare),
    ("membership::a_server_that_left_is_not_missed", left),
    (
        "membership::a_server_that_ends_by_itself_is_awaited",
        parted,
    ),
    ("membership::data_of_a_server_that_runs_stays", wiped),
];

/// Two servers and one in reserve.
async fn start(ground: &Ground) -> Arc<Deployment> {
    let mut topology = row("by-pid", 2, &[]);
    topology.params.insert("spares".into(), 1);
    ground.start(&topology).await.unwrap()
}

fn join(server: &ServerKey) -> MembershipChange {
    MembershipChange::Join {
        server: server.clone(),
        launch: None,
    }
}

fn leave(server: &ServerKey) -> MembershipChange {
    MembershipChange::Leave {
        server: server.clone(),
    }
}

fn parts(deployment: &Deployment) -> Vec<String> {
    let parts = deployment.view().servers();
    parts.map(|(key, _)| key.to_string()).collect()
}

fn spare() {
    block_on(async {
        let mut ground = Ground::new();
        let deployment = start(&ground).await;
        let spare = key(3);
        assert_eq!(deployment.servers()[&spare].phase, Phase::Planned);
        assert!(deployment.view().reach(&spare, "http").is_some());
        assert_eq!(parts(&deployment), ["node-1", "node-2"]);
        let health = deployment.health(LIMIT).await;
        assert!(
            health.is_good() && !health.servers.contains_key(&spare),
            "{health}"
        );
        assert!(deployment.is_whole() && !deployment.membership_was_changed());
        assert_eq!(deployment.processes().len(), 2);
        let early = deployment.operate(&spare, Operation::Start, LIMIT).await;
        let early = early.unwrap_err();
        assert!(matches!(early, OperationError::Outside { .. }), "{early}");

        deployment.change_membership(join(&spare)).unwrap();
        assert!(!deployment.is_whole());
        let missing = deployment.health(LIMIT).await.missing();
        assert_eq!(missing, ["node-3 is failed: it has not been started"]);
        let started = deployment.operate(&spare, Operation::Start, LIMIT).await;
        started.unwrap();
        assert!(deployment.health(LIMIT).await.is_good() && deployment.is_whole());
        assert!(deployment.membership_was_changed());
        let heard = ground.heard().into_iter();
        let changes = heard.filter(|notice| matches!(notice, Notice::MembershipChanged { .. }));
        assert_eq!(changes.count(), 1);
        let pid = pid_of(&deployment, &spare);
        assert!(deployment.stop(LIMIT).await.complaints().is_empty());
        assert!(!is_alive(pid));
    });
}

fn left() {
    block_on(async {
        let ground = Ground::new();
        let deployment = start(&ground).await;
        let gone = key(2);
        let inside = deployment.dismiss(&gone, Duration::ZERO, LIMIT).await;
        assert!(
            matches!(inside, Err(MembershipFailure::Membership(_))),
            "it is part of it"
        );
        let stored = directory_of(&ground, &gone).join("stored");
        fs::write(&stored, "data").unwrap();
        deployment.change_membership(leave(&gone)).unwrap();
        let pid = pid_of(&deployment, &gone);
        deployment
            .dismiss(&gone, Duration::ZERO, LIMIT)
            .await
            .unwrap();
        assert!(!is_alive(pid) && !stored.exists());
        assert!(directory_of(&ground, &gone).join("log").exists());
        assert!(deployment.health(LIMIT).await.is_good() && deployment.is_whole());
        assert!(deployment.crashes().is_empty());
        assert_eq!(parts(&deployment), ["node-1"]);
        // It may come back.
        deployment.change_membership(join(&gone)).unwrap();
        let started = deployment.operate(&gone, Operation::Start, LIMIT).await;
        started.unwrap();
        assert!(deployment.health(LIMIT).await.is_good() && deployment.is_whole());
    });
}

fn parted() {
    block_on(async {
        let ground = Ground::new();
        let deployment = start(&ground).await;
        let gone = key(2);
        deployment.change_membership(leave(&gone)).unwrap();
        let pid = libc::pid_t::try_from(pid_of(&deployment, &gone)).unwrap();
        let dismissed = deployment.dismiss(&gone, LIMIT, LIMIT);
        let ended = async {
            // SAFETY: it is one of ours, and runs.
            assert_eq!(unsafe { libc::kill(pid, libc::SIGABRT) }, 0);
        };
        let (dismissed, ()) = tokio::join!(dismissed, ended);
        dismissed.unwrap();
        let exit = deployment.servers()[&gone].exit.clone().unwrap();
        assert!(exit.contains("SIGABRT"), "{exit}");
        assert!(deployment.crashes().is_empty());
    });
}

fn wiped() {
    block_on(async {
        let ground = Ground::new();
        let deployment = start(&ground).await;
        let server = key(1);
        let stored = directory_of(&ground, &server).join("stored");
        fs::write(&stored, "data").unwrap();
        let runs = deployment.wipe(&server, LIMIT).await.unwrap_err();
        assert_eq!(
            runs.to_string(),
            "cannot remove the data of node-1: it is running"
        );
        assert!(stored.exists() && !deployment.was_wiped());
        let stopped = deployment.operate(&server, Operation::Stop, LIMIT).await;
        stopped.unwrap();
        deployment.wipe(&server, LIMIT).await.unwrap();
        assert!(!stored.exists() && deployment.was_wiped());
        let unknown = deployment.change_membership(leave(&"node-9".into()));
        assert_eq!(
            unknown.unwrap_err().to_string(),
            "no server node-9 in row-1"
        );
    });
}
