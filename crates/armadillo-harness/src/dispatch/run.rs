//! A run: the slots, and everything that can end them.

use std::cell::RefCell;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use armadillo_orchestrator::duration::micros;
use tokio::net::UnixListener;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{JoinSet, LocalSet};

use super::RunnerError;
use super::cancel::Cancel;
use super::context::{Context, Tally};
use super::daemons::{Daemons, EXITED};
use super::executor::{Executors, InProcess};
use super::follower::Followers;
use super::interrupts::Interrupts;
use super::journal::Journal;
use super::keep;
use super::listener::Listener;
use super::places::Places;
use super::prepare::Run;
use super::queue::Queue;
use super::repeats::Repeats;
use super::repetitions;
use super::shared::SharedDaemon;
use super::trials::{self, TrialRequest};
use super::{slot, slots};
use crate::client::{AskError, DaemonClient};
use crate::event::EventKind;
use crate::exit_code::Exit;
use crate::options::{Isolation, Options};
use crate::outcome::FailureKind;
use crate::protocol::endpoints;

/// How long deployments may take to stop at the end of a run, before the factor.
const STOP_LIMIT: Duration = Duration::from_secs(300);

/// How long a last request to the daemon may take.
const LAST_WORDS: Duration = Duration::from_secs(5);

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
    let daemons = std::mem::take(&mut run.daemons);
    let followers = Followers::of(&daemons, &run.plan, &journal);
    let conducted = local.block_on(&runtime, conduct(&mut run, &daemons, &followers, work));
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
            daemons.last_words(&run.directory)
        ));
    }
    if matches!(over, Over::Done | Over::Deadline(_))
        && let Err(how) = runtime.block_on(end(&mut run, &daemons, &followers))
    {
        over = Over::Interrupted(how);
    }
    let exit = exit_of(&over, &tally).and(run.exit);
    let early = early(&run, &over, &tally);
    journal.emit(EventKind::RunFinished {
        exit_code: exit.code(),
        ended_early: early,
    });
    match daemons.own_client() {
        // The log's last line; if the daemon does not take it any more, the reports have it all the same.
        Some(own) if !gone => {
            let flushed = async { journal.flush(&own).await };
            let flushed = async { tokio::time::timeout(LAST_WORDS, flushed).await };
            _ = runtime.block_on(flushed);
        }
        Some(_) => {}
        None => write_log(&run.directory, &journal),
    }
    // What is left of slots and asks ends here, before the daemon does. A thread that was left behind is not waited for.
    drop(local);
    runtime.shutdown_background();
    if let Some(idle) = run
        .options
        .running
        .reuse
        .filter(|_| daemons.shared.is_some())
    {
        journal.note(format!(
            "deployments stay up for {} (--reuse); `armadillo down --all` stops them\n",
            crate::report::time(micros(idle))
        ));
    }
    run.children.end_of_tests(run.isolation, daemons.warden());
    daemons.remove_temporary(&run.directory);
    daemons.end(&run.children, exit != Exit::Interrupted);
    Ok(Ran {
        exit,
        interrupts: run.interrupts,
    })
}

/// Runs slots until all is done or something ends the run.
async fn conduct(
    run: &mut Run,
    daemons: &Daemons,
    followers: &Followers<'_>,
    work: Work,
) -> std::io::Result<(Over, Tally)> {
    let own = daemons.own_client();
    let leases = daemons.lease_client();
    let shared = daemons.shared.as_ref();
    // Whether what fixtures keep for a deployment stays when the run is over.
    let leaves = shared.is_some_and(SharedDaemon::keeps_fixtures);
    let private = daemons.private_directory();
    let temporary = daemons.temporary_directory(&run.directory)?;
    let places: Vec<&Path> = [&*run.directory].into_iter().chain(private).collect();
    let places = Places::of(&places);
    let (executors, listening) = executors(run, own.as_ref(), leaves, &temporary)?;
    let conditions = shared.map(|_| run.conditions.clone());
    let queue = Queue::new(run.plan.clone(), run.slots, leases.clone(), conditions);
    let queue = queue.of_daemon_that_stays(shared.and_then(|shared| shared.idle));
    let shares = shared.is_some_and(|shared| shared.shares_slots);
    let queue = queue.with_shared_slots(shares.then(|| slots::of_all(&run.options)));
    let queue = Rc::new(queue);
    let context = Rc::new(Context {
        plan: run.plan.clone(),
        executors,
        queue: queue.clone(),
        daemon: leases,
        daemon_clock: shared.map_or(run.journal.origin(), |shared| shared.origin),
        leaves_fixtures: leaves,
        log_of_part: (run.is_part && own.is_none())
            .then(|| run.directory.join(crate::daemon::EVENTS_FILE)),
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
        max_fail: max_fail(&run.options),
        until_fail: run.options.running.stress.until_fail,
        repeats: Repeats::of(&run.options.running, Instant::now()).map(RefCell::new),
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
        why = daemons.gone() => Over::DaemonGone(why),
        path = context.places.wait_for_removal() => Over::Removed(path),
        never = accept(listening, &run.journal) => match never {},
        error = keep_sending(&run.journal, own.as_ref()) => Over::DaemonGone(error.to_string()),
        never = keep_writing(&run.directory, &run.journal), if own.is_none() => match never {},
        error = followers.follow(&queue) => Over::DaemonGone(error.to_string()),
    };
    let is_gone = daemons.has_exited();
    let over = match (over, context.places.removed()) {
        // Without its socket the daemon cannot be reached, and that is why; or the last tests failed of it before anybody looked.
        (Over::DaemonGone(_) | Over::Done, Some(path)) if !is_gone => {
            Over::Removed(path.to_owned())
        }
        // What a dead daemon leaves, another run removes.
        (Over::Removed(_), _) if is_gone => Over::DaemonGone(EXITED.to_owned()),
        (over, _) => over,
    };
    queue.stop();
    let what = match run.options.command {
        Some(_) => "the command",
        None => "the test",
    };
    // The slots live until here: their tests are still to be reported.
    match &over {
        Over::Interrupted(_) => {
            let message = format!("{what} was still running when the run ended");
            let cancel = &context.cancel;
            cancel.reach(FailureKind::Interrupted, message).await;
        }
        Over::Deadline(limit) => {
            let message = match run.options.command {
                Some(_) => format!("the run reached its time limit of {limit:?}"),
                None => format!("the run reached its time limit of {limit:?} during this test"),
            };
            context.cancel.reach(FailureKind::TimedOut, message).await;
        }
        Over::Removed(path) => {
            let message = format!(
                "{what} was still running when {} was removed",
                path.display()
            );
            context.cancel.reach(FailureKind::Error, message).await;
        }
        Over::Done | Over::DaemonGone(_) => {}
    }
    if shared.is_some() && !is_gone {
        queue.leave().await;
    }
    repetitions::conclude(&context);
    let tally = context.tally.borrow().clone();
    Ok((over, tally))
}

type Listening = Option<(Rc<Listener>, UnixListener)>;

/// What runs the tests, and where their processes report.
fn executors(
    run: &Run,
    client: Option<&DaemonClient>,
    leaves: bool,
    directory: &Path,
) -> std::io::Result<(Executors, Listening)> {
    let (Isolation::Workers | Isolation::Process, Some(client)) = (run.isolation, client) else {
        let alone = run.plan.tests.len() == 1;
        let in_process = InProcess::new(run.journal.clone(), alone, leaves);
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
        ahead: may_send_ahead(run),
    };
    Ok((executors, Some((listener, socket))))
}

/// Whether tests may begin in a worker before the runner knows how the ones before them ended. A worker goes on only if they
/// passed; but in another slot one may have failed, which is then to be the last.
fn may_send_ahead(run: &Run) -> bool {
    let options = &run.options;
    let ends_others = max_fail(options).is_some() && run.slots > 1;
    // Somebody looks at each test: in a debugger, or at what it prints.
    let is_watched = !run.limits || options.showing.no_capture;
    let is_directed = run.plan.script.is_some() || options.running.stress.is_asked_for();
    run.isolation == Isolation::Workers && !ends_others && !is_watched && !is_directed
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

/// All slots, until the last has nothing to do. The error says why the daemon cannot be asked any more.
async fn work(context: &Rc<Context>, slots: usize) -> Result<(), String> {
    let queue = &context.queue;
    let repeats = context.repeats.is_some();
    let begun = queue.begin(repeats).await;
    begun.map_err(|error| error.to_string())?;
    let mut all = JoinSet::new();
    for slot in 0..u32::try_from(slots).unwrap_or(u32::MAX) {
        all.spawn_local(slot::work(context.clone(), slot));
    }
    let done = async {
        while let Some(done) = all.join_next().await {
            done.map_err(|error| format!("an internal task failed: {error}"))?;
        }
        Ok::<(), String>(())
    };
    tokio::select! {
        biased;
        done = done => done?,
        never = queue.direct() => match never {},
    }
    queue.broken().map_or(Ok(()), Err)
}

/// The log of a run that no daemon writes.
fn write_log(directory: &Path, journal: &Journal) {
    let log = directory.join(crate::daemon::EVENTS_FILE);
    if let Err(error) = journal.write_to(&log) {
        journal.cannot_write(directory, &log, &error);
    }
}

/// Writes that log as it grows.
async fn keep_writing(directory: &Path, journal: &Journal) -> Infallible {
    let log = directory.join(crate::daemon::EVENTS_FILE);
    let error = journal.keep_writing(&log).await;
    journal.cannot_write(directory, &log, &error);
    std::future::pending().await
}

/// After how many failures the run ends.
fn max_fail(options: &Options) -> Option<u32> {
    let until_fail = options.running.stress.until_fail.then_some(1);
    options.running.max_fail.or(until_fail)
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

/// Lets a person look at what is kept, then stops every deployment that nobody shares. The error says what interrupted it: the
/// daemon then stops them alone.
async fn end(
    run: &mut Run,
    daemons: &Daemons,
    followers: &Followers<'_>,
) -> Result<(), &'static str> {
    let interrupts = &mut run.interrupts;
    let own = daemons.own_client();
    if let (Some(own), None) = (&own, &daemons.shared) {
        keep::until_told(&run.options, own, &run.journal, interrupts).await;
    }
    let stop = async {
        if let Some(own) = &own {
            stop(own, &run.journal).await;
        }
        followers.last_events().await;
    };
    tokio::select! {
        biased;
        () = stop => Ok(()),
        how = interrupts.next() => Err(how),
    }
}

/// Stops every deployment of a daemon.
async fn stop(daemon: &DaemonClient, journal: &Journal) {
    let stopped = daemon.ask::<endpoints::Stop>(&[], &(), None, STOP_LIMIT);
    if let Err(error) = stopped.await {
        journal.warn(format!("the deployments were not stopped cleanly: {error}"));
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
        Over::Done => max_fail(&run.options)
            .filter(|most| tally.failures >= *most)
            .map(|most| {
                if run.options.running.max_fail.is_none() {
                    return "a test failed (--repeat until-fail)".to_owned();
                }
                let tests = if tally.failures == 1 { "test" } else { "tests" };
                format!("{} {tests} failed, and --maxfail is {most}", tally.failures)
            }),
        Over::Interrupted(how) => Some((*how).to_owned()),
        Over::Deadline(limit) => Some(format!("the run reached its time limit of {limit:?}")),
        Over::DaemonGone(why) => Some(format!("the daemon exited unexpectedly: {why}")),
        Over::Removed(path) => Some(format!("{} was removed", path.display())),
    }
}
