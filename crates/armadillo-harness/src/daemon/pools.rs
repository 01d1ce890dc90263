//! All pools: the lease queue, the budget and the life of deployments. Nothing outside the daemon decides any of this.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use armadillo_orchestrator::deployment::{Phase, ServerStatus};
use armadillo_orchestrator::process::Processes;
use armadillo_orchestrator::{Deployment, Local, Notice, Secret, Topology};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use super::Daemon;
use super::lease::Granted;
use super::log::EventLog;
use super::pool::{Held, Pool, PoolId, State, Waiting};
use super::{lifecycle, repair};
use crate::event::{EventKind, StartReason, Use};
use crate::protocol::daemon::{Ask, Grant, Start, Want};

/// The pools of a run.
pub(super) struct Pools {
    all: RefCell<BTreeMap<PoolId, Pool>>,
    /// Memory in MiB, handed out first come, first served.
    pub(super) budget: Arc<Semaphore>,
    pub(super) budget_mib: u32,
    pub(super) host: Arc<Local>,
    pub(super) notices: mpsc::UnboundedSender<(String, Notice)>,
    /// A fixture kept for a deployment was settled, or its claim has lapsed.
    pub(super) fixtures_changed: Notify,
    /// Everything is being stopped.
    pub(super) ending: Cell<bool>,
    /// Tasks that start, repair and stop deployments; they end with the daemon.
    tasks: RefCell<JoinSet<()>>,
    /// Where the servers' directories go.
    pub(super) servers: PathBuf,
    /// Where secrets go: never among the files of a run, which CI may upload.
    pub(super) secrets: PathBuf,
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
            fixtures_changed: Notify::new(),
            ending: Cell::new(false),
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
    let fresh = ask.mode.is_fresh();
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
    let keep_failed = daemon.orders.keep_on_failure && !daemon.pools.ending.get();
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
                    if keep_failed && pool.failed_somebody {
                        return Next::Nothing;
                    }
                    pool.state = State::Stopping;
                    Next::Stop(deployment)
                } else if pool.suspect.is_some() || pool.wants_a_look() {
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
        Some(Next::Start(reason)) => {
            daemon
                .pools
                .spawn(lifecycle::start(daemon.clone(), id, reason))
        }
        Some(Next::Repair(deployment)) => {
            daemon
                .pools
                .spawn(repair::repair(daemon.clone(), id, deployment))
        }
        Some(Next::Stop(deployment)) => {
            daemon
                .pools
                .spawn(lifecycle::stop(daemon.clone(), id, deployment))
        }
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
            on: vec![Use {
                deployment: deployment.view().deployment.clone(),
                mode: waiting.mode,
            }],
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

impl Daemon {
    /// A time limit with the run's factor.
    pub(super) fn limit(&self, limit: Duration) -> Duration {
        limit.mul_f64(self.orders.timeout_factor)
    }

    /// Waits for one of the pools' tasks to end; `None` if nothing but the writer of notices is left.
    pub(super) async fn next_task_done(&self) -> Option<()> {
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
        log.emit(EventKind::Deployment { deployment, notice });
    }
}
