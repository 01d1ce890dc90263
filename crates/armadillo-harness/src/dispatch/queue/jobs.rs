//! The attempts of tests, and what each has for itself.

use super::{Job, Queue};
use crate::needs::LeaseMode;
use crate::plan::Planned;

impl Queue {
    /// The first attempt of a test.
    pub(in crate::dispatch) fn first_attempt(&self, test: usize) -> Job {
        let needs = self.plan.tests[test].needs.iter();
        self.job(test, 1, needs.map(|need| need.mode).collect())
    }

    /// The next attempt of a test: with more isolation than the one before. With `processes` that is another process at
    /// first; without, its deployments are the only thing that it can have for itself.
    pub(in crate::dispatch) fn next_attempt(&self, job: &Job, processes: bool) -> Job {
        let step = if processes {
            job.attempt
        } else {
            job.attempt + 1
        };
        let needs = self.plan.tests[job.test].needs.iter();
        let modes = job
            .modes
            .iter()
            .zip(needs)
            .map(|(mode, need)| match (step, mode) {
                // There is no other deployment, and this one is never a test's own.
                _ if self.plan.attached.contains(&need.topology.system) => *mode,
                (2, LeaseMode::Shared) => LeaseMode::Exclusive,
                (3.., LeaseMode::Shared | LeaseMode::Exclusive) => LeaseMode::Fresh,
                (_, mode) => *mode,
            });
        self.job(job.test, job.attempt + 1, modes.collect())
    }

    fn job(&self, test: usize, attempt: u32, modes: Vec<LeaseMode>) -> Job {
        let mut state = self.state.borrow_mut();
        state.tickets += 1;
        Job {
            test,
            attempt,
            modes,
            again: false,
            ticket: state.tickets,
        }
    }
}

impl Job {
    /// Whether something must be prepared between the grant of its lease and its beginning: a process of its own.
    pub(in crate::dispatch) fn begins_later(&self, planned: &Planned) -> bool {
        self.attempt > 1 || planned.test.def.isolated
    }
}
