//! A run as it was: which test ran where, and in which order tests began and ended.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{Event, EventKind, RunStarted, StartReason, TestFinished};
use crate::outcome::Verdict;
use crate::script::{Move, Script, Step, VERSION};

/// Why a run cannot be repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Its events are incomplete.
    #[error("its event log has no start of a run")]
    NeverStarted,
    /// Each of its tests was a run.
    #[error(
        "it is a run of nextest, in which every test is a separate run that nextest has started\n\
         help: run the tests with `cargo test` or `armadillo test run`, and repeat that run"
    )]
    Nextest,
    /// It has several executables.
    #[error(
        "it is a run of several test executables\nhelp: repeat the part with the test: {}",
        parts.join(" or ")
    )]
    Several {
        /// The directories of their runs.
        parts: Vec<String>,
    },
    /// A command ran instead of tests.
    #[error("it ran a command, not tests")]
    Command,
    /// Its servers were not started for it.
    #[error(
        "its tests ran on servers that somebody else started: what they did to them before is not known, and cannot be undone"
    )]
    Attached,
    /// Only one repetition of each test is in its events.
    #[error(
        "its tests ran again and again (`--repeat until-fail` or `--stress-for`), and only one repetition of each is recorded\n\
         help: run the tests with `--repeat N`, of which every repetition is recorded, and repeat that run"
    )]
    Repetitions,
    /// No test has begun in it.
    #[error("no test began in it")]
    Nothing,
}

/// The first attempt of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The test's name.
    pub test: String,
    /// Its deployments, in the order of its needs.
    pub on: Vec<String>,
    /// How it ended.
    pub verdict: Option<Verdict>,
    /// Whether another attempt followed.
    pub retried: bool,
}

/// A run, from its events.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its first event.
    pub started: RunStarted,
    /// The first attempts of its tests that began, in their order.
    pub tests: Vec<Attempt>,
    /// How tests ended that never began: their deployments could not be had.
    pub never_began: BTreeMap<String, Verdict>,
    /// Deployments that were there before the run, with what others had done to them.
    pub taken_over: BTreeSet<String>,
    /// What happened, in this order.
    pub(super) moves: Vec<Move>,
    /// How it ended; `None` if it was killed.
    pub exit_code: Option<u8>,
    pub(super) attached: bool,
    /// Its tests ran until one failed or for a time.
    pub(super) repeats: bool,
}

impl Record {
    /// What the events of a run say.
    ///
    /// # Errors
    /// When they are not those of a run.
    pub fn of(events: &[Event]) -> Result<Self, RecordError> {
        let started = events.iter().find_map(|event| match &event.kind {
            EventKind::RunStarted(started) => Some(started.clone()),
            _ => None,
        });
        let mut record = Self {
            started: started.ok_or(RecordError::NeverStarted)?,
            tests: Vec::new(),
            never_began: BTreeMap::new(),
            taken_over: BTreeSet::new(),
            moves: Vec::new(),
            exit_code: None,
            attached: false,
            repeats: false,
        };
        let mut places = BTreeMap::new();
        for event in events {
            record.on(&event.kind, &mut places);
        }
        record.forget_those_put_back();
        Ok(record)
    }

    fn on<'e>(&mut self, event: &'e EventKind, places: &mut BTreeMap<&'e str, usize>) {
        self.repeats |= match event {
            EventKind::Repeating(_) | EventKind::Repeated { .. } => true,
            EventKind::TestFinished(ended) => ended.repetition.is_some(),
            _ => false,
        };
        match event {
            EventKind::TestStarted {
                test,
                attempt: 1,
                deployments,
                ..
            } => {
                places.insert(test, self.tests.len());
                self.moves.push(Move::Begin(self.tests.len()));
                self.tests.push(Attempt {
                    test: test.clone(),
                    on: deployments.clone(),
                    verdict: None,
                    retried: false,
                });
            }
            EventKind::TestPutBack {
                test, attempt: 1, ..
            } => {
                // It begins again later, as if this had not been.
                let place = places.remove(test.as_str());
                self.moves
                    .retain(|step| Some(*step) != place.map(Move::Begin));
            }
            EventKind::TestFinished(ended) if ended.attempt == 1 => self.ended(ended, places),
            EventKind::DeploymentStarting {
                deployment, reason, ..
            } => match reason {
                StartReason::Attached => self.attached = true,
                StartReason::Shared => _ = self.taken_over.insert(deployment.clone()),
                _ => {}
            },
            EventKind::RunFinished { exit_code, .. } => self.exit_code = Some(*exit_code),
            _ => {}
        }
    }

    fn ended(&mut self, ended: &TestFinished, places: &BTreeMap<&str, usize>) {
        match places.get(ended.test.as_str()) {
            Some(place) => {
                let attempt = &mut self.tests[*place];
                attempt.verdict = Some(ended.verdict.clone());
                attempt.retried = ended.retried;
                self.moves.push(Move::End(*place));
            }
            None => {
                let verdict = ended.verdict.clone();
                self.never_began.insert(ended.test.clone(), verdict);
            }
        }
    }

    /// Leaves the attempts that have a beginning, under their new numbers.
    fn forget_those_put_back(&mut self) {
        let mut numbers = vec![None; self.tests.len()];
        let mut count = 0;
        for step in &self.moves {
            if let Move::Begin(old) = step {
                numbers[*old] = Some(count);
                count += 1;
            }
        }
        for step in &mut self.moves {
            let (Move::Begin(number) | Move::End(number)) = step;
            *number = numbers[*number].unwrap_or_default();
        }
        let mut there = numbers.iter().map(Option::is_some);
        self.tests.retain(|_| there.next().unwrap_or_default());
    }

    /// Whether it can be repeated at all.
    ///
    /// # Errors
    /// When it cannot, with the reason.
    pub fn check(&self) -> Result<(), RecordError> {
        let started = &self.started;
        let is_nextest = |part: &str| part.starts_with("nextest-");
        let part_of = started.part.as_ref().and_then(|part| part.of.as_deref());
        match () {
            () if started.command.is_some() => Err(RecordError::Command),
            () if part_of.is_some_and(is_nextest) => Err(RecordError::Nextest),
            () if self.attached => Err(RecordError::Attached),
            () if self.repeats => Err(RecordError::Repetitions),
            () if self.tests.is_empty() => Err(RecordError::Nothing),
            () => Ok(()),
        }
    }

    /// The number of a test.
    #[must_use]
    pub fn place(&self, test: &str) -> Option<usize> {
        self.tests.iter().position(|known| known.test == test)
    }

    /// What repeats the first attempts of these tests; `None`: of all.
    #[must_use]
    pub fn script(&self, only: Option<&BTreeSet<usize>>) -> Script {
        let is_wanted = |test: &usize| only.is_none_or(|only| only.contains(test));
        let name = |test: usize| self.tests[test].test.clone();
        let steps = self.moves.iter().filter_map(|step| match *step {
            Move::Begin(test) if is_wanted(&test) => Some(Step::Begin {
                begin: name(test),
                on: self.tests[test].on.clone(),
            }),
            Move::End(test) if is_wanted(&test) => Some(Step::End { end: name(test) }),
            Move::Begin(_) | Move::End(_) => None,
        });
        let mut steps: Vec<Step> = steps.collect();
        // Nothing waits for the last ends.
        while matches!(steps.last(), Some(Step::End { .. })) {
            steps.pop();
        }
        Script {
            script: VERSION,
            of: self.started.run.clone(),
            steps,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::event::{self, Repetitions};
    use crate::outcome::FailureKind;
    use crate::report::sample;

    /// A run in which this happened: `+a@x,y` a begins on x and y, `-a` it passes, `!a` it fails, `?a` it is put back.
    pub(in crate::replay) fn run(happened: &str) -> Record {
        let started = sample::started(Vec::new(), 0);
        let mut kinds = vec![EventKind::RunStarted(started)];
        kinds.extend(happened.split_whitespace().map(event_of));
        of_kinds(kinds)
    }

    fn of_kinds(kinds: Vec<EventKind>) -> Record {
        let events: Vec<Event> = (kinds.into_iter().zip(0..))
            .map(|(kind, us)| Event {
                v: event::VERSION,
                us,
                kind,
            })
            .collect();
        Record::of(&events).unwrap()
    }

    fn event_of(word: &str) -> EventKind {
        let (what, rest) = word.split_at(1);
        let (test, on) = rest.split_once('@').unwrap_or((rest, ""));
        let test = test.to_owned();
        let on = on.split(',').filter(|on| !on.is_empty());
        match what {
            "+" => EventKind::TestStarted {
                test,
                attempt: 1,
                worker: None,
                lease: None,
                deployments: on.map(str::to_owned).collect(),
            },
            "?" => EventKind::TestPutBack {
                test,
                attempt: 1,
                why: String::new(),
            },
            _ => {
                let verdict = match what {
                    "-" => Verdict::Passed,
                    _ => Verdict::failed(FailureKind::Failed, "no"),
                };
                EventKind::TestFinished(sample::ends(0, &test, verdict, ""))
            }
        }
    }

    pub(in crate::replay) fn words(script: &Script) -> String {
        let word = |step: &Step| match step {
            Step::Begin { begin, on } if on.is_empty() => format!("+{begin}"),
            Step::Begin { begin, on } => format!("+{begin}@{}", on.join(",")),
            Step::End { end } => format!("-{end}"),
        };
        let words: Vec<String> = script.steps.iter().map(word).collect();
        words.join(" ")
    }

    #[test]
    fn a_script_has_what_happened_in_its_order() {
        let record = run("+a@x +b@y -a +c@x,y !c +d -b -d");
        assert_eq!(words(&record.script(None)), "+a@x +b@y -a +c@x,y -c +d");
        let only = BTreeSet::from([0, 2]);
        assert_eq!(words(&record.script(Some(&only))), "+a@x -a +c@x,y");
    }

    #[test]
    fn of_repetitions_too_little_is_known() {
        assert_eq!(run("+a -a").check(), Ok(()));
        let mut ended = sample::ends(0, "a", Verdict::Passed, "");
        ended.repetition = Some(3);
        for kind in [
            EventKind::Repeating(Repetitions::default()),
            EventKind::Repeated {
                tests: BTreeMap::new(),
            },
            EventKind::TestFinished(ended),
        ] {
            let started = EventKind::RunStarted(sample::started(Vec::new(), 0));
            let record = of_kinds(vec![started, event_of("+a"), kind]);
            assert_eq!(record.check(), Err(RecordError::Repetitions));
        }
    }

    #[test]
    fn an_attempt_that_did_not_count_is_as_if_it_had_not_been() {
        let record = run("+a@x +b@x ?b -a +b@y -b !never");
        assert_eq!(words(&record.script(None)), "+a@x -a +b@y");
        assert_eq!(record.tests.len(), 2);
        assert_eq!(record.place("b"), Some(1));
        assert_eq!(record.never_began.keys().collect::<Vec<_>>(), ["never"]);
    }
}
