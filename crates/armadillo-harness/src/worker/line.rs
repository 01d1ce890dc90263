//! Runs the tests of a worker one after the other: each on its own thread named after the test, or all on one thread.
//!
//! A test that ends while another one waits starts that one's thread. The new thread waits until the old one is gone, reports the
//! old test, and runs its own. So there is one wake-up between two tests. If nothing waits, the main thread reports.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;

use rustix::event::{EventfdFlags, eventfd};

use super::link::Sender;
use super::mark::Marker;
use super::process_state::{ProcessState, Threads};
use super::to_runner::ToRunner;
use crate::fixture::{ProcessFixtures, execute};
use crate::judge;
use crate::protocol::worker::{Assignment, End, FromWorker, Report};
use crate::test_def::TestDef;
use crate::trace::Trace;

/// A test to run.
pub(super) struct Next {
    pub(super) def: &'static TestDef,
    pub(super) assignment: Box<Assignment>,
}

/// The tests of this process. Clones share the same state.
#[derive(Clone)]
pub(super) struct Line(Arc<Inner>);

struct Inner {
    sender: Sender,
    marker: Marker,
    fixtures: ProcessFixtures,
    place: Place,
    /// Becomes readable when the main thread has something to do.
    wants_main: OwnedFd,
    state: Mutex<State>,
}

/// Where tests run.
enum Place {
    /// On a thread of their own.
    Each,
    /// On one thread, kept.
    One(mpsc::Sender<Job>),
}

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct State {
    running: Option<Running>,
    /// What was sent ahead and has not begun.
    ahead: VecDeque<Next>,
    /// Whether tests that were sent ahead may begin.
    goes_on: bool,
    /// The thread of the test that began last, or that reports the one before it.
    thread: Option<JoinHandle<()>>,
    /// The thread before it, which ends.
    ending: Option<JoinHandle<()>>,
    /// Why the worker cannot go on.
    broken: Option<io::Error>,
}

/// A test that runs or has ended, and is not reported yet.
struct Running {
    sequence: u64,
    def: &'static TestDef,
    hooks: Arc<ToRunner>,
    /// How this process was before it.
    before: ProcessState,
    /// Its thread, if that ends with it.
    thread: Option<rustix::thread::Pid>,
    report: Option<Report>,
}

impl Line {
    pub(super) fn new(
        thread_per_test: bool,
        sender: Sender,
        marker: Marker,
        fixtures: ProcessFixtures,
    ) -> io::Result<Self> {
        let place = if thread_per_test {
            Place::Each
        } else {
            Place::One(kept_thread()?)
        };
        Ok(Self(Arc::new(Inner {
            sender,
            marker,
            fixtures,
            place,
            wants_main: eventfd(0, EventfdFlags::CLOEXEC)?,
            state: Mutex::default(),
        })))
    }

    /// Becomes readable when the main thread must call [`Self::take_over`].
    pub(super) fn wants_main(&self) -> &OwnedFd {
        &self.0.wants_main
    }

    /// Runs a test. Returns false if another one is running.
    pub(super) fn run(&self, test: Next) -> io::Result<bool> {
        let mut state = self.state();
        if state.running.is_some() {
            return Ok(false);
        }
        state.goes_on = true;
        drop(state);
        self.begin(test).map(|()| true)
    }

    /// Runs a test after those before it, unless the worker has stopped taking tests that were sent ahead.
    pub(super) fn run_next(&self, test: Next) -> io::Result<()> {
        let mut state = self.state();
        if !state.goes_on {
            return Ok(());
        }
        if state.running.is_some() {
            state.ahead.push_back(test);
            return Ok(());
        }
        let sequence = test.assignment.sequence;
        self.0.sender.send(&[FromWorker::Begins { sequence }])?;
        drop(state);
        self.begin(test)
    }

    /// Drops the tests that were sent ahead and have not begun.
    pub(super) fn take_back(&self) -> io::Result<()> {
        let mut state = self.state();
        state.refuse_all();
        // The lock is held, so no test can begin before this message is sent.
        self.0.sender.send(&[FromWorker::TakenBack])
    }

    /// Where the test with this number is; nothing if it does not run.
    pub(super) fn whereabouts(&self, sequence: u64, time_is_up: bool) -> Vec<Trace> {
        let hooks = self.hooks(sequence);
        hooks.map_or_else(Vec::new, |hooks| hooks.whereabouts(time_is_up))
    }

    /// Cancels the test with this number, if it runs.
    pub(super) fn cancel(&self, sequence: u64) {
        if let Some(hooks) = self.hooks(sequence) {
            hooks.cancel();
        }
    }

    fn hooks(&self, sequence: u64) -> Option<Arc<ToRunner>> {
        let state = self.state();
        let running = state.running.as_ref();
        let running = running.filter(|running| running.sequence == sequence);
        running.map(|running| running.hooks.clone())
    }

    /// Reports a test that has ended with none behind it.
    pub(super) fn take_over(&self) -> io::Result<()> {
        let mut state = self.state();
        if let Some(error) = state.broken.take() {
            return Err(error);
        }
        let thread = state.thread.take();
        drop(state);
        let lost = match thread.map(JoinHandle::join) {
            Some(Err(panic)) => format!(
                "its thread panicked outside the test: {}",
                crate::fixture::panic_message(&*panic)
            ),
            _ => "its thread exited without a report".to_owned(),
        };
        match self.report(self.0.place.threads_at_rest(), lost)? {
            Some((test, hooks)) => self.start(self.state(), test, hooks),
            None => Ok(()),
        }
    }

    /// Runs a test when no other one is running. Only the main thread calls this.
    fn begin(&self, test: Next) -> io::Result<()> {
        // The thread that reported the last test; it ran none itself.
        let thread = self.state().thread.take();
        // Its result does not matter.
        let _ = thread.map(JoinHandle::join);
        let mut state = self.state();
        let before = ProcessState::now(self.0.place.threads_at_rest());
        let hooks = state.runs(&test, before, &self.0.sender);
        self.start(state, test, hooks)
    }

    /// Starts the thread of a test, or gives it to the one that is kept.
    fn start(
        &self,
        mut state: MutexGuard<'_, State>,
        test: Next,
        hooks: Arc<ToRunner>,
    ) -> io::Result<()> {
        let name = test.assignment.test.clone();
        let line = self.clone();
        let job = move || line.run_on(test, hooks);
        match &self.0.place {
            Place::Each => {
                state.thread = Some(std::thread::Builder::new().name(name).spawn(job)?);
            }
            Place::One(jobs) => {
                // The kept thread ends only with its sender, so this cannot fail before the process ends.
                let _ = jobs.send(Box::new(job));
            }
        }
        Ok(())
    }

    /// Runs a test on this thread, and on the kept one those behind it.
    fn run_on(&self, mut test: Next, mut hooks: Arc<ToRunner>) {
        loop {
            let call = CallMain(&self.0.wants_main);
            let report = execute(test.def, &test.assignment, &self.0.fixtures, &*hooks);
            let mut state = self.state();
            let ends = matches!(self.0.place, Place::Each);
            if let Some(running) = &mut state.running {
                running.report = Some(report);
                running.thread = ends.then(rustix::thread::gettid);
            }
            let Some(next) = state.ahead.front() else {
                drop(state);
                return drop(call);
            };
            if ends {
                let name = next.assignment.test.clone();
                let line = self.clone();
                let follows = std::thread::Builder::new()
                    .name(name)
                    .spawn(move || line.follow());
                // If there can be no thread, the main thread finds that out, too.
                if let Ok(follows) = follows {
                    state.ending = state.thread.replace(follows);
                    call.not_needed();
                }
                return;
            }
            drop(state);
            let lost = String::new();
            match self.report(self.0.place.threads_at_rest(), lost) {
                Ok(Some(next)) => (test, hooks) = next,
                Ok(None) => return call.not_needed(),
                Err(error) => {
                    self.state().broken = Some(error);
                    return;
                }
            }
            call.not_needed();
        }
    }

    /// Waits for the end of the last test's thread, reports that test and runs the next one here.
    fn follow(&self) {
        let call = CallMain(&self.0.wants_main);
        let ending = self.state().ending.take();
        if let Some(ending) = ending {
            // It had made its report when it started this one.
            let _ = ending.join();
        }
        let threads = self.0.place.threads_at_rest() + 1;
        match self.report(threads, String::new()) {
            Ok(Some((test, hooks))) => {
                call.not_needed();
                self.run_on(test, hooks);
            }
            Ok(None) => call.not_needed(),
            Err(error) => self.state().broken = Some(error),
        }
    }

    /// Reports the test that has ended. If another one is behind it and may begin, it begins: the caller runs it. `threads` are
    /// those of the harness, and `lost` is the message if the test made no report.
    fn report(&self, threads: Threads, lost: String) -> io::Result<Option<(Next, Arc<ToRunner>)>> {
        let mut state = self.state();
        let Some(ended) = state.running.take() else {
            return Ok(None);
        };
        let sequence = ended.sequence;
        let now = ProcessState::after(&ended.before, threads, ended.thread);
        let mut report = (ended.report).unwrap_or_else(|| Report::harness_failure(sequence, lost));
        report.changed = now.change_since(&ended.before, &self.0.fixtures);
        report.goes_on = state.goes_on && report.is_plain(ended.def);
        if !report.goes_on {
            state.refuse_all();
        }
        self.0.marker.end_of_output(sequence)?;
        let done = FromWorker::Done(Box::new(report));
        let Some(next) = state.ahead.pop_front() else {
            self.0.sender.send(&[done])?;
            return Ok(None);
        };
        let hooks = state.runs(&next, now, &self.0.sender);
        let sequence = next.assignment.sequence;
        // Sent before the test begins, so that the runner knows which test it was if this process ends.
        let begins = FromWorker::Begins { sequence };
        self.0.sender.send(&[done, begins])?;
        Ok(Some((next, hooks)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        (self.0.state.lock()).unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn refuse_all(&mut self) {
        self.goes_on = false;
        self.ahead.clear();
    }

    /// This test runs now.
    fn runs(&mut self, test: &Next, before: ProcessState, sender: &Sender) -> Arc<ToRunner> {
        let hooks = Arc::new(ToRunner::new(sender.clone()));
        self.running = Some(Running {
            sequence: test.assignment.sequence,
            def: test.def,
            hooks: hooks.clone(),
            before,
            thread: None,
            report: None,
        });
        hooks
    }
}

impl Place {
    /// The threads of the harness between two tests.
    fn threads_at_rest(&self) -> Threads {
        match self {
            Self::Each => 1,
            Self::One(_) => 2,
        }
    }
}

/// Wakes the main thread when dropped, however the thread ends.
struct CallMain<'a>(&'a OwnedFd);

impl CallMain<'_> {
    /// Another thread continues, so the main thread is not needed.
    fn not_needed(self) {
        std::mem::forget(self);
    }
}

impl Drop for CallMain<'_> {
    fn drop(&mut self) {
        // The counter cannot overflow, so the write cannot block or fail.
        let _ = rustix::io::write(self.0, &1u64.to_ne_bytes());
    }
}

fn kept_thread() -> io::Result<mpsc::Sender<Job>> {
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

impl Report {
    /// For a test whose thread ended without a report.
    fn harness_failure(sequence: u64, message: String) -> Self {
        Self {
            sequence,
            end: End::Impossible(message),
            complaints: Vec::new(),
            kept: false,
            times: crate::event::Times::default(),
            changed: Some("a test's thread exited without a report".into()),
            knew_directories: true,
            goes_on: false,
            keeps: Vec::new(),
            shown: crate::event::Shown::default(),
        }
    }

    /// Whether the next test may begin without asking the runner.
    fn is_plain(&self, def: &TestDef) -> bool {
        self.changed.is_none()
            && self.complaints.is_empty()
            && self.keeps.is_empty()
            && !judge::is_failure(&self.end, def.should_panic)
    }
}
