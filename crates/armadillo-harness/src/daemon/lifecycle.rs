//! The life of a deployment: started when the budget allows, stopped when nobody needs it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use armadillo_orchestrator::{Deployment, StartRequest};

use super::pool::{PoolId, State};
use super::pools::settle;
use super::{Daemon, look};
use crate::event::{EventKind, StartReason};
use crate::needs::LeaseMode;

/// How long a deployment may take to be ready, before the factor.
const START_LIMIT: Duration = Duration::from_secs(120);

/// How long a deployment may take to stop, before the factor.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// Starts the pool's deployment, when the budget allows.
pub(super) async fn start(daemon: Rc<Daemon>, id: PoolId, reason: StartReason) {
    let started = start_deployment(&daemon, id, reason).await;
    daemon.pools.with(id, |pool| match started {
        Ok(deployment) => pool.state = State::Ready(deployment),
        Err(error) => {
            pool.budget = None;
            pool.state = State::Failed(error);
        }
    });
    settle(&daemon, id);
}

async fn start_deployment(
    daemon: &Rc<Daemon>,
    id: PoolId,
    reason: StartReason,
) -> Result<Arc<Deployment>, String> {
    let pools = &daemon.pools;
    let (topology, number, unstarted) = pools
        .with(id, |pool| {
            pool.starts += 1;
            pool.fixtures.clear();
            pool.own_policies = None;
            pool.unseen.clear();
            let next = pool.queue.front().map(|waiting| waiting.mode);
            let unstarted = next == Some(LeaseMode::Unstarted);
            (pool.topology.clone(), pool.starts, unstarted)
        })
        .ok_or("the pool is gone")?;
    let system = armadillo_orchestrator::system(&topology.system)
        .ok_or_else(|| format!("this executable has no system named `{}`", topology.system))?;
    take_budget(
        daemon,
        id,
        system
            .plan(&topology)
            .iter()
            .map(|server| server.cost.memory_mib)
            .sum(),
    )
    .await?;
    // Letters and digits behind the last dash: what fixtures kept for a deployment name their things with.
    let deployment = format!("{}-{}d{id}s{number}", topology.label(), daemon.orders.run);
    daemon.log.emit(EventKind::DeploymentStarting {
        deployment: deployment.clone(),
        topology: topology.clone(),
        reason,
    });
    let begun = Instant::now();
    let request = StartRequest {
        id: deployment.clone(),
        system,
        topology,
        settings: daemon.orders.settings.clone(),
        programs: daemon.orders.programs.clone(),
        directory: pools.servers.join(&deployment),
        secrets: Some(pools.secrets.join(&deployment)),
        share: None,
        deadline: daemon.limit(START_LIMIT).into(),
    };
    let (host, notices) = (pools.host.clone(), pools.notices.clone());
    let made = if unstarted {
        Deployment::place(host, request, notices).await
    } else {
        Deployment::start(host, request, notices).await
    };
    match made {
        Ok(ready) => {
            let took_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            daemon.log.emit(EventKind::DeploymentReady {
                deployment,
                took_us,
            });
            Ok(ready)
        }
        Err(error) => {
            let error = error.to_string();
            daemon.log.emit(EventKind::DeploymentFailed {
                deployment,
                error: error.clone(),
            });
            Err(error)
        }
    }
}

/// Takes the pool's part of the memory, once; a recycled deployment keeps it.
async fn take_budget(daemon: &Daemon, id: PoolId, mib: u32) -> Result<(), String> {
    let pools = &daemon.pools;
    if pools
        .with(id, |pool| pool.budget.is_some())
        .unwrap_or(false)
    {
        return Ok(());
    }
    if mib > pools.budget_mib {
        return Err(format!(
            "it needs {mib} MiB of memory, and deployments may use {} MiB together; --memory raises that",
            pools.budget_mib
        ));
    }
    let permit = pools
        .budget
        .clone()
        .acquire_many_owned(mib)
        .await
        .map_err(|error| error.to_string())?;
    pools.with(id, |pool| pool.budget = Some(permit));
    Ok(())
}

/// Stops a deployment that nobody needs any more.
pub(super) async fn stop(daemon: Rc<Daemon>, id: PoolId, deployment: Arc<Deployment>) {
    look::last(&daemon, id, &deployment).await;
    let complaints = end_deployment(&daemon, id, &deployment).await;
    daemon.log.emit(EventKind::DeploymentStopped {
        deployment: deployment.view().deployment.clone(),
        complaints,
    });
    daemon.pools.with(id, |pool| {
        pool.state = State::Absent;
        pool.budget = None;
    });
    settle(&daemon, id);
}

/// Stops the servers, removes the data unless somebody failed on it, and says what was not as it should be.
pub(super) async fn end_deployment(
    daemon: &Daemon,
    id: PoolId,
    deployment: &Deployment,
) -> Vec<String> {
    let mut complaints = deployment.stop(daemon.limit(STOP_LIMIT)).await.complaints();
    let keep = daemon
        .pools
        .with(id, |pool| pool.failed_somebody)
        .unwrap_or(false);
    if !keep && let Err(error) = deployment.remove_data() {
        complaints.push(format!("its data cannot be removed: {error}"));
    }
    complaints
}

/// Stops everything, for the end of a run; returns when every deployment is gone.
pub(super) async fn stop_all(daemon: &Rc<Daemon>) {
    daemon.pools.ending.set(true);
    let mut ids = Vec::new();
    daemon.pools.each(|id, _| ids.push(id));
    for id in ids {
        daemon.pools.with(id, |pool| {
            pool.wanted = false;
            pool.refuse_all("the run is over");
            if pool.suspect.is_some() || !pool.leases.is_empty() {
                // What would be found has been said already, or belongs to tests that were cut off.
                pool.unseen.clear();
            }
            pool.leases.clear();
            // Whatever it was suspected of, it is not needed any more.
            pool.suspect = None;
        });
        settle(daemon, id);
    }
    while let Some(()) = daemon.next_task_done().await {
        let mut busy = false;
        daemon
            .pools
            .each(|_, pool| busy |= !matches!(pool.state, State::Absent | State::Failed(_)));
        if !busy {
            return;
        }
    }
}
