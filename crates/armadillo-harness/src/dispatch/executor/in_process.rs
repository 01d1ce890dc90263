//! Tests in this process, each on a thread of its own. Nothing is captured, and a body that does not await cannot be ended:
//! when its time is up it is reported and left behind.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use armadillo_orchestrator::Fut;
use tokio::sync::{mpsc, watch};

use super::super::journal::Journal;
use super::clocks::{Clocks, Due};
use super::{Attempted, Handed, Notices, Order, evidence};
use crate::fixture::{Hooks, ProcessFixtures, execute};
use crate::judge::Ran;
use crate::plan::Planned;
use crate::protocol::worker::{Assignment, Phase, Report};
use crate::trace::Trace;
use crate::whereabouts::Whereabouts;

/// How long fixtures kept by this process may take to be torn down.
const DROP_FIXTURES_LIMIT: Duration = Duration::from_secs(60);

/// What the slots of a run in this process share.
#[derive(Clone)]
pub(in crate::dispatch) struct InProcess(Arc<Inner>);

struct Inner {
    fixtures: ProcessFixtures,
    sequence: AtomicU64,
    /// Whether the run has one test only.
    alone: bool,
    /// Whether what is kept for a deployment stays: other processes use it, and the deployment outlives this one.
    leaves: bool,
    journal: Arc<Journal>,
}

/// What the thread of a test says.
enum Said {
    Phase(Phase),
    Done(Box<Report>),
}

impl InProcess {
    pub(in crate::dispatch) fn new(journal: Arc<Journal>, alone: bool, leaves: bool) -> Self {
        Self(Arc::new(Inner {
            fixtures: ProcessFixtures::default(),
            sequence: AtomicU64::new(0),
            alone,
            leaves,
            journal,
        }))
    }

    pub(super) fn next_sequence(&self) -> u64 {
        self.0.sequence.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn warn(&self, text: String) {
        self.0.journal.warn(text);
    }

    pub(super) async fn attempt(&self, order: Order<'_>) -> Attempted {
        let Order {
            planned,
            handed,
            mut clocks,
            artifacts,
            ..
        } = order;
        let Handed::Now(assignment) = handed else {
            return Attempted::impossible("nothing is sent ahead in this process".to_owned());
        };
        let begun = Instant::now();
        let leases = assignment.leases.clone();
        let notices = Notices {
            def: planned.test.def,
            test: &planned.name,
            attempt: assignment.attempt,
            journal: &self.0.journal,
        };
        let (says, mut said) = mpsc::unbounded_channel();
        let (cancel, cancelled) = watch::channel(false);
        let known = Arc::<OnceLock<Arc<Whereabouts>>>::default();
        if let Err(error) = self.start(planned, *assignment, says, cancelled, known.clone()) {
            return Attempted::impossible(format!("cannot start a thread for it: {error}"));
        }
        let mut slow_for = Duration::ZERO;
        let mut slow_at = None;
        let attempted = loop {
            // Results are drained before deadlines are judged: after a suspension everything would else have timed out.
            tokio::select! {
                biased;
                message = said.recv() => match message {
                    Some(Said::Phase(phase)) => clocks.enter(phase),
                    Some(Said::Done(report)) => break Attempted::reported(*report, clocks.late()),
                    None => break Attempted::impossible("the harness panicked".to_owned()),
                },
                () = clocks.expired() => match clocks.due() {
                    Due::Ask => {
                        clocks.ask();
                        // One question at a time.
                        if let Some(slow_at) = slow_at.take() {
                            notices.slow(slow_for, slow_at.await);
                        }
                        clocks.answered(&self.whereabouts(&known, self.0.alone).await);
                        evidence::collect(std::process::id(), &leases, artifacts).await;
                        cancel.send_replace(true);
                        clocks.cancel();
                    }
                    Due::Cancel | Due::GiveUp => break left_behind(&clocks, begun),
                },
                () = clocks.slow(), if slow_at.is_none() => {
                    slow_for = clocks.told_slow();
                    // That may take its time, and time limits hold meanwhile.
                    slow_at = Some(Box::pin(self.whereabouts(&known, false)));
                }
                traces = answer(&mut slow_at), if slow_at.is_some() => {
                    slow_at = None;
                    notices.slow(slow_for, traces);
                }
            }
        };
        // It was slow, whatever became of it.
        if let Some(slow_at) = slow_at {
            notices.slow(slow_for, slow_at.await);
        }
        attempted
    }

    /// Where a test is. If its time is up and no other test runs in this process, a thread that blocks is interrupted: it
    /// may be unable to go on then, and hold up others.
    async fn whereabouts(&self, known: &OnceLock<Arc<Whereabouts>>, interrupt: bool) -> Vec<Trace> {
        let Some(whereabouts) = known.get().cloned() else {
            return Vec::new();
        };
        let asked = tokio::task::spawn_blocking(move || whereabouts.ask(interrupt));
        asked.await.unwrap_or_default()
    }

    /// Starts the test on a thread with its name: panics then say which test it was, and thread-locals are fresh.
    fn start(
        &self,
        planned: &Planned,
        assignment: Assignment,
        says: mpsc::UnboundedSender<Said>,
        cancelled: watch::Receiver<bool>,
        whereabouts: Arc<OnceLock<Arc<Whereabouts>>>,
    ) -> std::io::Result<()> {
        let def = planned.test.def;
        let fixtures = self.0.fixtures.clone();
        let lines_before = self.0.journal.printer().catches_up();
        let run = move || {
            lines_before.wait();
            let hooks = ThreadHooks {
                says: says.clone(),
                cancelled: Mutex::new(cancelled),
                whereabouts,
            };
            let report = execute(def, &assignment, &fixtures, &hooks);
            // Nobody listens any more if the test was left behind.
            let _ = says.send(Said::Done(Box::new(report)));
        };
        // Never joined: a body that blocks would hold the whole run up. It says itself when it is done.
        let builder = std::thread::Builder::new().name(planned.test.name.clone());
        builder.spawn(run).map(drop)
    }

    /// Tears down the fixtures kept for a deployment, or all that do not outlive this process; what went wrong.
    pub(super) async fn drop_fixtures(&self, deployment: Option<&str>) -> Vec<String> {
        if self.0.fixtures.is_empty() {
            return Vec::new();
        }
        let fixtures = self.0.fixtures.clone();
        let deployment = deployment.map(str::to_owned);
        let leaves = self.0.leaves;
        let dropped = tokio::task::spawn_blocking(move || match deployment {
            Some(deployment) => fixtures.drop_deployment(&deployment),
            None if leaves => fixtures.drop_own(),
            None => fixtures.drop_all(),
        });
        match tokio::time::timeout(DROP_FIXTURES_LIMIT, dropped).await {
            Ok(Ok(complaints)) => complaints,
            Ok(Err(error)) => vec![format!("tear-down failed: {error}")],
            Err(_) => vec![format!(
                "tear-down did not finish within {DROP_FIXTURES_LIMIT:?}"
            )],
        }
    }
}

/// What a question comes to, if there is one.
async fn answer<T>(question: &mut Option<Pin<Box<impl Future<Output = T>>>>) -> T {
    match question {
        Some(question) => question.await,
        None => std::future::pending().await,
    }
}

/// The test did not end when it was told to.
fn left_behind(clocks: &Clocks, begun: Instant) -> Attempted {
    let late = clocks.late().unwrap_or_default();
    let then = "its thread cannot be killed and keeps running";
    Attempted::unreported(Ran::Stuck { late, then }, begun)
}

/// The ties between the thread of a test and the run.
struct ThreadHooks {
    says: mpsc::UnboundedSender<Said>,
    cancelled: Mutex<watch::Receiver<bool>>,
    whereabouts: Arc<OnceLock<Arc<Whereabouts>>>,
}

impl Hooks for ThreadHooks {
    fn begins(&self, whereabouts: &Arc<Whereabouts>) {
        // Each test has hooks of its own.
        let _ = self.whereabouts.set(whereabouts.clone());
    }

    fn phase(&self, phase: Phase) {
        // Nobody listens any more if the test was left behind.
        let _ = self.says.send(Said::Phase(phase));
    }

    fn cancelled(&self) -> Fut<'_, ()> {
        let cancelled = self.cancelled.lock();
        let mut cancelled = cancelled.unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(async move {
            // If nobody can cancel any more, nobody will.
            if cancelled.wait_for(|cancelled| *cancelled).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}
