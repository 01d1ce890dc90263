//! Executors: where the body of a test runs. The rest of the run does not know which one it is.
//!
//! A worker is a process that runs one test after the other, or one test alone (`--isolation process`). In this process a
//! test runs on a thread: for debuggers, for nextest, which has given the test a process already, for one test with
//! `--nocapture`, and for libtest-mimic.

mod ahead;
mod clocks;
mod debugger;
pub(super) mod evidence;
mod in_process;
mod in_worker;
mod output;
mod pace;
mod worker;

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use armadillo_orchestrator::duration::micros;

use super::cancel::Cancel;
use super::journal::Journal;
use super::listener::Listener;
use super::queue::{Job, Queue};
use crate::event::{EventKind, Shown, Times};
use crate::failure::Failure;
use crate::judge::Ran;
use crate::plan::Planned;
use crate::protocol::worker::{Assignment, Report};
use crate::test_def::TestDef;
use crate::trace::Trace;
use ahead::Ahead;
pub(super) use clocks::Clocks;
pub(super) use in_process::InProcess;
pub(super) use in_worker::NotBegun;
pub(super) use output::captured;
pub(super) use pace::SHORT;
use worker::{Worker, WorkerError};

/// An attempt that is to be made.
pub(super) struct Order<'a> {
    pub(super) planned: &'a Planned,
    pub(super) handed: Handed,
    /// What is sent ahead with it.
    pub(super) behind: Vec<(Job, Assignment)>,
    pub(super) clocks: Clocks,
    /// Where evidence goes if it is needed.
    pub(super) artifacts: &'a Path,
    /// What ends the tests that run.
    pub(super) cancel: &'a Cancel,
}

/// How an attempt gets to its process.
pub(super) enum Handed {
    /// It is sent now.
    Now(Box<Assignment>),
    /// It was sent ahead with this number and has begun. It is the first attempt of a test that needs no deployment.
    Ahead(u64),
}

/// An attempt, as far as its executor can tell.
pub(super) struct Attempted {
    /// What became of it.
    pub(super) ran: Ran,
    pub(super) times: Times,
    pub(super) output: Vec<u8>,
    /// The deployments that its process keeps fixtures for.
    pub(super) keeps: Vec<String>,
    /// Why its process cannot be used again, if so.
    pub(super) process_ended: Option<String>,
    /// Whether there may be something in its directories.
    pub(super) has_files: bool,
    /// What it showed of itself.
    pub(super) shown: Shown,
}

impl Attempted {
    /// Its process reported; `late` is the limit that it had reached by then.
    fn reported(report: Report, late: Option<Failure>) -> Self {
        Self {
            // Of a test that was late there is evidence.
            has_files: report.knew_directories || late.is_some(),
            ran: Ran::Reported {
                end: report.end,
                complaints: report.complaints,
                kept: report.kept,
                late,
            },
            times: report.times,
            output: Vec::new(),
            keeps: report.keeps,
            shown: report.shown,
            process_ended: None,
        }
    }

    /// Its process reported nothing.
    pub(super) fn unreported(ran: Ran, begun: Instant) -> Self {
        let total = micros(begun.elapsed());
        Self {
            ran,
            times: Times {
                body: total,
                total,
                ..Times::default()
            },
            output: Vec::new(),
            keeps: Vec::new(),
            process_ended: None,
            has_files: true,
            shown: Shown::default(),
        }
    }

    /// It could not be run at all.
    pub(super) fn impossible(why: String) -> Self {
        Self {
            ran: Ran::NotRun { why },
            times: Times::default(),
            output: Vec::new(),
            keeps: Vec::new(),
            process_ended: None,
            has_files: true,
            shown: Shown::default(),
        }
    }
}

/// A test that runs, and whom to tell of it.
struct Notices<'a> {
    def: &'static TestDef,
    test: &'a str,
    attempt: u32,
    journal: &'a Journal,
}

impl Notices<'_> {
    /// It has run for so long, and is there.
    fn slow(&self, running: Duration, traces: Vec<Trace>) {
        self.journal.emit(EventKind::TestSlow {
            test: self.test.to_owned(),
            attempt: self.attempt,
            for_us: micros(running),
            traces,
        });
    }
}

/// What the executors of a run are made with.
pub(super) enum Executors {
    /// Workers report here.
    Workers {
        listener: Rc<Listener>,
        journal: Arc<Journal>,
        /// Each test has a process of its own.
        one_each: bool,
        /// Whether tests may be sent ahead to a worker.
        ahead: bool,
    },
    /// This process runs the tests.
    InProcess(InProcess),
}

impl Executors {
    /// Whether a test can have a process of its own.
    pub(super) fn have_processes(&self) -> bool {
        matches!(self, Self::Workers { .. })
    }

    /// The executor of one slot, which takes tests from this queue.
    pub(super) fn executor(&self, queue: &Rc<Queue>) -> Executor {
        match self {
            Self::Workers {
                listener,
                journal,
                one_each,
                ahead,
            } => Executor::Worker(Box::new(WorkerSlot {
                listener: listener.clone(),
                journal: journal.clone(),
                one_each: *one_each,
                worker: None,
                failed: None,
                ahead: Ahead::new(queue.clone(), *ahead),
            })),
            Self::InProcess(in_process) => Executor::InProcess(in_process.clone()),
        }
    }
}

/// Runs tests, one at a time.
pub(super) enum Executor {
    Worker(Box<WorkerSlot>),
    InProcess(InProcess),
}

/// A slot with a worker in it, if one was started and has not ended.
pub(super) struct WorkerSlot {
    listener: Rc<Listener>,
    journal: Arc<Journal>,
    one_each: bool,
    worker: Option<Worker>,
    /// Why there is no worker.
    failed: Option<WorkerError>,
    /// What waits in the worker.
    ahead: Ahead,
}

impl Executor {
    /// Makes sure that a test can begin at once. If that fails, running a test says why. That may take its time, after which
    /// nothing is done if it is not wanted any more.
    pub(super) async fn make_ready(&mut self, is_wanted: &dyn Fn() -> bool) {
        if let Self::Worker(slot) = self {
            slot.make_ready(is_wanted).await;
        }
    }

    /// The number of the worker.
    pub(super) fn worker(&self) -> Option<u32> {
        match self {
            Self::Worker(slot) => slot.worker.as_ref().map(|worker| worker.number),
            Self::InProcess(_) => None,
        }
    }

    /// The number of the next assignment, unique together with [`Self::worker`].
    pub(super) fn next_sequence(&mut self) -> u64 {
        match self {
            Self::Worker(slot) => slot.worker.as_mut().map_or(0, |worker| {
                worker.sequence += 1;
                worker.sequence
            }),
            Self::InProcess(in_process) => in_process.next_sequence(),
        }
    }

    /// How many tests are to be sent ahead with the next one that runs.
    pub(super) fn wants_ahead(&self) -> usize {
        match self {
            // What a worker keeps for a deployment is torn down between two tests.
            Self::Worker(slot) => match &slot.worker {
                Some(worker) if worker.keeps.is_empty() => slot.ahead.wanted(),
                _ => 0,
            },
            Self::InProcess(_) => 0,
        }
    }

    /// The number of the test that was sent ahead and begins next.
    pub(super) fn next_ahead(&self) -> Option<u64> {
        match self {
            Self::Worker(slot) => slot.ahead.next(),
            Self::InProcess(_) => None,
        }
    }

    /// Waits until the test that was sent ahead with this number begins. If it does not, it is in the queue again, as all
    /// others are that were sent ahead.
    pub(super) async fn begins(&mut self, number: u64, cancel: &Cancel) -> Result<Job, NotBegun> {
        let Self::Worker(slot) = self else {
            return Err(NotBegun::TakenBack);
        };
        let begun = match &mut slot.worker {
            Some(worker) => in_worker::begins(worker, &mut slot.ahead, number, cancel).await,
            None => Err(NotBegun::TakenBack),
        };
        let job = begun.and_then(|()| slot.ahead.begun().ok_or(NotBegun::TakenBack));
        if job.is_err() {
            slot.ahead.give_back();
        }
        job
    }

    /// Runs one attempt. The error says what becomes of a test that still runs when the tests that run are to end.
    pub(super) async fn run(&mut self, order: Order<'_>) -> Result<Attempted, Ran> {
        match self {
            Self::Worker(slot) => match &mut slot.worker {
                Some(worker) => {
                    let planned = order.planned;
                    let attempt = match &order.handed {
                        Handed::Now(assignment) => assignment.attempt,
                        Handed::Ahead(_) => 1,
                    };
                    let notices = Notices {
                        def: planned.test.def,
                        test: &planned.name,
                        attempt,
                        journal: &slot.journal,
                    };
                    let (listener, ahead) = (&slot.listener, &mut slot.ahead);
                    in_worker::attempt(listener, worker, ahead, order, &notices).await
                }
                None => Ok(Attempted::impossible(slot.failed.take().map_or_else(
                    || "no worker is available".to_owned(),
                    |error| error.to_string(),
                ))),
            },
            Self::InProcess(in_process) => {
                let cancel = order.cancel;
                tokio::select! {
                    biased;
                    attempted = in_process.attempt(order) => Ok(attempted),
                    cut_off = cancel.reached() => Err(cut_off),
                }
            }
        }
    }

    /// Ends the test that runs, with the process it has and all that it started. Whether it could: a thread cannot be ended.
    pub(super) async fn end_test(&mut self) -> bool {
        match self {
            Self::Worker(slot) => match &slot.worker {
                // Nobody asks how it ended: it was killed.
                Some(worker) => worker
                    .end(&slot.listener.daemon, Duration::ZERO)
                    .await
                    .is_ok(),
                None => true,
            },
            Self::InProcess(_) => false,
        }
    }

    /// Where the test that runs is, as far as its process says it in time.
    pub(super) async fn whereabouts(&mut self, limit: Duration) -> Vec<Trace> {
        match self {
            Self::Worker(slot) => match &mut slot.worker {
                Some(worker) => {
                    let asked = tokio::time::timeout(limit, worker.whereabouts()).await;
                    asked.unwrap_or_default()
                }
                None => Vec::new(),
            },
            // The thread goes on until the process ends, which is now.
            Self::InProcess(_) => Vec::new(),
        }
    }

    /// What the test that runs has printed until now.
    pub(super) fn output_so_far(&mut self) -> Vec<u8> {
        match self {
            Self::Worker(slot) => slot
                .worker
                .as_mut()
                .map(|worker| worker.output.drain())
                .unwrap_or_default(),
            Self::InProcess(_) => Vec::new(),
        }
    }

    /// Tears down the fixtures kept for a deployment; what went wrong.
    pub(super) async fn drop_fixtures(&mut self, deployment: &str) -> Vec<String> {
        match self {
            Self::Worker(slot) => match &mut slot.worker {
                Some(worker) => worker.drop_fixtures(deployment).await,
                None => Vec::new(),
            },
            Self::InProcess(in_process) => in_process.drop_fixtures(Some(deployment)).await,
        }
    }

    /// Lets the process go, if the executor has one of its own: it tears down what it keeps and returns from `main`.
    /// Whether there was one.
    pub(super) async fn retire(&mut self, why: &str) -> bool {
        match self {
            Self::Worker(slot) => slot.retire(why).await,
            Self::InProcess(_) => false,
        }
    }

    /// Notes that the process keeps fixtures for these deployments.
    pub(super) fn keeps(&mut self, deployments: &[String]) {
        if let Self::Worker(slot) = self
            && let Some(worker) = &mut slot.worker
        {
            worker.keeps.extend(deployments.iter().cloned());
        }
    }

    /// The slot has nothing to do any more.
    pub(super) async fn end(&mut self) {
        match self {
            Self::Worker(slot) => {
                slot.retire("end of the run").await;
            }
            Self::InProcess(in_process) => {
                for complaint in in_process.drop_fixtures(None).await {
                    in_process.warn(format!("a fixture kept by this process: {complaint}"));
                }
            }
        }
    }
}

impl WorkerSlot {
    async fn make_ready(&mut self, is_wanted: &dyn Fn() -> bool) {
        if self.one_each
            && self
                .worker
                .as_ref()
                .is_some_and(|worker| worker.sequence > 0)
        {
            self.retire("the next test needs its own process").await;
        }
        if self.worker.is_some() {
            return;
        }
        let _turn = self.listener.turn().await;
        if !is_wanted() {
            return;
        }
        match Worker::start(&self.listener).await {
            Ok(worker) => {
                self.journal.emit(EventKind::WorkerStarted {
                    worker: worker.number,
                    pid: worker.pid,
                });
                self.worker = Some(worker);
                self.failed = None;
            }
            Err(error) => self.failed = Some(error),
        }
    }

    async fn retire(&mut self, why: &str) -> bool {
        self.ahead.give_back();
        let Some(mut worker) = self.worker.take() else {
            return false;
        };
        for complaint in worker.drop_all_fixtures().await {
            let text = format!("a fixture kept by worker {}: {complaint}", worker.number);
            self.journal.warn(text);
        }
        let number = worker.number;
        let why = match worker.retire(&self.listener.daemon).await {
            Ok(exit) if exit.clean => why.to_owned(),
            Ok(exit) => format!("{why}; {}", exit.how),
            Err(error) => format!("{why}; {error}"),
        };
        self.journal.emit(EventKind::WorkerEnded {
            worker: number,
            why,
        });
        true
    }
}
