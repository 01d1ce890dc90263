//! What the holder of a lease may ask: the beginning and the end of its test, and what concerns its deployments meanwhile.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use armadillo_orchestrator::{Deadline, Deployment, LeadershipLog, Secret, Statistics};
use tokio::sync::oneshot;

use super::Daemon;
use super::drive::{self, feed};
use super::grants::LeaseProblem;
use crate::leases::{DeploymentNo, Ended, Input, LeaseNo, Retry};
use crate::needs::LeaseMode;
use crate::protocol::daemon::{
    Begin, Claim, Claimed, Collect, Collected, HealthAfter, Leaders, Operate, Release, Released,
    Settle, VersionedHealth,
};
use crate::protocol::statistics::ReadStatistics;

/// A deployment under a lease.
pub(super) struct Used {
    pub(super) no: DeploymentNo,
    pub(super) mode: LeaseMode,
    pub(super) deployment: Arc<Deployment>,
}

/// The deployment of this name, if the lease is for it and its test has not ended.
pub(super) fn find(
    daemon: &Daemon,
    name: &str,
    token: &Secret,
    deployment: &str,
) -> Result<Used, LeaseProblem> {
    let lease = daemon.grants.find(name, token)?;
    let core = daemon.core.borrow();
    let on = core.uses(lease).unwrap_or_default().iter();
    let mut named = on.filter(|(no, _)| daemon.deployments.name(*no) == deployment);
    let elsewhere = || LeaseProblem::Elsewhere {
        lease: name.to_owned(),
        deployment: deployment.to_owned(),
    };
    let (no, mode) = *named.next().ok_or_else(elsewhere)?;
    let deployment = daemon.deployments.deployment(no);
    Ok(Used {
        no,
        mode,
        deployment: deployment.ok_or_else(|| LeaseProblem::Gone(name.to_owned()))?,
    })
}

/// The client has prepared what it had to: the answer says whether the test may begin.
pub(super) async fn begin(
    daemon: &Rc<Daemon>,
    name: &str,
    token: &Secret,
) -> Result<Begin, LeaseProblem> {
    let lease = daemon.grants.find(name, token)?;
    let on = daemon.core.borrow().uses(lease).map(<[_]>::to_vec);
    let told = daemon.grants.await_beginning(lease);
    drive::begin(daemon, lease, &on.unwrap_or_default());
    Ok(Begin {
        go: told.await.unwrap_or(false),
    })
}

/// A test has ended: the answer comes when its deployments have been looked at.
pub(super) async fn release(
    daemon: &Rc<Daemon>,
    name: &str,
    token: &Secret,
    release: Release,
) -> Result<Released, LeaseProblem> {
    let lease = daemon.grants.find(name, token)?;
    let keeps = release.keeps.iter();
    let how = Ended {
        began: Some(release.began_us),
        failed: release.failed,
        suspect: release.suspect.clone(),
        keeps: keeps
            .filter_map(|name| daemon.deployments.number(name))
            .collect(),
        retry: release.retry.clone().map(|retry| Retry {
            ticket: retry.ticket,
            modes: retry.modes,
        }),
    };
    end_claims(daemon, lease, name);
    let released = daemon.grants.release(lease, release);
    feed(daemon, Input::Released { lease, how });
    released
        .await
        .map_err(|_| LeaseProblem::Gone(name.to_owned()))
}

/// What a test has claimed and not settled is free again.
fn end_claims(daemon: &Daemon, lease: LeaseNo, name: &str) {
    for (no, _) in daemon.core.borrow().uses(lease).unwrap_or_default() {
        daemon
            .deployments
            .fixtures(*no, |fixtures| fixtures.lease_ended(name));
    }
    daemon.changed.notify_waiters();
}

/// What was begun is done, whoever waits for it: a restart that nobody wanted to wait for any more must not leave the server
/// down.
pub(super) async fn operate(daemon: &Daemon, used: &Used, request: Operate) -> Result<(), String> {
    let deadline = Deadline::after(Duration::from_millis(request.limit_ms));
    let deployment = used.deployment.clone();
    let (done, outcome) = oneshot::channel();
    daemon.spawn(async move {
        let operated = deployment.operate(&request.server, request.operation, deadline);
        let operated = operated.await.map(drop).map_err(|error| error.to_string());
        // Who asked may have gone away.
        let _ = done.send(operated);
    });
    outcome
        .await
        .unwrap_or_else(|_| Err("the daemon is shutting down".to_owned()))
}

pub(super) async fn health(used: &Used, request: &HealthAfter) -> VersionedHealth {
    let deadline = Deadline::after(Duration::from_millis(request.limit_ms));
    let (version, health) = used
        .deployment
        .wait_for_health(request.after, deadline)
        .await;
    VersionedHealth { version, health }
}

/// The look is for what happened just now.
pub(super) async fn leaders(used: &Used, request: &Leaders) -> LeadershipLog {
    let limit = Duration::from_millis(request.limit_ms);
    used.deployment.health(limit).await;
    used.deployment.leadership_log()
}

pub(super) async fn statistics(used: &Used, request: &ReadStatistics) -> Statistics {
    let limit = Duration::from_millis(request.limit_ms);
    used.deployment.statistics(limit).await
}

pub(super) async fn evidence(used: &Used, request: &Collect) -> Collected {
    let deadline = Deadline::after(Duration::from_millis(request.limit_ms));
    let evidence = used.deployment.evidence(&request.directory, deadline).await;
    let saved = evidence.saved.iter();
    Collected {
        files: saved.map(|file| file.display().to_string()).collect(),
        missing: evidence.failed,
    }
}

/// Waits while another test sets the fixture up; the wait ends with the connection, or when that test ends.
pub(super) async fn claim(
    daemon: &Daemon,
    name: &str,
    token: &Secret,
    used: &Used,
    request: &Claim,
) -> Result<Claimed, LeaseProblem> {
    loop {
        // Before the look, so that nothing that happens after it is missed.
        let mut changed = std::pin::pin!(daemon.changed.notified());
        changed.as_mut().enable();
        daemon.grants.find(name, token)?;
        let claimed = daemon
            .deployments
            .fixtures(used.no, |fixtures| fixtures.claim(&request.fixture, name));
        match claimed.flatten() {
            Some(claimed) => return Ok(claimed),
            None => changed.await,
        }
    }
}

pub(super) fn settle(
    daemon: &Daemon,
    name: &str,
    used: &Used,
    request: Settle,
) -> Result<(), String> {
    let settled = daemon.deployments.fixtures(used.no, |fixtures| {
        fixtures.settle(&request.fixture, name, request.outcome)
    });
    daemon.changed.notify_waiters();
    match settled {
        Some(true) => Ok(()),
        _ => Err(format!(
            "`{}` was not claimed under this lease",
            request.fixture
        )),
    }
}
