//! What all processes together are about to do.

use std::collections::BTreeSet;

use super::names::Names;
use super::process::Process;
use crate::clock::Origin;
use crate::event::{Part, RunStarted, TestOrigin};

/// The first event of the whole.
pub(super) fn run(
    processes: &[Process],
    names: &Names,
    base: Origin,
    run: &str,
    directory: &str,
) -> Option<RunStarted> {
    let first = processes.first()?;
    let mut whole = first.started.clone();
    // It began with the first process, or with the daemon a moment before.
    let before = base.us_of(first.part.clock, 0) / 1_000_000;
    whole.unix_time = whole.unix_time.saturating_sub(before);
    run.clone_into(&mut whole.run);
    whole.directory = Some(directory.to_owned());
    if names.several {
        whole.package.clear();
        whole.binary.clear();
    }
    whole.args = Vec::new();
    whole.part = None;
    whole.tests = Vec::new();
    let mut known = BTreeSet::new();
    for process in processes {
        let Process { started, part, .. } = process;
        for test in &started.tests {
            let name = names.name(started, part, &test.test);
            if known.insert(name.clone()) {
                let mut test = test.clone();
                let own = std::mem::replace(&mut test.test, name);
                test.origin = Some(Box::new(origin(started, part, own)));
                whole.tests.push(test);
            }
        }
        if let (Some(whole), Some(of)) = (&mut whole.topology, &started.topology) {
            whole.all.extend(of.all.iter().cloned());
        }
        for (system, program) in &started.programs {
            // Executables may have settings of their own.
            let differs = whole
                .programs
                .get(system)
                .is_some_and(|known| known != program);
            let key = match differs {
                true => format!("{system} ({})", started.executable()),
                false => system.clone(),
            };
            whole.programs.insert(key, program.clone());
        }
    }
    match first.part.threads {
        Some(threads) => {
            whole.workers = threads;
            "nextest".clone_into(&mut whole.isolation);
            // Each process has left out all tests but one.
            whole.filtered_out = 0;
        }
        None => of_executables(&mut whole, processes),
    }
    Some(whole)
}

/// What adds up if each process ran an executable.
fn of_executables(whole: &mut RunStarted, processes: &[Process]) {
    let started = || processes.iter().map(|process| &process.started);
    whole.filtered_out = started().fold(0, |sum, run| sum.saturating_add(run.filtered_out));
    if let Some(shard) = &mut whole.shard {
        let shards = started().filter_map(|run| run.shard.as_ref());
        shard.tests = shards.fold(0, |sum, shard| sum.saturating_add(shard.tests));
    }
    let slots = processes.iter().filter_map(|process| process.part.slots);
    if let Some(slots) = slots.max() {
        let tests = u32::try_from(whole.tests.len()).unwrap_or(u32::MAX);
        whole.workers = slots.min(tests.max(1));
        whole.expected_us = expected_together(whole, processes);
    }
}

/// When executables end that run at the same time: none before its own time, and all of them not before the slots have done the work
/// of all tests.
fn expected_together(whole: &RunStarted, processes: &[Process]) -> Option<u64> {
    let each = processes.iter().map(|process| process.started.expected_us);
    let longest = each.collect::<Option<Vec<u64>>>()?.into_iter().max()?;
    let tests = whole.tests.iter().filter_map(|test| test.expected_us);
    let work = tests.fold(0, u64::saturating_add);
    Some(longest.max(work / u64::from(whole.workers.max(1))))
}

/// Which run a test of the whole is of.
fn origin(started: &RunStarted, part: &Part, test: String) -> TestOrigin {
    TestOrigin {
        package: started.package.clone(),
        binary: started.binary.clone(),
        test,
        seed: started.seed,
        // What nextest says selects the test, and is no flag of the run.
        args: match part.threads {
            Some(_) => Vec::new(),
            None => started.args.clone(),
        },
    }
}
