//! What is known of a run: the fold that all reports share.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;

use super::html::Story;
use crate::event::{
    Event, EventKind, PlannedTest, Repetitions, RunStarted, StartReason, TestFinished,
};
use crate::outcome::{FailureKind, Verdict};
use crate::settings::{Linked, again};

/// A run, as far as its events tell.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// What it was about to do.
    pub started: Option<RunStarted>,
    /// The tests that ended, in the order in which they did.
    pub tests: Vec<TestRecord>,
    /// The ignored tests and why.
    pub ignored: Vec<(String, String)>,
    /// Deployments by id.
    pub deployments: BTreeMap<String, DeploymentRecord>,
    /// What a person should know, and when it was said, in microseconds from the run's start; the earliest first.
    pub warnings: Vec<(u64, String)>,
    /// How the run ended.
    pub ending: Option<Ending>,
    /// Attempts of tests that are tried again, by the test's name.
    pub(super) pending: BTreeMap<String, Vec<Attempt>>,
    /// The attempts that began and did not end, by the test's name.
    pub(super) running: BTreeMap<String, Begun>,
    planned: HashMap<String, usize>,
    /// The disk was full.
    is_incomplete: bool,
    again: OnceLock<Vec<String>>,
    /// The moments, for the page.
    pub(super) story: Story,
    /// How often all tests together have run so far, if they run again and again.
    pub repeating: Option<Repetitions>,
    /// How often each of them ran.
    pub repeated: BTreeMap<String, Repetitions>,
    /// Microseconds from the run's start to the newest event.
    pub now_us: u64,
}

/// What is said when the disk is full.
pub(super) fn files_incomplete(directory: &str, error: &str) -> String {
    format!("cannot write to {directory}: {error}; the run continues, but its files are incomplete")
}

/// A test that ended for good.
#[derive(Clone, Debug)]
pub struct TestRecord {
    /// Its name.
    pub name: String,
    /// Its attempts; the last one counts. There is at least one.
    pub attempts: Vec<Attempt>,
}

/// One attempt of a test.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Everything its end tells.
    pub finished: TestFinished,
    /// When it ended, in microseconds from the run's start.
    pub ended_us: u64,
}

/// An attempt of a test that began.
#[derive(Clone, Debug)]
pub(super) struct Begun {
    pub(super) attempt: u32,
    pub(super) worker: Option<u32>,
    pub(super) deployments: Vec<String>,
    /// When, in microseconds from the run's start.
    pub(super) at_us: u64,
}

/// A deployment of the run.
#[derive(Clone, Debug, Default)]
pub struct DeploymentRecord {
    /// Its complete topology, as text.
    pub topology: String,
    /// Its system.
    pub system: String,
    /// Why it was started.
    pub reason: Option<StartReason>,
    /// When its start began, in microseconds from the run's start.
    pub starting_us: u64,
    /// How long its start took, in microseconds; `None` if it never was ready.
    pub took_us: Option<u64>,
    /// Why it could not be started.
    pub failed: Option<String>,
    /// Repairs.
    pub repaired: Vec<String>,
    /// How long each took, in microseconds.
    pub repairs_us: Vec<u64>,
    /// Why it was given up.
    pub recycled: Option<String>,
    /// What was not as it should be when it stopped.
    pub complaints: Vec<String>,
    /// Whether it stopped because others needed its room.
    pub evicted: bool,
    /// Whether its servers are gone.
    pub stopped: bool,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The exit code.
    pub exit_code: u8,
    /// Why it ended early, if it did.
    pub early: Option<String>,
    /// When, in microseconds from the run's start.
    pub at_us: u64,
}

impl TestRecord {
    /// The attempt that counts.
    #[must_use]
    pub fn last(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    /// Its verdict.
    #[must_use]
    pub fn verdict(&self) -> &Verdict {
        self.last()
            .map_or(&Verdict::Passed, |attempt| &attempt.finished.verdict)
    }

    /// Whether it passed, but not at once.
    #[must_use]
    pub fn is_flaky(&self) -> bool {
        *self.verdict() == Verdict::Passed && self.attempts.len() > 1
    }

    /// How long its attempts took together, in microseconds.
    #[must_use]
    pub fn total_us(&self) -> u64 {
        self.attempts
            .iter()
            .map(|attempt| attempt.finished.times.total)
            .sum()
    }
}

impl Model {
    /// What the daemon says comes later than what the runner says, and in the log at other places.
    fn warn(&mut self, us: u64, text: String) {
        let warning = (us, text);
        let at = self.warnings.partition_point(|known| *known <= warning);
        self.warnings.insert(at, warning);
    }

    /// Takes in the next event. Returns the test that ended for good with it.
    pub fn on(&mut self, event: &Event) -> Option<&TestRecord> {
        self.now_us = self.now_us.max(event.us);
        self.story.on(event);
        match &event.kind {
            EventKind::RunStarted(started) => {
                let names = started.tests.iter().enumerate();
                self.planned = names.map(|(at, test)| (test.test.clone(), at)).collect();
                self.started = Some(started.clone());
            }
            EventKind::TestIgnored { test, reason } => {
                self.ignored.push((test.clone(), reason.clone()));
            }
            EventKind::TestFinished(finished) => return self.test_finished(event.us, finished),
            EventKind::TestStarted {
                test,
                attempt,
                worker,
                deployments,
                ..
            } => {
                let begun = Begun {
                    attempt: *attempt,
                    worker: *worker,
                    deployments: deployments.clone(),
                    at_us: event.us,
                };
                self.running.insert(test.clone(), begun);
            }
            EventKind::Repeating(so_far) => self.repeating = Some(*so_far),
            EventKind::Repeated { tests } => {
                for (test, counts) in tests {
                    let known = self.repeated.entry(test.clone()).or_default();
                    *known = known.and(*counts);
                }
            }
            EventKind::FilesIncomplete { directory, error } if !self.is_incomplete => {
                self.is_incomplete = true;
                self.warn(event.us, files_incomplete(directory, error));
            }
            EventKind::Warning { text } => self.warn(event.us, text.clone()),
            EventKind::RunFinished {
                exit_code,
                ended_early,
            } => {
                self.ending = Some(Ending {
                    exit_code: *exit_code,
                    early: ended_early.clone(),
                    at_us: event.us,
                });
            }
            other => self.deployment(event.us, other),
        }
        None
    }

    fn test_finished(&mut self, us: u64, finished: &TestFinished) -> Option<&TestRecord> {
        self.running.remove(&finished.test);
        let attempt = Attempt {
            finished: finished.clone(),
            ended_us: us,
        };
        if finished.retried {
            self.pending
                .entry(finished.test.clone())
                .or_default()
                .push(attempt);
            return None;
        }
        let mut attempts = self.pending.remove(&finished.test).unwrap_or_default();
        attempts.push(attempt);
        self.tests.push(TestRecord {
            name: finished.test.clone(),
            attempts,
        });
        self.tests.last()
    }

    fn deployment(&mut self, us: u64, kind: &EventKind) {
        match kind {
            EventKind::DeploymentStarting {
                deployment,
                topology,
                reason,
            } => {
                let record = self.record(deployment);
                record.topology = topology.to_string();
                record.system.clone_from(&topology.system);
                record.reason = Some(*reason);
                record.starting_us = us;
            }
            EventKind::DeploymentReady {
                deployment,
                took_us,
            } => self.record(deployment).took_us = Some(*took_us),
            EventKind::DeploymentFailed { deployment, error } => {
                self.record(deployment).failed = Some(error.clone());
            }
            EventKind::DeploymentRepaired {
                deployment,
                what,
                took_us,
            } => {
                let record = self.record(deployment);
                record.repaired.push(what.clone());
                record.repairs_us.push(*took_us);
            }
            EventKind::DeploymentRecycled { deployment, reason } => {
                self.record(deployment).recycled = Some(reason.clone());
            }
            EventKind::DeploymentStopped {
                deployment,
                complaints,
                evicted,
            } => {
                let record = self.record(deployment);
                record.stopped = true;
                record.complaints.clone_from(complaints);
                record.evicted = *evicted;
            }
            _ => {}
        }
    }

    fn record(&mut self, deployment: &str) -> &mut DeploymentRecord {
        self.deployments.entry(deployment.to_owned()).or_default()
    }

    /// How a test was planned.
    #[must_use]
    pub fn planned(&self, test: &str) -> Option<&PlannedTest> {
        let at = self.planned.get(test)?;
        self.started.as_ref()?.tests.get(*at)
    }

    /// The id of a test across executables: `package::binary$name`.
    #[must_use]
    pub fn id_of(&self, test: &str) -> String {
        let started = self.started.as_ref();
        let (executable, name) = self.place_of(test);
        started.map_or_else(String::new, |_| format!("{executable}${name}"))
    }

    /// The executable of a test, and its name there. In the report of several executables, names begin with them.
    #[must_use]
    pub fn place_of<'a>(&self, test: &'a str) -> (String, &'a str) {
        let origin = self.planned(test).and_then(|test| test.origin.as_ref());
        let executable = match (origin, test.split_once('$')) {
            (Some(origin), _) => origin.executable(),
            // An ignored test is not planned.
            (None, Some((executable, _))) if self.has_several_executables() => {
                executable.to_owned()
            }
            _ => self
                .started
                .as_ref()
                .map_or_else(String::new, RunStarted::executable),
        };
        let name = test.strip_prefix(&*executable);
        let name = name.and_then(|name| name.strip_prefix('$')).unwrap_or(test);
        (executable, name)
    }

    /// Whether the run is made of those of several executables.
    fn has_several_executables(&self) -> bool {
        let started = self.started.as_ref();
        started.is_some_and(|run| run.binary.is_empty() && !run.tests.is_empty())
    }

    /// The flags of the run that a test needs to run again as it ran.
    pub(super) fn again(&self) -> &[String] {
        self.again.get_or_init(|| {
            let args = self.started.as_ref().map_or(&[][..], |run| &run.args);
            again(args, &Linked::registered())
        })
    }

    /// How many tests the run shows: those that run and those that are ignored.
    #[must_use]
    pub fn selected(&self) -> usize {
        self.started
            .as_ref()
            .map_or(0, |started| started.tests.len())
            + self.ignored.len()
    }

    /// Counts of verdicts.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts {
            ignored: self.ignored.len(),
            ..Counts::default()
        };
        for test in &self.tests {
            match test.verdict() {
                Verdict::Passed => counts.passed += 1,
                Verdict::Skipped { .. } => counts.skipped += 1,
                Verdict::Failed {
                    kind: FailureKind::Inconclusive,
                    ..
                } => counts.inconclusive += 1,
                Verdict::Failed { .. } => counts.failed += 1,
            }
            counts.flaky += usize::from(test.is_flaky());
        }
        counts
    }

    /// Whether a command ran instead of tests.
    #[must_use]
    pub fn is_of_command(&self) -> bool {
        let started = self.started.as_ref();
        started.is_some_and(|started| started.command.is_some())
    }

    /// Why this deployment was started, or is there without having been.
    pub(super) fn reason(&self, deployment: &str) -> Option<StartReason> {
        self.deployments.get(deployment)?.reason
    }

    /// Why the run ended before everything had run, as far as the events tell.
    #[must_use]
    pub fn ended_early(&self) -> Option<&str> {
        match &self.ending {
            Some(ending) => ending.early.as_deref(),
            None => Some("the event log is incomplete"),
        }
    }

    /// The failed tests by name.
    #[must_use]
    pub fn failures(&self) -> Vec<&TestRecord> {
        let failed = self.tests.iter().filter(|test| test.verdict().is_failure());
        let mut failed: Vec<&TestRecord> = failed.collect();
        failed.sort_by(|a, b| a.name.cmp(&b.name));
        failed
    }

    /// The stand-ins the run used, as they are to be shown; each once, however many programs of a system it stands in for.
    #[must_use]
    pub fn stand_ins(&self) -> BTreeSet<&str> {
        let programs = self
            .started
            .iter()
            .flat_map(|started| started.programs.values());
        programs
            .filter_map(|program| program.stand_in.as_deref())
            .collect()
    }
}

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Passed, at once or later.
    pub passed: usize,
    /// Failed, and known to have failed.
    pub failed: usize,
    /// Could not find out what they were to find out.
    pub inconclusive: usize,
    /// Ignored before the run.
    pub ignored: usize,
    /// Skipped by themselves.
    pub skipped: usize,
    /// Of the passed: not at once.
    pub flaky: usize,
}

impl Counts {
    /// What libtest calls failed: both kinds.
    #[must_use]
    pub fn not_passed(&self) -> usize {
        self.failed + self.inconclusive
    }

    /// What libtest calls ignored: both kinds.
    #[must_use]
    pub fn not_run(&self) -> usize {
        self.ignored + self.skipped
    }
}
