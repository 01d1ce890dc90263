//! What ties a running test to the runner.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::link::Sender;
use crate::fixture::Hooks;
use crate::protocol::worker::{FromWorker, Phase};
use crate::trace::Trace;
use crate::whereabouts::Whereabouts;

/// Tells the runner about the phases of one test, and the test about its cancellation.
pub(super) struct ToRunner {
    sender: Sender,
    cancel: Notify,
    whereabouts: Mutex<Option<Arc<Whereabouts>>>,
}

impl ToRunner {
    pub(super) fn new(sender: Sender) -> Self {
        Self {
            sender,
            cancel: Notify::new(),
            whereabouts: Mutex::default(),
        }
    }

    /// Drops the body, if it is one that can be dropped.
    pub(super) fn cancel(&self) {
        self.cancel.notify_one();
    }

    /// Where the test is.
    pub(super) fn whereabouts(&self, time_is_up: bool) -> Vec<Trace> {
        let known = self.whereabouts.lock();
        let known = known.unwrap_or_else(PoisonError::into_inner).clone();
        known.map_or_else(Vec::new, |whereabouts| whereabouts.ask(time_is_up))
    }
}

impl Hooks for ToRunner {
    fn begins(&self, whereabouts: &Arc<Whereabouts>) {
        let known = self.whereabouts.lock();
        *known.unwrap_or_else(PoisonError::into_inner) = Some(whereabouts.clone());
    }

    fn phase(&self, phase: Phase) {
        // If the runner is gone, the main thread learns it from its own end.
        let _ = self.sender.send(&[FromWorker::Phase(phase)]);
    }

    fn cancelled(&self) -> armadillo_orchestrator::Fut<'_, ()> {
        Box::pin(self.cancel.notified())
    }
}
