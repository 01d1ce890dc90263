//! Slots that this run shares with others. The daemon says when one of them may run tests that need no deployment; after a while it is
//! given back, since others may have something to do that takes longer.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Look, NOTE_LIMIT, Queue, State};
use crate::protocol::endpoints;

/// How long a slot begins such tests before it asks again: long against a request, short against a test with a deployment.
const STINT: Duration = Duration::from_millis(20);

/// Since when which slots of this run have one of the shared ones for tests without deployments.
#[derive(Default)]
pub(super) struct Stints(BTreeMap<u32, Instant>);

impl Stints {
    pub(super) fn begin(&mut self, slot: u32) {
        self.0.insert(slot, Instant::now());
    }

    /// Whether a slot may begin another such test.
    pub(super) fn lasts(&self, slot: u32) -> bool {
        let began = self.0.get(&slot);
        began.is_some_and(|began| began.elapsed() < STINT)
    }
}

impl State {
    /// What a slot does that has one of the shared ones for tests without deployments.
    pub(super) fn look_at_stint(&mut self, slot: u32) -> Option<Look> {
        if self.stints.lasts(slot)
            && let Some(task) = self.take_plain()
        {
            return Some(Look::Task(task));
        }
        let ends = self.stints.0.remove(&slot).is_some();
        ends.then_some(Look::FreeSlot)
    }
}

impl Queue {
    /// Whether the daemon decides for tests without deployments, too.
    pub(in crate::dispatch) fn shares_slots(&self) -> bool {
        self.shared_slots.is_some()
    }

    /// Whether a slot waits for the daemon on behalf of tests without deployments.
    pub(super) fn waits_for_plain(&self) -> bool {
        self.shares_slots() && !self.state.borrow().plain.is_empty()
    }

    /// One of the shared slots is not needed any more.
    pub(super) async fn free_slot(&self) {
        let Some(daemon) = &self.daemon else {
            return;
        };
        let freed = self.tell::<endpoints::FreeSlot>(daemon, &(), NOTE_LIMIT);
        if let Err(error) = freed.await {
            self.cannot_ask(&error);
        }
    }
}
