//! What the slots of a run share.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::cancel::Cancel;
use super::executor::Executors;
use super::journal::Journal;
use super::places::Places;
use super::queue::{Job, Queue};
use super::repeats::Repeats;
use crate::checking::Policies;
use crate::client::DaemonClient;
use crate::clock::Origin;
use crate::exit_code::Exit;
use crate::options::{IfInconclusive, Isolation};
use crate::plan::Plan;

/// What all slots of a run share.
pub(super) struct Context {
    pub(super) plan: Arc<Plan>,
    pub(super) queue: Rc<Queue>,
    pub(super) executors: Executors,
    /// The daemon, if the run has one.
    pub(super) daemon: Option<DaemonClient>,
    /// The clock by which it is told when a test began.
    pub(super) daemon_clock: Origin,
    /// Whether what fixtures keep for a deployment stays when the run is over.
    pub(super) leaves_fixtures: bool,
    pub(super) journal: Arc<Journal>,
    /// The log of a run that is part of another: that a test begins is in it before the test can end the process.
    pub(super) log_of_part: Option<PathBuf>,
    pub(super) isolation: Isolation,
    pub(super) seed: u64,
    pub(super) rounds: Option<u32>,
    pub(super) checkers: Policies,
    pub(super) factor: f64,
    pub(super) if_inconclusive: IfInconclusive,
    pub(super) limits: bool,
    /// `--keep-on-failure`.
    pub(super) keeps: bool,
    /// After how long a test is said to be slow, before the factor.
    pub(super) slow_timeout: Duration,
    pub(super) show_output: bool,
    pub(super) max_fail: Option<u32>,
    /// `--repeat until-fail`.
    pub(super) until_fail: bool,
    /// The directory of the run's files.
    pub(super) directory: PathBuf,
    /// Where the temporary directories of tests go.
    pub(super) temporary: PathBuf,
    /// The directories without which no verdict says anything.
    pub(super) places: Places,
    /// How often tests ran, if they run again and again.
    pub(super) repeats: Option<RefCell<Repeats>>,
    pub(super) tally: RefCell<Tally>,
    pub(super) cancel: Cancel,
}

impl Context {
    /// Whether it is an event that this attempt begins: one of very many repetitions is none.
    pub(super) fn is_told(&self, job: &Job) -> bool {
        self.repeats.is_none() || !job.again && job.attempt == 1
    }

    /// The number of the repetition that runs now, if tests run again and again.
    pub(super) fn repetition(&self, job: &Job) -> Option<u64> {
        let repeats = self.repeats.as_ref()?;
        Some(repeats.borrow().number(job.test))
    }

    /// The name of the test with the number of its repetition, as `--repeat` names it.
    pub(super) fn numbered(&self, job: &Job) -> String {
        let name = &self.plan.tests[job.test].name;
        match self.repetition(job) {
            None | Some(1) => name.clone(),
            Some(number) => format!("{name}#{number}"),
        }
    }
}

/// What the verdicts come to so far.
#[derive(Clone, Default)]
pub(super) struct Tally {
    pub(super) failures: u32,
    pub(super) exit: Exit,
}

impl Tally {
    /// Counts a test that did not pass.
    pub(super) fn failed(&mut self, exit: Exit) {
        self.failures += 1;
        self.ended(exit);
    }

    /// Takes note of a test that was ended because others had failed.
    pub(super) fn ended(&mut self, exit: Exit) {
        self.exit = self.exit.and(exit);
    }

    /// Whether as many failed as end the run (`--maxfail`).
    pub(super) fn is_enough(&self, max_fail: Option<u32>) -> bool {
        max_fail.is_some_and(|most| self.failures >= most)
    }
}
