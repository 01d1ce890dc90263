//! What a slot asks the daemon, and what comes of the answer.

use std::pin::Pin;

use tokio::sync::futures::Notified;

use super::{NOTE_LIMIT, Queue, State, Task};
use crate::client::{AskError, WITHOUT_LIMIT};
use crate::protocol::daemon::{DropPoll, Next, Ready};
use crate::protocol::endpoints;

impl Queue {
    /// Asks the daemon. A wait ends when there is something else for the slot to do.
    pub(super) async fn ask(
        &self,
        slot: u32,
        wait: bool,
        changed: Pin<&mut Notified<'_>>,
    ) -> Option<Task> {
        let daemon = self.daemon.as_ref()?;
        let poll = self.next_poll();
        let plain = self.waits_for_plain();
        let ready = Ready { poll, wait, plain };
        let asked = self.tell::<endpoints::Next>(daemon, &ready, WITHOUT_LIMIT);
        let mut asked = std::pin::pin!(asked);
        let answer = tokio::select! {
            biased;
            answer = &mut asked => answer,
            () = self.something_else(slot, plain, changed), if wait => {
                // The daemon answers the request that waits, be it with a lease that was on its way.
                let drop_poll = DropPoll { poll };
                match self.tell::<endpoints::DropPoll>(daemon, &drop_poll, NOTE_LIMIT).await {
                    Ok(_) => asked.await,
                    Err(error) => Err(error),
                }
            }
        };
        match answer {
            Ok(next) => self.take(slot, next),
            Err(error) => {
                self.cannot_ask(&error);
                None
            }
        }
    }

    /// The daemon cannot be asked any more.
    pub(super) fn cannot_ask(&self, error: &AskError) {
        self.state.borrow_mut().broken = Some(error.to_string());
        self.changed.notify_waiters();
    }

    /// Waits until a slot that waits for the daemon has something else to do. `changed` was armed before the last look.
    async fn something_else(&self, slot: u32, plain: bool, changed: Pin<&mut Notified<'_>>) {
        changed.await;
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let stays = self.stays.is_some();
            if self.state.borrow().is_wanted_elsewhere(slot, stays, plain) {
                return;
            }
            changed.await;
        }
    }

    /// A number for one request that may wait.
    fn next_poll(&self) -> u32 {
        let mut state = self.state.borrow_mut();
        state.polls = state.polls.wrapping_add(1);
        state.polls
    }

    fn take(&self, slot: u32, next: Next) -> Option<Task> {
        let mut state = self.state.borrow_mut();
        match next {
            Next::Run { ticket, leases } => {
                let job = state.wished.remove(&ticket)?;
                state.running += 1;
                Some(Task::Run(job, leases))
            }
            Next::Refused { ticket, error } => {
                let job = state.wished.remove(&ticket)?;
                state.running += 1;
                Some(Task::Refused(job, error))
            }
            Next::DropFixtures { deployment } => {
                let slots = state.keepers.get(&deployment).cloned().unwrap_or_default();
                for slot in slots {
                    let chores = state.chores.entry(slot).or_default();
                    chores.push_back(deployment.clone());
                }
                self.changed.notify_waiters();
                None
            }
            Next::Plain => {
                state.stints.begin(slot);
                if state.stopped {
                    None
                } else {
                    state.take_plain()
                }
            }
            Next::Nothing => None,
        }
    }
}

impl State {
    /// Whether a slot that waits for the daemon should do something else. If the daemon `stays`, it says of no deployment that
    /// what is kept for it is to be torn down. If the slot waits for `plain` tests, too, these are nothing else.
    fn is_wanted_elsewhere(&self, slot: u32, stays: bool, plain: bool) -> bool {
        let chores = self.chores.get(&slot).is_some_and(|all| !all.is_empty());
        let has_plain = !self.plain.is_empty();
        let nothing_to_wait_for = self.wished.is_empty() && (self.keepers.is_empty() || stays);
        chores
            || self.stopped
            || self.broken.is_some()
            || (has_plain && !plain)
            || (nothing_to_wait_for && !(has_plain && plain))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::plan::Plan;

    /// The daemon answers whoever waits, perhaps before the slot that keeps them has heard that its lease has ended.
    #[tokio::test(flavor = "current_thread")]
    async fn fixtures_are_torn_down_by_the_slot_that_keeps_them() {
        let plan = Plan {
            tests: Vec::new(),
            topologies: Vec::new(),
            attached: BTreeSet::new(),
            script: None,
        };
        let queue = Queue::new(Arc::new(plan), 2, None, None);
        let deployment = String::from("tally-1");
        assert_eq!(
            queue.keeps(1, std::slice::from_ref(&deployment)),
            ["tally-1"]
        );
        let drop = Next::DropFixtures { deployment };
        assert!(queue.take(0, drop).is_none());
        let next = queue.next(1).await;
        assert!(matches!(next, Some(Task::DropFixtures(deployment)) if deployment == "tally-1"));
    }
}
