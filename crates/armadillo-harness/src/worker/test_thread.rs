//! The thread a test runs on: fresh and named for each, or one kept for all.

use std::os::fd::OwnedFd;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rustix::event::{EventfdFlags, eventfd};
use tokio::sync::Notify;

use super::link::Sender;
use crate::fixture::{Hooks, ProcessFixtures, execute};
use crate::protocol::worker::{Assignment, End, FromWorker, Phase, Report};
use crate::test_def::TestDef;
use crate::trace::Trace;
use crate::whereabouts::Whereabouts;

/// Starts tests and tells when they end.
pub(super) struct TestThread {
    finished: Arc<OwnedFd>,
    report: Arc<Mutex<Option<Report>>>,
    hooks: Arc<ToRunner>,
    place: Place,
}

/// Where tests run.
enum Place {
    /// On a thread of their own.
    Each(Option<JoinHandle<()>>),
    /// On one thread, kept.
    One(mpsc::Sender<Job>),
}

type Job = Box<dyn FnOnce() + Send>;

/// What became of a test.
pub(super) struct Finished {
    /// Its report, if its thread lived to make one.
    pub(super) report: Option<Report>,
    /// What there is to say if it did not.
    pub(super) lost: String,
}

impl TestThread {
    pub(super) fn new(thread_per_test: bool, sender: Sender) -> std::io::Result<Self> {
        let place = if thread_per_test {
            Place::Each(None)
        } else {
            Place::One(kept_thread()?)
        };
        Ok(Self {
            finished: Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?),
            report: Arc::default(),
            hooks: Arc::new(ToRunner {
                sender,
                cancel: Notify::new(),
                whereabouts: Mutex::default(),
            }),
            place,
        })
    }

    /// Becomes readable when a test has ended.
    pub(super) fn finished_event(&self) -> &OwnedFd {
        &self.finished
    }

    /// Runs a test; the caller joins the last one first.
    pub(super) fn start(
        &mut self,
        def: &'static TestDef,
        assignment: Assignment,
        fixtures: ProcessFixtures,
    ) -> std::io::Result<()> {
        // A cancellation that came when its test had just ended is not for this one.
        self.hooks = Arc::new(ToRunner {
            sender: self.hooks.sender.clone(),
            cancel: Notify::new(),
            whereabouts: Mutex::default(),
        });
        let name = assignment.test.clone();
        let signal = Signal(self.finished.clone());
        let (report, hooks) = (self.report.clone(), self.hooks.clone());
        let job = move || {
            let _signal = signal;
            let made = execute(def, &assignment, &fixtures, &*hooks);
            *report.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
        };
        match &mut self.place {
            Place::Each(thread) => {
                *thread = Some(std::thread::Builder::new().name(name).spawn(job)?)
            }
            Place::One(jobs) => {
                // The kept thread ends only with its sender, so this cannot fail before the process ends.
                let _ = jobs.send(Box::new(job));
            }
        }
        Ok(())
    }

    /// Drops the running body, if it is one that can be dropped.
    pub(super) fn cancel(&self) {
        self.hooks.cancel.notify_one();
    }

    /// Where the running test is.
    pub(super) fn whereabouts(&self, time_is_up: bool) -> Vec<Trace> {
        let whereabouts = self.hooks.whereabouts();
        whereabouts.map_or_else(Vec::new, |whereabouts| whereabouts.ask(time_is_up))
    }

    /// Takes the report after [`Self::finished_event`]; the thread has ended when this returns.
    pub(super) fn join(&mut self) -> Finished {
        let mut lost = "its thread exited without a report".to_owned();
        if let Place::Each(thread) = &mut self.place
            && let Some(Err(panic)) = thread.take().map(JoinHandle::join)
        {
            lost = format!(
                "its thread panicked outside the test: {}",
                crate::fixture::panic_message(&*panic)
            );
        }
        Finished {
            report: self
                .report
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
            lost,
        }
    }
}

/// Tells the main thread, however the test's thread ends.
struct Signal(Arc<OwnedFd>);

impl Drop for Signal {
    fn drop(&mut self) {
        // The counter cannot overflow, so the write cannot block or fail.
        let _ = rustix::io::write(&*self.0, &1u64.to_ne_bytes());
    }
}

fn kept_thread() -> std::io::Result<mpsc::Sender<Job>> {
    let (sender, jobs) = mpsc::channel::<Job>();
    std::thread::Builder::new()
        .name("tests".into())
        .spawn(move || {
            for job in jobs {
                // A panic of the harness itself costs one test its report, not the others their thread.
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
            }
        })?;
    Ok(sender)
}

/// Tells the runner about phases, and the test about its cancellation.
struct ToRunner {
    sender: Sender,
    cancel: Notify,
    whereabouts: Mutex<Option<Arc<Whereabouts>>>,
}

impl ToRunner {
    fn whereabouts(&self) -> Option<Arc<Whereabouts>> {
        let known = self.whereabouts.lock();
        known.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Hooks for ToRunner {
    fn begins(&self, whereabouts: &Arc<Whereabouts>) {
        let known = self.whereabouts.lock();
        *known.unwrap_or_else(PoisonError::into_inner) = Some(whereabouts.clone());
    }

    fn phase(&self, phase: Phase) {
        // If the runner is gone, the main thread learns it from its own end.
        let _ = self.sender.send(&FromWorker::Phase(phase));
    }

    fn cancelled(&self) -> armadillo_orchestrator::Fut<'_, ()> {
        Box::pin(self.cancel.notified())
    }
}

impl Report {
    /// For a test whose thread ended without a report.
    pub(super) fn harness_failure(sequence: u64, message: String) -> Self {
        Self {
            sequence,
            end: End::Impossible(message),
            complaints: Vec::new(),
            kept: false,
            times: crate::event::Times::default(),
            changed: Some("a test's thread exited without a report".into()),
            keeps: Vec::new(),
        }
    }
}
