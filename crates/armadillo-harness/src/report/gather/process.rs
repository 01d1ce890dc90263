//! What is known of each process that runs tests, and what all of them come to.

use std::collections::{BTreeMap, BTreeSet};

use super::super::rebuild::ended_with_its_process;
use super::names::Names;
use crate::event::{Event, EventKind, Part, RunStarted};
use crate::exit_code::Exit;

/// A process that runs tests.
pub(super) struct Process {
    pub(super) started: RunStarted,
    pub(super) part: Part,
    ending: Option<(Exit, Option<String>)>,
    /// The tests that began, with their newest attempts.
    begun: BTreeMap<String, u32>,
    /// What the tests come to that ended for good.
    finished: BTreeMap<String, Exit>,
    /// When something happened last, on its own clock.
    now_us: u64,
}

impl Process {
    /// The one that has written this as its first event; `None` if it is no part of anything.
    pub(super) fn of(started: &RunStarted) -> Option<Self> {
        Some(Self {
            part: started.part.clone()?,
            started: started.clone(),
            ending: None,
            begun: BTreeMap::new(),
            finished: BTreeMap::new(),
            now_us: 0,
        })
    }

    /// Takes in an event of its log.
    pub(super) fn on(&mut self, event: &Event) {
        self.now_us = self.now_us.max(event.us);
        match &event.kind {
            EventKind::TestStarted { test, attempt, .. } => {
                self.begun.insert(test.clone(), *attempt);
            }
            EventKind::TestFinished(finished) if !finished.retried => {
                let exit = Exit::of(&finished.verdict);
                self.finished.insert(finished.test.clone(), exit);
            }
            EventKind::RunFinished {
                exit_code,
                ended_early,
            } => self.ending = Some((exit_of_code(*exit_code), ended_early.clone())),
            _ => {}
        }
    }

    /// Whether it is one of nextest's, which run one test each.
    pub(super) fn is_of_nextest(&self) -> bool {
        self.part.threads.is_some()
    }

    /// How it ended; `None` if it was killed, or goes on.
    pub(super) fn ending(&self) -> Option<(Exit, Option<&str>)> {
        let (exit, why) = self.ending.as_ref()?;
        Some((*exit, why.as_deref()))
    }

    /// The ends of its tests, if it ended before they did: it was killed, or its daemon was. A test of nextest's has a process
    /// for itself, whose end is the test's; of several tests, those that had not begun were not run.
    pub(super) fn never_begun(&self) -> Vec<Event> {
        match self.ending() {
            Some((Exit::Passed, _)) => return Vec::new(),
            Some(_) if !self.is_of_nextest() => return Vec::new(),
            _ => {}
        }
        let tests = self.started.tests.iter().map(|test| &*test.test);
        let missing = tests.filter(|test| !self.finished.contains_key(*test));
        let missing = missing.map(|test| (test, self.begun.get(test).copied()));
        let missing = missing.filter(|(_, begun)| self.is_of_nextest() || begun.is_some());
        missing
            .map(|(test, begun)| ended_with_its_process(test, begun.unwrap_or(1), self.now_us))
            .collect()
    }
}

/// What the last attempts come to. A process that was ended from outside has failed its test.
pub(super) fn exit_of_tests(processes: &[Process], names: &Names) -> Exit {
    let mut last: BTreeMap<String, Exit> = BTreeMap::new();
    for process in processes {
        let name = |test: &str| names.name(&process.started, &process.part, test);
        let ended = process.ending().map(|(exit, _)| exit);
        for test in &process.started.tests {
            last.insert(name(&test.test), ended.unwrap_or(Exit::Failed));
        }
        for (test, exit) in &process.finished {
            if let Some(last) = last.get_mut(&name(test)) {
                // Its process may also have run other tests.
                *last = ended.map_or(Exit::Failed, |_| *exit);
            }
        }
    }
    last.into_values().fold(Exit::Passed, Exit::and)
}

/// What the runs of several executables come to. One that was killed has failed.
pub(super) fn exit_of_executables(processes: &[Process]) -> Exit {
    let ended = processes.iter().map(Process::ending);
    let exits = ended.map(|ended| ended.map_or(Exit::Failed, |(exit, _)| exit));
    exits.fold(Exit::Passed, Exit::and)
}

/// Which of several executables have not run all of their tests, and why. What all of these say is said once.
pub(super) fn early(processes: &[Process], names: &Names) -> Option<String> {
    let early: Vec<(String, Option<&str>)> = (processes.iter())
        .filter_map(|process| {
            let why = match process.ending() {
                Some((_, why)) => Some(why?),
                None => None,
            };
            Some((process.started.executable(), why))
        })
        .collect();
    let reasons: BTreeSet<Option<&str>> = early.iter().map(|(_, why)| *why).collect();
    if let (Some(Some(why)), 1) = (reasons.first(), reasons.len())
        && (early.len() > 1 || !names.several)
    {
        return Some((*why).to_owned());
    }
    let said = early.iter().map(|(executable, why)| {
        let why = why.unwrap_or("it was killed");
        match names.several {
            true => format!("{executable}: {why}"),
            false => why.to_owned(),
        }
    });
    let said: Vec<String> = said.collect();
    (!said.is_empty()).then(|| said.join("; "))
}

fn exit_of_code(code: u8) -> Exit {
    let mut known = Exit::BY_PRECEDENCE.into_iter();
    known
        .find(|exit| exit.code() == code)
        .unwrap_or(Exit::Failed)
}
