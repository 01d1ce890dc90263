//! What is said of tests that run again and again.

use std::time::Instant;

use super::context::Context;
use super::queue::Job;
use super::repeats::{Ended, Follows};
use crate::event::EventKind;

/// How an attempt ended.
pub(super) struct How {
    pub(super) failed: bool,
    /// Whether it asked to be skipped.
    pub(super) is_skipped: bool,
    pub(super) is_cut_off: bool,
    /// Whether another attempt follows.
    pub(super) is_retried: bool,
    /// Whether its deployments could be had.
    pub(super) was_possible: bool,
}

/// An attempt has ended: whether that is an event, and whether its test runs again.
pub(super) fn follows(context: &Context, job: &Job, how: &How) -> Follows {
    let Some(repeats) = &context.repeats else {
        return Follows {
            is_told: true,
            again: false,
            progress: false,
        };
    };
    if how.is_retried {
        return Follows {
            is_told: false,
            again: false,
            progress: false,
        };
    }
    let ended = match how {
        How {
            is_cut_off: true, ..
        } => Ended::CutOff,
        How { failed: true, .. } => Ended::Failed,
        How {
            is_skipped: true, ..
        } => Ended::Skipped,
        How { failed: false, .. } => Ended::Well {
            retried: job.attempt > 1,
        },
    };
    let is_stopped = context.queue.is_stopped() || !how.was_possible;
    let mut repeats = repeats.borrow_mut();
    let follows = repeats.ended(job.test, ended, Instant::now(), is_stopped);
    if follows.progress {
        context.journal.emit(EventKind::Repeating(repeats.sum()));
    }
    follows
}

/// The run is over: tells of tests of which nothing was told yet, and how often each ran.
pub(super) fn conclude(context: &Context) {
    let Some(repeats) = &context.repeats else {
        return;
    };
    let (last, counts) = repeats.borrow_mut().conclude();
    for finished in last {
        context.journal.emit(EventKind::TestFinished(finished));
    }
    if !counts.is_empty() {
        let name = |test: usize| context.plan.tests[test].name.clone();
        let tests = counts
            .into_iter()
            .map(|(test, counts)| (name(test), counts));
        context.journal.emit(EventKind::Repeated {
            tests: tests.collect(),
        });
    }
}
