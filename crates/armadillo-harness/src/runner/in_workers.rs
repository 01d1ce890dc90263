//! A run whose tests run in worker processes: the slots, and everything that can end them.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinSet, LocalSet};

use super::RunnerError;
use super::cut_off::CutOff;
use super::daemon_process::{DaemonProcess, log_tail};
use super::ground::{Ground, Tally};
use super::hall::Hall;
use super::journal::Journal;
use super::keep;
use super::prepare::Run;
use super::schedule::Schedule;
use super::slot;
use crate::client::{AskError, DaemonClient, WITHOUT_LIMIT};
use crate::event::{Event, EventKind};
use crate::exit_code::Exit;
use crate::outcome::FailureKind;

/// How long deployments may take to stop at the end of a run, before the factor.
const STOP_LIMIT: Duration = Duration::from_secs(120);

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
}

/// Runs the plan; the exit code counts failed tests.
pub(super) fn run(mut run: Run) -> Result<Exit, RunnerError> {
    let os = |action| move |source| RunnerError::Os { action, source };
    let Some(daemon) = run.daemon.take() else {
        return Ok(nothing_to_run(&run));
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(os("make a runtime"))?;
    let local = LocalSet::new();
    let journal = run.journal.clone();
    let client = DaemonClient::new(&daemon.started.socket);
    let follower = Follower {
        client: &client,
        journal: &journal,
        seen: Cell::new(0),
    };
    let conducted = local.block_on(&runtime, conduct(&run, &daemon, &follower));
    let (over, tally) = conducted.map_err(os("run the tests"))?;
    let exit = exit_of(&over, &tally).and(run.exit);
    let early = early(&run, &over, &tally);
    let gone = matches!(over, Over::DaemonGone(_));
    let interrupted = matches!(over, Over::Interrupted(_));
    if let Over::DaemonGone(why) = &over {
        journal.warn(format!(
            "the daemon is gone: {why}{}",
            log_tail(&run.directory.join("daemon.log"))
        ));
    }
    if !gone && !interrupted {
        runtime.block_on(keep::until_told(&run.options, &client, &journal));
        runtime.block_on(stop(&run, &follower));
    }
    journal.emit(EventKind::RunFinished {
        exit_code: exit.code(),
        ended_early: early,
    });
    if !gone {
        // The log's last line; if the daemon does not take it any more, the reports have it all the same.
        let _ = runtime
            .block_on(async { tokio::time::timeout(LAST_WORDS, journal.flush(&client)).await });
    }
    // What is left of slots and asks ends here, before the daemon does.
    drop(local);
    drop(runtime);
    if interrupted {
        daemon.hand_over()
    } else {
        daemon.end()
    }
    Ok(exit)
}

fn nothing_to_run(run: &Run) -> Exit {
    run.journal.emit(EventKind::RunFinished {
        exit_code: run.exit.code(),
        ended_early: None,
    });
    run.exit
}

/// Runs slots until all is done or something ends the run.
async fn conduct(
    run: &Run,
    daemon: &DaemonProcess,
    follower: &Follower<'_>,
) -> std::io::Result<(Over, Tally)> {
    let client = follower.client;
    let relay = (run.options.showing.no_capture).then(|| run.journal.printer());
    let directory = daemon.started.run_dir.clone();
    let (hall, listener) = Hall::open(
        client.clone(),
        directory,
        run.options.running.thread_per_test,
        relay,
    )?;
    let schedule = Rc::new(Schedule::new(run.plan.clone(), run.slots, client.clone()));
    let ground = Rc::new(Ground {
        plan: run.plan.clone(),
        hall,
        schedule: schedule.clone(),
        journal: run.journal.clone(),
        isolation: run.isolation,
        seed: run.seed,
        rounds: run.options.running.rounds,
        checkers: run.options.checkers.clone(),
        factor: run.options.running.timeout_factor,
        limits: run.limits,
        show_output: run.options.showing.show_output,
        max_fail: run.options.running.max_fail,
        directory: run.directory.clone(),
        tally: RefCell::default(),
        cut_off: CutOff::new(),
    });
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut work = pin!(work(&ground, run.slots));
    let over = tokio::select! {
        biased;
        over = &mut work => over,
        _ = interrupt.recv() => Over::Interrupted("interrupted"),
        _ = terminate.recv() => Over::Interrupted("terminated"),
        _ = hang_up.recv() => Over::Interrupted("the terminal is gone"),
        limit = run_limit(run) => Over::Deadline(limit),
        why = daemon_gone(daemon) => Over::DaemonGone(why),
        error = ground.hall.let_in(listener) => Over::DaemonGone(format!("workers cannot report: {error}")),
        error = run.journal.keep_sending(client) => Over::DaemonGone(error.to_string()),
        error = follower.follow() => Over::DaemonGone(error.to_string()),
    };
    schedule.stop();
    // The slots live until here: their tests are still to be reported.
    match &over {
        Over::Interrupted(_) => {
            let message = "it still ran when the run ended".to_owned();
            ground
                .cut_off
                .reach(FailureKind::Interrupted, message)
                .await;
        }
        Over::Deadline(limit) => {
            let message = format!("the run's time limit of {limit:?} was reached while it ran");
            ground.cut_off.reach(FailureKind::TimedOut, message).await;
        }
        Over::Done | Over::DaemonGone(_) => {}
    }
    let tally = ground.tally.borrow().clone();
    Ok((over, tally))
}

/// All slots, until the last has nothing to do.
async fn work(ground: &Rc<Ground>, slots: usize) -> Over {
    if let Err(error) = ground.schedule.begin().await {
        return Over::DaemonGone(error.to_string());
    }
    let mut all = JoinSet::new();
    for slot in 0..slots {
        all.spawn_local(slot::work(ground.clone(), slot));
    }
    while let Some(done) = all.join_next().await {
        if let Err(error) = done {
            return Over::DaemonGone(format!("a slot ended: {error}"));
        }
    }
    Over::Done
}

async fn run_limit(run: &Run) -> Duration {
    match run.options.running.run_timeout {
        Some(limit) => {
            tokio::time::sleep(limit).await;
            limit
        }
        None => std::future::pending().await,
    }
}

/// Ends when the daemon does: its pipe to this process then hangs up.
async fn daemon_gone(daemon: &DaemonProcess) -> String {
    let watch = async {
        // Nothing comes after the greeting but the end.
        Receiver::from_owned_fd(daemon.life_sign()?)?
            .read(&mut [0; 256])
            .await
    };
    match watch.await {
        Ok(_) => "it ended".to_owned(),
        Err(error) => format!("it cannot be watched: {error}"),
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
    async fn follow(&self) -> AskError {
        loop {
            if let Err(error) = self.fetch("", WITHOUT_LIMIT).await {
                return error;
            }
        }
    }

    /// What there is now.
    async fn catch_up(&self) -> Result<(), AskError> {
        self.fetch("/now", LAST_WORDS).await
    }

    async fn fetch(&self, how: &str, limit: Duration) -> Result<(), AskError> {
        let events: Vec<Event> = self
            .client
            .get(&format!("/v1/events/{}{how}", self.seen.get()), limit)
            .await?;
        self.seen.set(self.seen.get() + events.len());
        events
            .into_iter()
            .for_each(|event| self.journal.relay(event));
        Ok(())
    }
}

/// Stops every deployment and takes the daemon's last events.
async fn stop(run: &Run, follower: &Follower<'_>) {
    let limit = STOP_LIMIT.mul_f64(run.options.running.timeout_factor);
    if let Err(error) = follower
        .client
        .post::<serde_json::Value>("/v1/stop", &(), None, limit)
        .await
    {
        follower.journal.warn(format!(
            "the deployments were not stopped as they should be: {error}"
        ));
    }
    if let Err(error) = follower.catch_up().await {
        follower.journal.warn(format!(
            "the daemon's last events are not in the reports: {error}"
        ));
    }
}

fn exit_of(over: &Over, tally: &Tally) -> Exit {
    tally.exit.and(match over {
        Over::Done => Exit::Passed,
        Over::Interrupted(_) => Exit::Interrupted,
        Over::Deadline(_) => Exit::Deadline,
        Over::DaemonGone(_) => Exit::Harness,
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
                format!(
                    "{} failed, and {most} are enough (--maxfail)",
                    tally.failures
                )
            }),
        Over::Interrupted(how) => Some((*how).to_owned()),
        Over::Deadline(limit) => Some(format!("the run's time limit of {limit:?} was reached")),
        Over::DaemonGone(why) => Some(format!("the daemon is gone: {why}")),
    }
}
