//! A run: the slots, and everything that can end them.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use armadillo_orchestrator::duration::times;
use tokio::io::AsyncReadExt;
use tokio::net::UnixListener;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{JoinSet, LocalSet};

use super::RunnerError;
use super::cancel::Cancel;
use super::context::{Context, Tally};
use super::daemon_process::{DaemonProcess, log_tail};
use super::executor::{Executors, InProcess};
use super::interrupts::Interrupts;
use super::journal::Journal;
use super::keep;
use super::listener::Listener;
use super::places::Places;
use super::prepare::Run;
use super::queue::Queue;
use super::slot;
use super::trials::{self, TrialRequest};
use crate::client::{AskError, DaemonClient, WITHOUT_LIMIT};
use crate::event::{Event, EventKind};
use crate::exit_code::Exit;
use crate::options::{Isolation, Options};
use crate::outcome::FailureKind;

/// How long deployments may take to stop at the end of a run, before the factor.
const STOP_LIMIT: Duration = Duration::from_secs(300);

/// How long a last request to the daemon may take.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What became of a daemon that is gone.
const EXITED: &str = "it exited";

/// Why the run is over.
enum Over {
    /// Everything ran.
    Done,
    /// Ctrl-C or SIGTERM.
    Interrupted(&'static str),
    /// `--run-timeout`.
    Deadline(Duration),
    /// The daemon, or the way to it, is gone.
    DaemonGone(String),
    /// Somebody removed one of the run's directories.
    Removed(PathBuf),
}

/// Who decides which test runs when.
pub(super) enum Work {
    /// The slots of this run take one test after the other.
    Slots,
    /// Somebody else does, and asks for each: libtest-mimic.
    Requests(UnboundedReceiver<TrialRequest>),
}

/// What a run came to.
pub(super) struct Ran {
    pub(super) exit: Exit,
    /// Still to be heeded while the reports are written.
    pub(super) interrupts: Interrupts,
}

/// Runs the plan; the exit code counts failed tests.
pub(super) fn run(mut run: Run, work: Work) -> Result<Ran, RunnerError> {
    let os = |action| move |source| RunnerError::Os { action, source };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(os("make a runtime"))?;
    let local = LocalSet::new();
    let journal = run.journal.clone();
    let daemon = run.daemon.take();
    let client = daemon
        .as_ref()
        .map(|daemon| DaemonClient::new(&daemon.started.socket));
    let follower = client.as_ref().map(|client| Follower {
        client,
        journal: &journal,
        seen: Cell::new(0),
    });
    let conducted = local.block_on(
        &runtime,
        conduct(&mut run, daemon.as_ref(), follower.as_ref(), work),
    );
    let (mut over, tally) = conducted.map_err(os("run the tests"))?;
    let gone = matches!(over, Over::DaemonGone(_));
    if let Over::Removed(path) = &over {
        journal.warn(format!(
            "{} was removed during the run, so the run stops: its content is lost, and failures of the tests that were running \
             are not meaningful",
            path.display()
        ));
    }
    if let Over::DaemonGone(why) = &over {
        journal.warn(format!(
            "the daemon exited unexpectedly: {why}{}",
            log_tail(&run.directory.join("daemon.log"))
        ));
    }
    if let Some(follower) = &follower
        && matches!(over, Over::Done | Over::Deadline(_))
        && let Err(how) = runtime.block_on(end(&mut run, follower))
    {
        over = Over::Interrupted(how);
    }
    let exit = exit_of(&over, &tally).and(run.exit);
    let early = early(&run, &over, &tally);
    journal.emit(EventKind::RunFinished {
        exit_code: exit.code(),
        ended_early: early,
    });
    match &follower {
        // The log's last line; if the daemon does not take it any more, the reports have it all the same.
        Some(follower) if !gone => {
            let flushed = async { journal.flush(follower.client).await };
            let flushed = async { tokio::time::timeout(LAST_WORDS, flushed).await };
            _ = runtime.block_on(flushed);
        }
        Some(_) => {}
        None => write_log(&run.directory, &journal),
    }
    // What is left of slots and asks ends here, before the daemon does. A thread that was left behind is not waited for.
    drop(local);
    runtime.shutdown_background();
    let goes_on = daemon.as_ref().map(DaemonProcess::warden);
    run.children.end_of_tests(run.isolation, goes_on);
    match daemon {
        Some(daemon) if exit == Exit::Interrupted => daemon.hand_over(),
        Some(daemon) => daemon.end(&run.children),
        // Where the daemon would have made it.
        None => _ = std::fs::remove_dir_all(run.directory.join(TEMPORARY)),
    }
    Ok(Ran {
        exit,
        interrupts: run.interrupts,
    })
}

/// Where temporary directories go in a run without a daemon.
const TEMPORARY: &str = "temporary";

/// Runs slots until all is done or something ends the run.
async fn conduct(
    run: &mut Run,
    daemon: Option<&DaemonProcess>,
    follower: Option<&Follower<'_>>,
    work: Work,
) -> std::io::Result<(Over, Tally)> {
    let client = follower.map(|follower| follower.client.clone());
    let temporary = match daemon {
        Some(daemon) => daemon.started.run_dir.clone(),
        None => run.directory.join(TEMPORARY),
    };
    let private = daemon.map(|daemon| &*daemon.started.run_dir);
    let places: Vec<&Path> = [&*run.directory].into_iter().chain(private).collect();
    let places = Places::of(&places);
    let (executors, listening) = executors(run, client.as_ref(), &temporary)?;
    let queue = Rc::new(Queue::new(run.plan.clone(), run.slots, client.clone()));
    let context = Rc::new(Context {
        plan: run.plan.clone(),
        executors,
        queue: queue.clone(),
        daemon: client.clone(),
        journal: run.journal.clone(),
        isolation: run.isolation,
        seed: run.seed,
        rounds: run.options.running.rounds,
        checkers: run.options.checkers.clone(),
        factor: run.options.running.timeout_factor,
        if_inconclusive: run.options.running.if_inconclusive,
        limits: run.limits,
        keeps: run.options.running.keep_on_failure,
        slow_timeout: run.options.running.slow_timeout,
        show_output: run.options.showing.show_output,
        max_fail: run.options.running.max_fail,
        directory: run.directory.clone(),
        temporary,
        places,
        tally: RefCell::default(),
        cancel: Cancel::new(),
    });
    let slots = run.slots;
    let mut work = pin!(async {
        match work {
            Work::Slots => self::work(&context, slots).await,
            Work::Requests(requests) => trials::serve(&context, requests).await,
        }
    });
    let over = tokio::select! {
        biased;
        done = &mut work => match done {
            Ok(()) => Over::Done,
            Err(why) => Over::DaemonGone(why),
        },
        how = run.interrupts.next() => Over::Interrupted(how),
        limit = run_limit(&run.options, run.limits) => Over::Deadline(limit),
        why = daemon_gone(daemon) => Over::DaemonGone(why),
        path = context.places.wait_for_removal() => Over::Removed(path),
        never = accept(listening, &run.journal) => match never {},
        error = keep_sending(&run.journal, client.as_ref()) => Over::DaemonGone(error.to_string()),
        error = follow(follower, &queue) => Over::DaemonGone(error.to_string()),
    };
    let is_gone = daemon.is_some_and(DaemonProcess::has_exited);
    let over = match (over, context.places.removed()) {
        // Without its socket it cannot be reached, and that is why.
        (Over::DaemonGone(_), Some(path)) if !is_gone => Over::Removed(path.to_owned()),
        // What a dead daemon leaves, another run removes.
        (Over::Removed(_), _) if is_gone => Over::DaemonGone(EXITED.to_owned()),
        (over, _) => over,
    };
    queue.stop();
    // The slots live until here: their tests are still to be reported.
    match &over {
        Over::Interrupted(_) => {
            let message = "the test was still running when the run ended".to_owned();
            let cancel = &context.cancel;
            cancel.reach(FailureKind::Interrupted, message).await;
        }
        Over::Deadline(limit) => {
            let message = format!("the run reached its time limit of {limit:?} during this test");
            context.cancel.reach(FailureKind::TimedOut, message).await;
        }
        Over::Removed(path) => {
            let message = format!(
                "the test was still running when {} was removed",
                path.display()
            );
            context.cancel.reach(FailureKind::Error, message).await;
        }
        Over::Done | Over::DaemonGone(_) => {}
    }
    let tally = context.tally.borrow().clone();
    Ok((over, tally))
}

type Listening = Option<(Rc<Listener>, UnixListener)>;

/// What runs the tests, and where their processes report.
fn executors(
    run: &Run,
    client: Option<&DaemonClient>,
    directory: &Path,
) -> std::io::Result<(Executors, Listening)> {
    let (Isolation::Workers | Isolation::Process, Some(client)) = (run.isolation, client) else {
        let alone = run.plan.tests.len() == 1;
        let in_process = InProcess::new(client.cloned(), run.journal.clone(), alone);
        return Ok((Executors::InProcess(in_process), None));
    };
    let relay = (run.options.showing.no_capture).then(|| run.journal.printer());
    let (listener, socket) = Listener::open(
        client.clone(),
        directory.to_owned(),
        run.options.running.thread_per_test,
        relay,
    )?;
    let listener = Rc::new(listener);
    let executors = Executors::Workers {
        listener: listener.clone(),
        journal: run.journal.clone(),
        one_each: run.isolation == Isolation::Process,
    };
    Ok((executors, Some((listener, socket))))
}

async fn accept(listening: Listening, journal: &Journal) -> Infallible {
    match listening {
        Some((listener, socket)) => listener.accept(socket, journal).await,
        None => std::future::pending().await,
    }
}

async fn keep_sending(journal: &Journal, client: Option<&DaemonClient>) -> AskError {
    match client {
        Some(client) => journal.keep_sending(client).await,
        None => std::future::pending().await,
    }
}

async fn follow(follower: Option<&Follower<'_>>, queue: &Queue) -> AskError {
    match follower {
        Some(follower) => follower.follow(queue).await,
        None => std::future::pending().await,
    }
}

/// All slots, until the last has nothing to do. The error says why the daemon cannot be asked any more.
async fn work(context: &Rc<Context>, slots: usize) -> Result<(), String> {
    let queue = &context.queue;
    queue.begin().await.map_err(|error| error.to_string())?;
    let mut all = JoinSet::new();
    for slot in 0..u32::try_from(slots).unwrap_or(u32::MAX) {
        all.spawn_local(slot::work(context.clone(), slot));
    }
    while let Some(done) = all.join_next().await {
        done.map_err(|error| format!("an internal task failed: {error}"))?;
    }
    queue.broken().map_or(Ok(()), Err)
}

/// The log of a run without a daemon, which would have written it.
fn write_log(directory: &Path, journal: &Journal) {
    let write = || {
        let mut lines = Vec::new();
        for event in journal.take_unsent() {
            serde_json::to_writer(&mut lines, &event)?;
            lines.push(b'\n');
        }
        std::fs::write(directory.join(crate::daemon::EVENTS_FILE), lines)
    };
    if let Err(error) = write() {
        let path = directory.join(crate::daemon::EVENTS_FILE);
        journal.cannot_write(directory, &path, &error);
    }
}

async fn run_limit(options: &Options, limits: bool) -> Duration {
    match options.running.run_timeout {
        Some(limit) if limits => {
            tokio::time::sleep(limit).await;
            limit
        }
        _ => std::future::pending().await,
    }
}

/// Ends when the daemon does: its pipe to this process then hangs up.
async fn daemon_gone(daemon: Option<&DaemonProcess>) -> String {
    let Some(daemon) = daemon else {
        return std::future::pending().await;
    };
    let watch = async {
        // Nothing comes after the greeting but the end.
        Receiver::from_owned_fd(daemon.life_sign()?)?
            .read(&mut [0; 256])
            .await
    };
    match watch.await {
        Ok(_) => EXITED.to_owned(),
        Err(error) => format!("it cannot be monitored: {error}"),
    }
}

/// Brings the daemon's own events to the reports.
struct Follower<'a> {
    client: &'a DaemonClient,
    journal: &'a Journal,
    /// How many the reports have.
    seen: Cell<usize>,
}

impl Follower<'_> {
    /// For as long as it is polled.
    async fn follow(&self, queue: &Queue) -> AskError {
        let ended = |deployment: &str| queue.deployment_ended(deployment);
        loop {
            if let Err(error) = self.fetch("", WITHOUT_LIMIT, &ended).await {
                return error;
            }
        }
    }

    /// What there is now.
    async fn catch_up(&self) -> Result<(), AskError> {
        while self.fetch("/now", LAST_WORDS, &|_| {}).await? > 0 {}
        Ok(())
    }

    /// How many came. `ended` is told of deployments that have stopped.
    async fn fetch(
        &self,
        how: &str,
        limit: Duration,
        ended: &dyn Fn(&str),
    ) -> Result<usize, AskError> {
        let events: Vec<Event> = self
            .client
            .get(&format!("/v1/events/{}{how}", self.seen.get()), limit)
            .await?;
        let count = events.len();
        self.seen.set(self.seen.get() + count);
        for event in events {
            if let EventKind::DeploymentStopped { deployment, .. } = &event.kind {
                ended(deployment);
            }
            self.journal.relay(event);
        }
        Ok(count)
    }
}

/// Lets a person look at what is kept, then stops every deployment. The error says what interrupted it: the daemon then
/// stops them alone.
async fn end(run: &mut Run, follower: &Follower<'_>) -> Result<(), &'static str> {
    let interrupts = &mut run.interrupts;
    keep::until_told(&run.options, follower.client, &run.journal, interrupts).await;
    tokio::select! {
        biased;
        () = stop(&run.options, follower) => Ok(()),
        how = interrupts.next() => Err(how),
    }
}

/// Stops every deployment and takes the daemon's last events.
async fn stop(options: &Options, follower: &Follower<'_>) {
    let limit = times(STOP_LIMIT, options.running.timeout_factor);
    if let Err(error) = follower
        .client
        .post::<serde_json::Value>("/v1/stop", &(), None, limit)
        .await
    {
        follower
            .journal
            .warn(format!("the deployments were not stopped cleanly: {error}"));
    }
    if let Err(error) = follower.catch_up().await {
        follower.journal.warn(format!(
            "the last events of the daemon are missing from the reports: {error}"
        ));
    }
}

fn exit_of(over: &Over, tally: &Tally) -> Exit {
    tally.exit.and(match over {
        Over::Done => Exit::Passed,
        Over::Interrupted(_) => Exit::Interrupted,
        Over::Deadline(_) => Exit::Deadline,
        Over::DaemonGone(_) | Over::Removed(_) => Exit::Harness,
    })
}

fn early(run: &Run, over: &Over, tally: &Tally) -> Option<String> {
    match over {
        Over::Done => run
            .options
            .running
            .max_fail
            .filter(|most| tally.failures >= *most)
            .map(|most| {
                let tests = if tally.failures == 1 { "test" } else { "tests" };
                format!("{} {tests} failed, and --maxfail is {most}", tally.failures)
            }),
        Over::Interrupted(how) => Some((*how).to_owned()),
        Over::Deadline(limit) => Some(format!("the run reached its time limit of {limit:?}")),
        Over::DaemonGone(why) => Some(format!("the daemon exited unexpectedly: {why}")),
        Over::Removed(path) => Some(format!("{} was removed", path.display())),
    }
}
