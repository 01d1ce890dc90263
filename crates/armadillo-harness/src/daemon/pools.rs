//! All pools: the lease queue, the budget and the life of deployments. Nothing outside the daemon decides any of this.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use armadillo_orchestrator::deployment::{Phase, ServerStatus};
use armadillo_orchestrator::process::Processes;
use armadillo_orchestrator::{Deployment, Local, Notice, Scope, Secret, StartRequest, Topology};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use super::Daemon;
use super::lease::Granted;
use super::log::EventLog;
use super::pool::{Held, Pool, PoolId, State, Waiting};
use super::repair;
use crate::event::{EventKind, StartReason};
use crate::needs::LeaseMode;
use crate::protocol::daemon::{Ask, Grant, Release, Released, Start, Want};

/// How long a deployment may take to be ready, before the factor.
const START_LIMIT: Duration = Duration::from_secs(120);

/// How long a deployment may take to stop, before the factor.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// How long the checks after a test may take together, before the factor.
const CHECK_LIMIT: Duration = Duration::from_secs(30);

/// The pools of a run.
pub(super) struct Pools {
    all: RefCell<BTreeMap<PoolId, Pool>>,
    /// Memory in MiB, handed out first come, first served.
    budget: Arc<Semaphore>,
    budget_mib: u32,
    host: Arc<Local>,
    notices: mpsc::UnboundedSender<(String, Notice)>,
    /// Tasks that start, repair and stop deployments; they end with the daemon.
    tasks: RefCell<JoinSet<()>>,
    /// Where the servers' directories go.
    servers: PathBuf,
    /// Where secrets go: never among the files of a run, which CI may upload.
    secrets: PathBuf,
}

/// Why a request on a lease is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum LeaseProblem {
    #[error("the lease {0} has ended")]
    Gone(String),
    #[error("the lease {0} is somebody else's")]
    NotYours(String),
}

impl Pools {
    pub(super) fn new(
        orders: &Start,
        processes: Processes,
        log: Rc<EventLog>,
        run_dir: &Path,
    ) -> Self {
        let (notices, incoming) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        tasks.spawn_local(write_notices(incoming, log));
        let budget_mib = u32::try_from(orders.memory_mib)
            .unwrap_or(u32::MAX)
            .min(Semaphore::MAX_PERMITS as u32);
        Self {
            all: RefCell::default(),
            budget: Arc::new(Semaphore::new(budget_mib as usize)),
            budget_mib,
            host: Arc::new(Local::new(processes)),
            notices,
            tasks: RefCell::new(tasks),
            servers: orders.directory.join("servers"),
            secrets: run_dir.join("secrets"),
        }
    }

    /// Looks at one pool.
    pub(super) fn with<T>(&self, id: PoolId, look: impl FnOnce(&mut Pool) -> T) -> Option<T> {
        self.all.borrow_mut().get_mut(&id).map(look)
    }

    /// Looks at all pools.
    pub(super) fn each(&self, mut look: impl FnMut(PoolId, &Pool)) {
        for (id, pool) in self.all.borrow().iter() {
            look(*id, pool);
        }
    }

    /// Runs `task` until it is done or the daemon ends.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let mut tasks = self.tasks.borrow_mut();
        tasks.spawn_local(task);
        while tasks.try_join_next().is_some() {}
    }

    /// Ends every task and every server at once: the runner is gone.
    pub(super) fn abandon(&self) {
        self.tasks.borrow_mut().abort_all();
        self.each(|_, pool| {
            if let Some(deployment) = pool.deployment() {
                deployment.kill_now();
            }
        });
    }

    /// The pool and the holder's deployment behind a lease and its token.
    pub(super) fn find(
        &self,
        lease: &str,
        token: &Secret,
    ) -> Result<(PoolId, Arc<Deployment>), LeaseProblem> {
        let gone = || LeaseProblem::Gone(lease.to_owned());
        let all = self.all.borrow();
        let (id, pool) = all
            .iter()
            .find(|(_, pool)| pool.leases.contains_key(lease))
            .ok_or_else(gone)?;
        let held = pool
            .leases
            .get(lease)
            .filter(|held| !held.ending)
            .ok_or_else(gone)?;
        if held.token != *token {
            return Err(LeaseProblem::NotYours(lease.to_owned()));
        }
        Ok((*id, pool.deployment().ok_or_else(gone)?))
    }

    fn add(&self, pool: Pool) -> PoolId {
        let mut all = self.all.borrow_mut();
        let id = all.last_key_value().map_or(0, |(last, _)| last + 1);
        all.insert(id, pool);
        id
    }

    fn shared_pool(&self, topology: &Topology) -> Option<PoolId> {
        let all = self.all.borrow();
        all.iter()
            .find(|(_, pool)| !pool.fresh && pool.topology == *topology)
            .map(|(id, _)| *id)
    }
}

/// The runner says how many leases on a topology are still to come: the deployment is started ahead of need, or let go.
pub(super) fn want(daemon: &Rc<Daemon>, want: Want) {
    let pools = &daemon.pools;
    let id = pools
        .shared_pool(&want.topology)
        .unwrap_or_else(|| pools.add(Pool::new(want.topology, false)));
    pools.with(id, |pool| pool.wanted = want.leases > 0);
    settle(daemon, id);
}

/// Queues a request for a lease.
pub(super) fn ask(daemon: &Rc<Daemon>, ask: Ask) -> oneshot::Receiver<Result<Granted, String>> {
    let pools = &daemon.pools;
    let (reply, receiver) = oneshot::channel();
    let waiting = Waiting {
        mode: ask.mode,
        test: ask.test,
        since: Instant::now(),
        reply,
    };
    let fresh = ask.mode == LeaseMode::Fresh;
    let known = if fresh {
        None
    } else {
        pools.shared_pool(&ask.topology)
    };
    let id = known.unwrap_or_else(|| pools.add(Pool::new(ask.topology, fresh)));
    pools.with(id, |pool| pool.queue.push_back(waiting));
    settle(daemon, id);
    receiver
}

/// Brings a pool to where its queue and its holders want it: started, granting, repaired, refused or stopped.
pub(super) fn settle(daemon: &Rc<Daemon>, id: PoolId) {
    grant_all(daemon, id);
    enum Next {
        Nothing,
        Start(StartReason),
        Repair(Arc<Deployment>),
        Stop(Arc<Deployment>),
    }
    let next = daemon.pools.with(id, |pool| {
        let needed = pool.wanted || !pool.queue.is_empty();
        match &pool.state {
            State::Failed(error) => {
                let error = error.clone();
                pool.refuse_all(&error);
                Next::Nothing
            }
            State::Absent if needed && !(pool.fresh && pool.starts > 0) => {
                pool.state = State::Starting;
                Next::Start(if pool.fresh {
                    StartReason::Fresh
                } else {
                    StartReason::First
                })
            }
            State::Ready(deployment) if pool.leases.is_empty() => {
                let deployment = deployment.clone();
                if pool.fresh && pool.queue.is_empty() || !needed {
                    pool.state = State::Stopping;
                    Next::Stop(deployment)
                } else if pool.suspect.is_some() {
                    pool.state = State::Repairing(deployment.clone());
                    Next::Repair(deployment)
                } else {
                    Next::Nothing
                }
            }
            _ => Next::Nothing,
        }
    });
    match next {
        Some(Next::Start(reason)) => daemon.pools.spawn(start(daemon.clone(), id, reason)),
        Some(Next::Repair(deployment)) => {
            daemon
                .pools
                .spawn(repair::repair(daemon.clone(), id, deployment))
        }
        Some(Next::Stop(deployment)) => daemon.pools.spawn(stop(daemon.clone(), id, deployment)),
        Some(Next::Nothing) | None => {}
    }
}

/// Grants everything that can be granted now.
fn grant_all(daemon: &Rc<Daemon>, id: PoolId) {
    notice_crashes(daemon, id);
    while let Some(Some((waiting, deployment))) = daemon.pools.with(id, Pool::take_grantable) {
        let lease = crate::random::hex::<4>();
        let token = Secret::new(crate::random::hex::<16>());
        let held = Held {
            token: token.clone(),
            mode: waiting.mode,
            test: waiting.test.clone(),
            ending: false,
            tenants: Default::default(),
            marks: deployment.log_marks(),
            crashes: deployment.crashes().len(),
        };
        daemon
            .pools
            .with(id, |pool| pool.admit(lease.clone(), held));
        daemon.log.emit(EventKind::LeaseGranted {
            lease: lease.clone(),
            test: waiting.test,
            deployment: deployment.view().deployment.clone(),
            mode: waiting.mode,
            waited_us: u64::try_from(waiting.since.elapsed().as_micros()).unwrap_or(u64::MAX),
        });
        let grant = Grant {
            lease,
            token,
            mode: waiting.mode,
            view: deployment.view().clone(),
            socket: daemon.socket.clone(),
        };
        let granted = Granted {
            grant: Some(Box::new(grant)),
            daemon: Rc::downgrade(daemon),
        };
        // If nobody takes it, dropping it gives it back.
        let _ = waiting.reply.send(Ok(granted));
    }
}

/// A server that ended by itself while nobody looked makes its deployment suspect.
fn notice_crashes(daemon: &Rc<Daemon>, id: PoolId) {
    daemon.pools.with(id, |pool| {
        let State::Ready(deployment) = &pool.state else {
            return;
        };
        let crashed = |status: &ServerStatus| status.phase == Phase::Crashed;
        if pool.suspect.is_none() && deployment.servers().values().any(crashed) {
            pool.suspect = Some("a server ended by itself".to_owned());
        }
    });
}

/// A lease ends: what the test left is looked for, then others may come.
pub(super) async fn release(
    daemon: &Rc<Daemon>,
    lease: &str,
    token: &Secret,
    release: Release,
) -> Result<Released, LeaseProblem> {
    let (id, deployment) = daemon.pools.find(lease, token)?;
    let before = daemon.pools.with(id, |pool| {
        let held = pool.leases.get_mut(lease)?;
        held.ending = true;
        pool.fixtures.lease_ended(lease);
        Some((held.crashes, held.marks.clone()))
    });
    let (crashes_before, marks) = before
        .flatten()
        .ok_or_else(|| LeaseProblem::Gone(lease.to_owned()))?;
    let mut suspect = release.suspect.clone();
    let leaks = look_for_leaks(daemon, &deployment, lease, &release, &mut suspect).await;
    let crashes: Vec<String> = deployment
        .crashes()
        .iter()
        .skip(crashes_before)
        .map(|crash| format!("{}: {}", crash.server, crash.text))
        .collect();
    if let Some(crash) = crashes.first() {
        suspect.get_or_insert_with(|| crash.clone());
    }
    let failed = release.failed || !leaks.is_empty() || !crashes.is_empty();
    let server_logs = if failed {
        deployment.logs_since(&marks)
    } else {
        BTreeMap::new()
    };
    let co_tenants = daemon.pools.with(id, |pool| {
        pool.failed_somebody |= failed;
        let held = pool.leases.remove(lease)?;
        if held.mode == LeaseMode::Exclusive {
            suspect.get_or_insert_with(|| "a test had it alone".to_owned());
        }
        pool.suspect = pool.suspect.take().or(suspect);
        Some(held.tenants.into_iter().collect::<Vec<_>>())
    });
    daemon.log.emit(EventKind::LeaseReleased {
        lease: lease.to_owned(),
        deployment: deployment.view().deployment.clone(),
    });
    settle(daemon, id);
    Ok(Released {
        leaks,
        crashes,
        co_tenants: co_tenants.flatten().unwrap_or_default(),
        server_logs,
    })
}

/// Purges what a test left that could not clean up itself, and asks the checkers whether something is still there.
async fn look_for_leaks(
    daemon: &Daemon,
    deployment: &Deployment,
    lease: &str,
    release: &Release,
    suspect: &mut Option<String>,
) -> Vec<String> {
    let limit = daemon.limit(CHECK_LIMIT);
    if !release.torn_down
        && let Err(error) = deployment.purge(lease, limit).await {
            *suspect = Some(format!("what a dead test left cannot be removed: {error}"));
        }
    let found = deployment.check(Scope::Lease, lease, limit).await;
    if found.is_empty() {
        return Vec::new();
    }
    if let Err(error) = deployment.purge(lease, limit).await {
        suspect.get_or_insert_with(|| format!("what a test left cannot be removed: {error}"));
    }
    // After a failure, what is left is a consequence of it, and the failure is what matters.
    if release.failed {
        Vec::new()
    } else {
        found
            .into_iter()
            .map(|(checker, what)| format!("{checker}: {what}"))
            .collect()
    }
}

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
    let (topology, number) = pools
        .with(id, |pool| {
            pool.starts += 1;
            pool.fixtures.clear();
            (pool.topology.clone(), pool.starts)
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
    let deployment = format!("{}-{}-{id}.{number}", topology.label(), daemon.orders.run);
    daemon.log.emit(EventKind::DeploymentStarting {
        deployment: deployment.clone(),
        topology: topology.clone(),
        reason,
    });
    let program = daemon
        .orders
        .programs
        .get(&topology.system)
        .ok_or_else(|| format!("the run has no program for `{}`", topology.system))?;
    let begun = Instant::now();
    let request = StartRequest {
        id: deployment.clone(),
        system,
        topology,
        settings: daemon.orders.settings.clone(),
        program: program.clone(),
        directory: pools.servers.join(&deployment),
        secrets: Some(pools.secrets.join(&deployment)),
        share: None,
        deadline: daemon.limit(START_LIMIT).into(),
    };
    match Deployment::start(pools.host.clone(), request, pools.notices.clone()).await {
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
async fn stop(daemon: Rc<Daemon>, id: PoolId, deployment: Arc<Deployment>) {
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
    let mut ids = Vec::new();
    daemon.pools.each(|id, _| ids.push(id));
    for id in ids {
        daemon.pools.with(id, |pool| {
            pool.wanted = false;
            pool.refuse_all("the run is over");
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

impl Daemon {
    /// A time limit with the run's factor.
    pub(super) fn limit(&self, limit: Duration) -> Duration {
        limit.mul_f64(self.orders.timeout_factor)
    }

    /// Waits for one of the pools' tasks to end; `None` if nothing but the writer of notices is left.
    async fn next_task_done(&self) -> Option<()> {
        std::future::poll_fn(|context| {
            let mut tasks = self.pools.tasks.borrow_mut();
            if tasks.len() <= 1 {
                return std::task::Poll::Ready(None);
            }
            tasks.poll_join_next(context).map(|done| done.map(drop))
        })
        .await
    }
}

/// Puts what deployments say into the event log.
async fn write_notices(mut incoming: mpsc::UnboundedReceiver<(String, Notice)>, log: Rc<EventLog>) {
    while let Some((deployment, notice)) = incoming.recv().await {
        match serde_json::to_value(&notice) {
            Ok(notice) => log.emit(EventKind::Deployment { deployment, notice }),
            Err(error) => tracing::error!(%error, "a notice cannot be written"),
        }
    }
}
