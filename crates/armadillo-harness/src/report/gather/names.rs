//! How tests of several processes are named in the whole.

use std::collections::{BTreeMap, BTreeSet};

use super::process::Process;
use crate::event::{Part, RunStarted};

/// How tests are named: with their executable, if there are several of these.
pub(super) struct Names {
    pub(super) several: bool,
}

impl Names {
    pub(super) fn of(processes: &[Process]) -> Self {
        // One without tests does not know its executable.
        let executables = processes.iter().map(|process| &process.started);
        let executables = executables.filter(|started| !started.binary.is_empty());
        let executables = executables.map(|started| (&started.package, &started.binary));
        Self {
            several: executables.collect::<BTreeSet<_>>().len() > 1,
        }
    }

    /// The name of a test in the whole: as nextest writes it if several executables have tests.
    pub(super) fn name(&self, started: &RunStarted, part: &Part, test: &str) -> String {
        let repetition = match part.repetition {
            Some(number) if number > 0 => format!("#{}", number + 1),
            _ => String::new(),
        };
        if self.several {
            let RunStarted {
                package, binary, ..
            } = started;
            format!("{package}::{binary}${test}{repetition}")
        } else {
            format!("{test}{repetition}")
        }
    }

    /// The names in the whole of tests that only one executable has: whoever names a test of another knows no more of it.
    pub(super) fn of_one_executable(&self, processes: &[Process]) -> BTreeMap<String, String> {
        let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for process in processes.iter().filter(|_| self.several) {
            for test in &process.started.tests {
                let name = self.name(&process.started, &process.part, &test.test);
                known.entry(test.test.clone()).or_default().insert(name);
            }
        }
        known.retain(|_, names| names.len() == 1);
        let names = known.into_iter();
        names
            .filter_map(|(test, names)| Some((test, names.into_iter().next()?)))
            .collect()
    }

    /// Which process makes the last attempt at each test.
    pub(super) fn last_attempts(&self, processes: &[Process]) -> BTreeMap<String, usize> {
        let tests = processes.iter().enumerate().flat_map(|(number, process)| {
            let tests = process.started.tests.iter();
            tests.map(move |test| {
                (
                    self.name(&process.started, &process.part, &test.test),
                    number,
                )
            })
        });
        tests.collect()
    }
}
