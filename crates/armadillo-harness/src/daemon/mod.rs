//! The daemon: the process that owns deployments and hands out leases.
//!
//! It runs on one thread, because the parent-death signal of what it starts follows the thread that started it. It lives
//! as long as its [lifeline](crate::protocol::start::Lifeline): when that ends, the pipe to its runner as a rule, it ends every
//! process below it and itself. It is the only writer of `events.jsonl`.

mod api;
mod budget;
mod clients;
mod connections;
mod deployments;
mod doctor;
mod drive;
mod ending;
mod examine;
mod exits;
mod fixtures;
mod grants;
mod holders;
mod inspect;
mod lifecycle;
mod lifeline;
mod links;
mod log;
mod machine;
mod membership;
mod operations;
mod repair;
pub(crate) mod reports;
mod sanitizers;
mod server_log;
mod workers;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use armadillo_orchestrator::cores::Cores;
use armadillo_orchestrator::duration::times;
use armadillo_orchestrator::process::{Cgroup, Ledger, Processes};
use armadillo_orchestrator::recording::Recorder;
use armadillo_orchestrator::run_dir::{self, RunDir};
use armadillo_orchestrator::{Deployment, Local, Notice};
use tokio::net::UnixListener;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use crate::dispatch::run_directory;
use crate::event::EventKind;
use crate::exit_code::Exit;
use crate::leases::{ClientNo, Leases};
use crate::protocol::daemon::Conditions;
use crate::protocol::start::{Lifeline, Start, Started};
use crate::resources::Resources;
use budget::Budget;
use deployments::Deployments;
use drive::Step;
use grants::Grants;
use log::EventLog;
pub(crate) use log::FILE as EVENTS_FILE;
use workers::Workers;

/// The applet's name.
pub(crate) const APPLET: &str = "daemon";

/// How long the end of all that is left may take.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// Why the daemon cannot do its part.
#[derive(Debug, thiserror::Error)]
enum DaemonError {
    #[error("no configuration received: {0}")]
    Orders(String),
    #[error("the runner speaks protocol version {theirs}, but the daemon speaks {ours}")]
    Version { theirs: u32, ours: u32 },
    #[error("cannot {action}: {source}")]
    Os {
        action: &'static str,
        source: std::io::Error,
    },
    #[error(transparent)]
    RunDir(#[from] run_dir::RunDirError),
    #[error(transparent)]
    Install(#[from] armadillo_orchestrator::process::InstallError),
}

fn os(action: &'static str) -> impl Fn(std::io::Error) -> DaemonError {
    move |source| DaemonError::Os { action, source }
}

/// The main function of the applet; its one argument is the common directory of the private directories of runs.
pub(crate) fn main(args: &[OsString]) -> ExitCode {
    if let Some(base) = args.first() {
        run_dir::settle_in(Path::new(base));
    }
    crate::process_name::set("arma:daemon");
    abort_on_panic();
    let _tracing = tracing::subscriber::set_default(crate::log::Log::to_stderr());
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("armadillo daemon: {error}");
            Exit::Harness.into()
        }
    }
}

/// A task that panics would leave the others waiting for it; the warden cleans up after the whole instead.
fn abort_on_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        print(panic);
        std::process::abort();
    }));
}

fn run() -> Result<(), DaemonError> {
    let orders = lifeline::read_orders()?;
    if orders.version != crate::protocol::VERSION {
        return Err(DaemonError::Version {
            theirs: orders.version,
            ours: crate::protocol::VERSION,
        });
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(os("make a runtime"))?;
    tokio::task::LocalSet::new().block_on(&runtime, serve(orders))
}

/// What the parts of the daemon share.
pub(crate) struct Daemon {
    orders: Start,
    socket: PathBuf,
    log: Rc<EventLog>,
    workers: Workers,
    /// Decides about deployments and leases. Only [`drive`] feeds it.
    core: RefCell<Leases>,
    inbox: RefCell<VecDeque<Step>>,
    /// The memory that it shares with other runs.
    budget: Budget,
    feeding: Cell<bool>,
    deployments: Deployments,
    grants: Grants,
    /// What `--doctor` looks at.
    doctor: doctor::Checks,
    /// Numbers of clients.
    clients: Cell<u64>,
    /// Those that are there.
    present: RefCell<BTreeSet<ClientNo>>,
    /// How long it stays up when nobody is there, if it lives as long as nothing else.
    stays: Cell<Duration>,
    /// Somebody has said that it is to end.
    told_to_end: Cell<bool>,
    /// What servers are started with, by the number the core knows it by: the orders' first.
    conditions: RefCell<Vec<Rc<Conditions>>>,
    /// The core was fed, a fixture kept for a deployment was settled, or its claim has lapsed.
    changed: Notify,
    host: Arc<Local>,
    notices: mpsc::UnboundedSender<(String, Notice)>,
    /// Tasks that start, watch, repair and stop deployments; they end with the daemon.
    tasks: RefCell<JoinSet<()>>,
    /// Where the servers' directories go.
    servers: PathBuf,
    /// Where secrets go: never among the files of a run, which CI may upload.
    secrets: PathBuf,
}

impl Daemon {
    fn new(
        orders: Start,
        run_dir: &RunDir,
        socket: PathBuf,
        processes: Processes,
        log: Rc<EventLog>,
    ) -> Self {
        let (notices, incoming) = mpsc::unbounded_channel();
        let budget = Budget::new(&orders, run_dir);
        let has = Resources::with_memory(budget.total_mib().unwrap_or(orders.memory_mib));
        let core = Leases::new(has, orders.keep_on_failure).lingering(orders.is_shared());
        let core = match budget.total_mib() {
            Some(total) => core.sharing(total),
            None => core,
        };
        let mut tasks = JoinSet::new();
        tasks.spawn_local(write_notices(incoming, log.clone()));
        Self {
            core: RefCell::new(core),
            budget,
            inbox: RefCell::default(),
            feeding: Cell::new(false),
            deployments: Deployments::default(),
            grants: Grants::default(),
            doctor: doctor::Checks::default(),
            clients: Cell::new(0),
            present: RefCell::default(),
            stays: Cell::new(match orders.lifeline {
                Lifeline::Idle { limit_ms } => Duration::from_millis(limit_ms),
                Lifeline::Runner | Lifeline::Process { .. } => Duration::MAX,
            }),
            told_to_end: Cell::new(false),
            conditions: RefCell::new(vec![Rc::new(Conditions {
                settings: orders.settings.clone(),
                programs: orders.programs.clone(),
                contents: BTreeMap::new(),
                builds: BTreeMap::new(),
            })]),
            changed: Notify::new(),
            host: Arc::new(
                Local::new(processes.clone())
                    .with_cores(Cores::new(orders.cores))
                    .with_recorder(Recorder::of(&orders.record))
                    .with_timeout_factor(orders.timeout_factor),
            ),
            notices,
            tasks: RefCell::new(tasks),
            servers: orders.directory.join("servers"),
            secrets: run_dir.path().join("secrets"),
            workers: Workers::new(processes, &orders),
            socket,
            log,
            orders,
        }
    }

    /// The number of these conditions.
    fn conditions_no(&self, conditions: Conditions) -> usize {
        let mut all = self.conditions.borrow_mut();
        let known = all.iter().position(|known| **known == conditions);
        known.unwrap_or_else(|| {
            all.push(Rc::new(conditions));
            all.len() - 1
        })
    }

    /// The conditions of this number.
    fn conditions(&self, no: usize) -> Rc<Conditions> {
        let all = self.conditions.borrow();
        all.get(no).unwrap_or(&all[0]).clone()
    }

    /// A time limit with the run's factor.
    fn limit(&self, limit: Duration) -> Duration {
        times(limit, self.orders.timeout_factor)
    }

    /// Runs `task` until it is done or the daemon ends.
    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let mut tasks = self.tasks.borrow_mut();
        tasks.spawn_local(task);
        while tasks.try_join_next().is_some() {}
    }

    /// Ends every task and every server at once: the runner is gone. Servers that somebody else started go on, so what tests
    /// have made there is removed.
    async fn abandon(&self) {
        self.tasks.borrow_mut().abort_all();
        self.workers.kill_now();
        self.deployments.kill_now();
        self.doctor.kill_now();
        lifecycle::take_back_all(self).await;
    }
}

/// Puts what deployments say into the event log.
async fn write_notices(mut incoming: mpsc::UnboundedReceiver<(String, Notice)>, log: Rc<EventLog>) {
    while let Some((deployment, notice)) = incoming.recv().await {
        if let Notice::LogCut {
            server,
            head_mib,
            tail_mib,
        } = &notice
        {
            let text = format!(
                "{server} of {deployment} logs a lot: only the first {head_mib} MiB and the last {tail_mib} MiB of its log are kept"
            );
            log.emit(EventKind::Warning { text });
        }
        log.emit(EventKind::Deployment { deployment, notice });
    }
}

async fn serve(orders: Start) -> Result<(), DaemonError> {
    let swept = run_dir::sweep()?;
    let group = orders.group.clone();
    let run_dir = RunDir::create_for(&orders.run)?;
    let cgroup = orders.cgroup.then(|| cgroup(&run_dir)).flatten();
    let served = serve_in(orders, &run_dir, &swept, cgroup.is_some()).await;
    // Also when it could not even begin: the runner may have been killed before it was greeted.
    let killed = armadillo_orchestrator::process::tree::kill_descendants(
        std::process::id(),
        &[],
        KILL_LIMIT,
    );
    tracing::info!(?killed, "this daemon ends");
    let served = served.map(|left| {
        for deployment in left {
            if let Err(error) = deployment.remove_data() {
                tracing::warn!(%error, "cannot remove the data of {}", deployment.id());
            }
        }
    });
    if let Some(cgroup) = cgroup
        && let Err(error) = cgroup.leave_and_end(KILL_LIMIT)
    {
        tracing::warn!(%error, "cannot kill the run's control group");
    }
    run_dir.remove().map_err(os("remove the run directory"))?;
    if let Some(group) = group
        && let Err(error) = reports::write(&group, None)
    {
        tracing::warn!(%error, "cannot write the reports of the whole run");
    }
    served
}

/// The run's control group, with this process in it, where there can be one.
fn cgroup(run_dir: &RunDir) -> Option<Cgroup> {
    let place = Cgroup::place(run_dir.id())?;
    // First on paper: should this process be killed in between, a sweep finds it.
    run_dir.note_cgroup(&place).ok()?;
    let entered = Cgroup::enter(&place);
    entered
        .inspect_err(|error| tracing::debug!(%error, place = %place.display(), "no control group"))
        .ok()
}

/// Greets the runner and answers requests for as long as it lives. Returns the deployments whose data is to be removed when their
/// servers are gone.
async fn serve_in(
    orders: Start,
    run_dir: &RunDir,
    swept: &[run_dir::Swept],
    has_cgroup: bool,
) -> Result<Vec<Arc<Deployment>>, DaemonError> {
    // Other runs take a directory that nobody holds for that of a run that has ended; those who share the daemon come and go.
    let held = orders.group.as_ref().unwrap_or(&orders.directory);
    let held = orders.is_shared().then(|| run_directory::lock(held));
    let mut held = held
        .transpose()
        .map_err(os("lock the directory of the run"))?;
    let ledger = Ledger::open(&run_dir.ledger()).map_err(os("open the ledger"))?;
    let processes = Processes::install(run_dir.id(), ledger)?;
    let socket = run_dir.path().join("daemon.sock");
    let listener = UnixListener::bind(&socket).map_err(os("open the socket"))?;
    let log = Rc::new(EventLog::create(&orders).map_err(os("create events.jsonl"))?);
    let started = Started {
        pid: std::process::id(),
        socket: socket.clone(),
        run_dir: run_dir.path().to_owned(),
        protections: protections(has_cgroup),
        swept: swept.iter().map(describe).collect(),
    };
    greet(&started).map_err(os("greet the runner"))?;
    if orders.is_shared() {
        log.emit(EventKind::DaemonStarted {
            pid: std::process::id(),
            clock: orders.origin,
        });
    }
    let daemon = Rc::new(Daemon::new(orders, run_dir, socket, processes, log));
    daemon.spawn(budget::watch(daemon.clone()));
    if let Some(every) = daemon.orders.sample_every_ms {
        let every = Duration::from_millis(every);
        daemon.spawn(machine::watch(daemon.clone(), every));
    }
    tokio::select! {
        ended = lifeline::ended(&daemon) => ended.map_err(os("watch the runner"))?,
        never = api::serve(&daemon, listener) => match never {},
    }
    let mut left = Vec::new();
    if daemon.orders.is_shared() {
        left = ending::stop(&daemon).await;
        if daemon.orders.group.is_none() {
            ending::note(held.as_mut());
        }
    }
    daemon.abandon().await;
    Ok(left)
}

/// What was found of an earlier run, in words.
fn describe(swept: &run_dir::Swept) -> String {
    let killed: Vec<String> = swept
        .killed
        .iter()
        .map(|(pid, name)| format!("{name} (pid {pid})"))
        .collect();
    let killed = if killed.is_empty() {
        "no process".to_owned()
    } else {
        killed.join(", ")
    };
    let problem = swept
        .problem
        .as_ref()
        .map(|problem| format!("; {problem}"))
        .unwrap_or_default();
    format!("run {}: {killed}{problem}", swept.id)
}

/// Tells the runner that the daemon is there, and lets go of the pipe's standard name, so that nothing printed by mistake
/// follows. The runner sees the daemon's end by this pipe, so it stays open under another number.
fn greet(started: &Started) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(started)?;
    line.push(b'\n');
    let mut stdout = std::io::stdout();
    stdout.write_all(&line)?;
    stdout.flush()?;
    let kept = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
    rustix::stdio::dup2_stdout(std::fs::File::options().write(true).open("/dev/null")?)?;
    // Never closed: its end is this process's end.
    std::mem::forget(kept);
    Ok(())
}

/// The protections against orphans that hold here, for the header of the run.
fn protections(has_cgroup: bool) -> Vec<String> {
    let linux = cfg!(target_os = "linux");
    let layers = [
        (true, "lifeline pipe"),
        (linux, "subreaper"),
        (linux, "warden"),
        (linux, "parent-death signal"),
        (has_cgroup, "control group"),
        (true, "ledger"),
        (linux, "inherited mark"),
    ];
    layers
        .into_iter()
        .filter(|(active, _)| *active)
        .map(|(_, name)| name.to_owned())
        .collect()
}
