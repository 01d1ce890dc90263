//! Where a test is at this moment: at which `.await`, or in which call that blocks its thread.
//!
//! Futures under way are asked by polling them once more, see [`awaits`]. A thread that is not at an `.await` is interrupted
//! by a signal and takes its own stack, see [`stack`].

mod awaits;
mod stack;

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

pub(crate) use awaits::{Asked, ask};

use crate::test_def::TestDef;
use crate::trace::{Code, Origin, Trace, What};

/// How long a future may take to be polled. One that is not polled by then blocks its thread, or another task does.
const POLLED: Duration = Duration::from_secs(2);

/// How long a thread may take to take its stack.
const STACK: Duration = Duration::from_secs(1);

/// What is known of where one attempt of a test is. The thread of the test answers, any other one asks.
pub struct Whereabouts {
    def: &'static TestDef,
    thread: libc::pid_t,
    state: Mutex<State>,
    asked: Notify,
    answered: Condvar,
}

#[derive(Default)]
struct State {
    /// Futures of the test that are being driven now: they will answer.
    driven: usize,
    answer: Option<Vec<Origin>>,
    over: bool,
}

impl Whereabouts {
    /// Of a test that this thread is about to run.
    pub(crate) fn of_this_thread(def: &'static TestDef) -> Self {
        Self {
            def,
            thread: stack::this_thread(),
            state: Mutex::default(),
            asked: Notify::new(),
            answered: Condvar::new(),
        }
    }

    /// Ends when somebody asks.
    pub(crate) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Where the future under way waits: the answer to whoever asked.
    pub(crate) fn answer(&self, awaits: Vec<Origin>) {
        self.state().answer = Some(awaits);
        self.answered.notify_all();
    }

    /// While it lives, a future under way answers.
    pub(crate) fn driving(&self) -> Driving<'_> {
        self.state().driven += 1;
        Driving(self)
    }

    /// The test has ended: its thread may be one of another test by now.
    pub(crate) fn end(&self) {
        self.state().over = true;
        self.answered.notify_all();
    }

    /// Asks; blocks until there is an answer, three seconds at most. With `stack` a thread that is at no `.await` is
    /// interrupted and takes its stack; it may then be unable to go on, so only the thread of a test that has failed is.
    pub(crate) fn ask(&self, stack: bool) -> Vec<Trace> {
        if let Some(awaits) = self.ask_future() {
            return if awaits.is_empty() {
                vec![Trace::without_place(What::NeverWoken)]
            } else {
                self.resolve(&awaits, &What::Waits)
            };
        }
        if !stack {
            return Vec::new();
        }
        let calls = {
            // Held meanwhile, so that the thread is still the test's.
            let state = self.state();
            if state.over {
                return Vec::new();
            }
            stack::of_thread(self.thread, STACK)
        };
        match calls.map(Origin::of) {
            Some(origin) => self.resolve(&[origin], &What::Blocks),
            None => Vec::new(),
        }
    }

    /// The places that these lead to, each once.
    fn resolve(&self, origins: &[Origin], what: &What) -> Vec<Trace> {
        if !origins.iter().any(Origin::has_lines) {
            return vec![Trace::without_place(What::NoLineNumbers)];
        }
        let code = Code::of(Some(self.def));
        let mut traces: Vec<Trace> = Vec::new();
        for origin in origins {
            let trace = origin.resolve_in(&code, what.clone());
            if !trace.frames.is_empty() && !traces.contains(&trace) {
                traces.push(trace);
            }
        }
        traces
    }

    /// Where the futures under way wait; `None` if there are none, or if they are not polled.
    fn ask_future(&self) -> Option<Vec<Origin>> {
        let mut state = self.state();
        if state.driven == 0 || state.over {
            return None;
        }
        state.answer = None;
        self.asked.notify_one();
        let waiting = |state: &mut State| state.answer.is_none() && !state.over;
        let waited = self.answered.wait_timeout_while(state, POLLED, waiting);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.answer.take()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Whereabouts::driving`].
pub(crate) struct Driving<'w>(&'w Whereabouts);

impl Drop for Driving<'_> {
    fn drop(&mut self) {
        self.0.state().driven -= 1;
    }
}
