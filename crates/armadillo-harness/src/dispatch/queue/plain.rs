//! The tests that need no deployment.

use super::{Job, Queue, State, Task};
use crate::plan::Planned;

impl Queue {
    /// Hands out an attempt of a test that needs no deployment, to whoever decides itself which test runs when.
    pub(in crate::dispatch) fn hand_out(&self, job: &Job) -> Option<Task> {
        let mut state = self.state.borrow_mut();
        if state.stopped {
            return None;
        }
        state.plain.retain(|other| other != job);
        state.running += 1;
        Some(Task::Run(job.clone(), Vec::new()))
    }

    pub(super) fn take_plain(&self) -> Option<Task> {
        let mut state = self.state.borrow_mut();
        if state.stopped {
            return None;
        }
        state.take_plain()
    }

    /// Takes up to `most` tests that need no deployment and are `wanted`, to be sent ahead by `slot`. None if there is something
    /// else that it should look at between two tests.
    pub(in crate::dispatch) fn take_ahead(
        &self,
        slot: u32,
        most: usize,
        wanted: impl Fn(&Job, &Planned) -> bool,
    ) -> Vec<Job> {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let has_chores = state.chores.get(&slot).is_some_and(|all| !all.is_empty());
        let is_over = self.shares_slots() && !state.stints.lasts(slot);
        let is_stopped = state.stopped || state.broken.is_some();
        if is_stopped || !state.wished.is_empty() || has_chores || is_over {
            return Vec::new();
        }
        let is_wanted = |job: &&Job| wanted(job, &self.plan.tests[job.test]);
        let count = state.plain.iter().take(most).take_while(is_wanted).count();
        state.running += count;
        state.plain.drain(..count).collect()
    }

    /// How many slots take tests from here.
    pub(in crate::dispatch) fn slots(&self) -> usize {
        usize::try_from(self.slots).unwrap_or(usize::MAX)
    }

    /// How many tests that need no deployment nobody has yet.
    pub(in crate::dispatch) fn plain_left(&self) -> usize {
        self.state.borrow().plain.len()
    }

    /// These were sent ahead and have not begun: they are the next ones.
    pub(in crate::dispatch) fn give_back(&self, jobs: Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        let mut state = self.state.borrow_mut();
        state.running -= jobs.len();
        for job in jobs.into_iter().rev() {
            state.plain.push_front(job);
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Another attempt of a test that needs no deployment.
    pub(in crate::dispatch) fn again(&self, retry: Job) {
        self.state.borrow_mut().plain.push_front(retry);
    }
}

impl State {
    pub(super) fn take_plain(&mut self) -> Option<Task> {
        let job = self.plain.pop_front()?;
        self.running += 1;
        Some(Task::Run(job, Vec::new()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::collect::Test;
    use crate::collect::tests::{definition, marked};
    use crate::plan::Plan;

    async fn queue(tests: usize) -> Queue {
        let def = marked(definition("suite", "does_nothing", 1), &[], None);
        let planned = |number| Planned {
            test: Test::new(def, (&[]).into()),
            name: format!("does_nothing#{number}"),
            needs: Vec::new(),
            expected: None,
            earlier: None,
            recorded: None,
            limit: Duration::from_secs(60),
            retries: 0,
        };
        let plan = Plan {
            tests: (0..tests).map(planned).collect(),
            topologies: Vec::new(),
            attached: BTreeSet::new(),
            script: None,
        };
        let queue = Queue::new(Arc::new(plan), 1, None, None);
        queue.begin(false).await.unwrap();
        queue
    }

    fn numbers(jobs: &[Job]) -> Vec<usize> {
        jobs.iter().map(|job| job.test).collect()
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_is_given_back_is_next_and_in_its_order() {
        let queue = queue(6).await;
        let ahead = queue.take_ahead(0, 4, |job, _| job.test != 3);
        assert_eq!(numbers(&ahead), [0, 1, 2]);
        assert_eq!(queue.plain_left(), 3);
        queue.give_back(ahead[1..].to_vec());
        let more = queue.take_ahead(0, 10, |_, _| true);
        assert_eq!(numbers(&more), [1, 2, 3, 4, 5]);
        assert_eq!(queue.state.borrow().running, 6);
        queue.give_back(more);
        assert_eq!(queue.state.borrow().running, 1);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_slot_without_work_waits_for_what_was_sent_ahead() {
        let queue = queue(2).await;
        let ahead = queue.take_ahead(0, 2, |_, _| true);
        let mut next = std::pin::pin!(queue.next(1));
        let waits = tokio::time::timeout(Duration::from_millis(1), &mut next).await;
        assert!(waits.is_err());
        queue.give_back(ahead);
        assert!(matches!(next.await, Some(Task::Run(job, _)) if job.test == 0));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn nothing_is_handed_out_after_the_end() {
        let queue = queue(2).await;
        let ahead = queue.take_ahead(0, 1, |_, _| true);
        queue.stop();
        queue.give_back(ahead);
        assert!(queue.take_ahead(0, 2, |_, _| true).is_empty());
        assert!(queue.next(0).await.is_none());
    }
}
