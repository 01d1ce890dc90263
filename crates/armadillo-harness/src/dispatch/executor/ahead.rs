//! The tests that were sent ahead to a worker and have not begun. They are the slot's until they begin; if they do not, they
//! go back to the queue, and no attempt of theirs is counted.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use super::super::queue::{Job, Queue};
use super::pace::{Left, Pace};

/// If a test runs longer than this, the tests sent behind it return to the queue, so that other slots can run them.
pub(super) const PATIENCE: Duration = Duration::from_millis(10);

/// What waits in the worker of one slot.
pub(super) struct Ahead {
    queue: Rc<Queue>,
    /// Whether anything may be sent ahead in this run.
    allowed: bool,
    /// In the order in which they were sent.
    sent: VecDeque<(Job, u64)>,
    pace: Pace,
    /// Whether the worker begins what is sent ahead now.
    open: bool,
}

impl Ahead {
    pub(super) fn new(queue: Rc<Queue>, allowed: bool) -> Self {
        Self {
            queue,
            allowed,
            sent: VecDeque::new(),
            pace: Pace::default(),
            open: false,
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Whether the worker begins what waits there, as far as it was told.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// A test was sent while no other one was running or waiting.
    pub(super) fn opens(&mut self) {
        self.open = true;
    }

    /// The worker is told to begin nothing more of it. What it has begun by then, it says.
    pub(super) fn closes(&mut self) {
        self.open = false;
    }

    /// How many more are to be sent now.
    pub(super) fn wanted(&self) -> usize {
        if !self.allowed || !self.open {
            return 0;
        }
        self.pace.more(Left {
            tests: self.queue.plain_left(),
            waiting: self.sent.len(),
            slots: self.queue.slots(),
        })
    }

    /// This one is sent.
    pub(super) fn push(&mut self, job: Job, sequence: u64) {
        self.sent.push_back((job, sequence));
    }

    /// The number of the one that begins next.
    pub(super) fn next(&self) -> Option<u64> {
        self.sent.front().map(|(_, sequence)| *sequence)
    }

    /// The next one has begun.
    pub(super) fn begun(&mut self) -> Option<Job> {
        self.sent.pop_front().map(|(job, _)| job)
    }

    /// A test has ended. If `goes_on` is false, the worker begins nothing more that was sent ahead.
    pub(super) fn reported(&mut self, took: Duration, goes_on: bool) {
        self.pace.took(took);
        if !goes_on {
            self.give_back();
        }
    }

    /// None of them begins any more.
    pub(super) fn give_back(&mut self) {
        self.open = false;
        let jobs = self.sent.drain(..).map(|(job, _)| job);
        self.queue.give_back(jobs.collect());
    }
}
