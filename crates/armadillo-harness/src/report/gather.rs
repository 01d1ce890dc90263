//! One run from several: from those of the tests that nextest has started, each of which was a process with a log of its own, or of
//! the executables that one command has run, and from the logs of the daemons that they shared. Everything is on one clock.

use std::collections::{BTreeMap, BTreeSet};

use super::rebuild::ended_with_its_process;
use crate::clock::Origin;
use crate::event::{Event, EventKind, Part, RunStarted, TestFinished, TestOrigin, VERSION};
use crate::exit_code::Exit;

/// The events of one process, in the order of time.
pub(crate) struct Log(pub(crate) Vec<Event>);

/// A process that ran tests.
struct Process {
    started: RunStarted,
    part: Part,
    events: Vec<Event>,
}

/// The events of the whole; `None` if no test was run. Other logs are ignored. If it is `live`, processes without an end go on.
pub(crate) fn gather(logs: Vec<Log>, run: &str, directory: &str, live: bool) -> Option<Vec<Event>> {
    let mut processes = Vec::new();
    let mut daemons = Vec::new();
    for Log(events) in logs {
        match events.first().map(|event| &event.kind) {
            Some(EventKind::RunStarted(started)) => {
                if let Some(part) = started.part.clone() {
                    processes.push(Process {
                        started: started.clone(),
                        part,
                        events,
                    });
                }
            }
            Some(EventKind::DaemonStarted { clock, .. }) => daemons.push((*clock, events)),
            _ => {}
        }
    }
    processes.sort_by_key(|process| process.part.clock);
    let names = Names::of(&processes);
    let base = daemons.iter().map(|(clock, _)| *clock);
    let base = base
        .chain(processes.first().map(|first| first.part.clock))
        .min()?;
    let mut whole = vec![Event {
        v: VERSION,
        us: 0,
        kind: EventKind::RunStarted(whole_run(&processes, &names, base, run, directory)?),
    }];
    let is_nextest = processes.iter().any(Process::is_of_nextest);
    let (exit, ended_early) = match is_nextest {
        true => (exit_of(&processes, &names), None),
        false => (exit_of_group(&processes), early(&processes, &names)),
    };
    let has_daemon = !daemons.is_empty();
    let mut started_already = BTreeSet::new();
    let mut tests_of_leases = BTreeMap::new();
    let mut attempts: BTreeMap<String, u32> = BTreeMap::new();
    let last = last_attempts(&processes, &names);
    let said: BTreeSet<String> = (daemons.iter())
        .flat_map(|(_, events)| events.iter().filter_map(|event| warning(&event.kind)))
        .map(str::to_owned)
        .collect();
    let is_said = |kind: &EventKind| warning(kind).is_some_and(|text| said.contains(text));
    let shared: BTreeSet<String> = (daemons.iter())
        .flat_map(|(_, events)| events.iter().filter_map(|event| subject(&event.kind)))
        .map(str::to_owned)
        .collect();
    for (number, process) in processes.into_iter().enumerate() {
        let (started, part) = (process.started.clone(), process.part.clone());
        let mut of_process = Rewritten {
            names: &names,
            process: &started,
            part: &part,
            is_last: |test: &str| last.get(test) == Some(&number),
            attempts: &mut attempts,
            leases: &mut tests_of_leases,
        };
        let missing = match live && process.ending().is_none() {
            true => Vec::new(),
            false => never_begun(&process),
        };
        for event in process.events.into_iter().chain(missing) {
            // One clock, one machine: the daemon's samples are those of all.
            if has_daemon && matches!(event.kind, EventKind::MachineSampled(_)) {
                continue;
            }
            let is_shared = subject(&event.kind).is_some_and(|subject| shared.contains(subject));
            if is_shared || is_said(&event.kind) || is_known(&event.kind, &mut started_already) {
                continue;
            }
            let us = base.us_of(part.clock, event.us);
            whole.extend(of_process.event(event.kind).map(|kind| Event {
                v: VERSION,
                us,
                kind,
            }));
        }
    }
    for (clock, events) in daemons {
        whole.extend(events.into_iter().map(|mut event| {
            event.us = base.us_of(clock, event.us);
            if let EventKind::LeaseGranted { lease, test, .. } = &mut event.kind
                && let Some(known) = tests_of_leases.get(lease)
            {
                test.clone_from(known);
            }
            event
        }));
    }
    whole.sort_by_key(|event| event.us);
    let us = whole.last()?.us;
    whole.push(Event {
        v: VERSION,
        us,
        kind: EventKind::RunFinished {
            exit_code: exit.code(),
            ended_early,
        },
    });
    Some(whole)
}

impl Process {
    /// Whether it is one of nextest's, which run one test each.
    fn is_of_nextest(&self) -> bool {
        self.part.threads.is_some()
    }

    /// How it ended; `None` if it was killed.
    fn ending(&self) -> Option<(Exit, Option<&str>)> {
        self.events.iter().find_map(|event| match &event.kind {
            EventKind::RunFinished {
                exit_code,
                ended_early,
            } => Some((exit_of_code(*exit_code), ended_early.as_deref())),
            _ => None,
        })
    }
}

/// The deployment or the lease that an event of a daemon is about. If the daemon is shared, it has the event in its own log.
fn subject(kind: &EventKind) -> Option<&str> {
    match kind {
        EventKind::DeploymentStarting { deployment, .. }
        | EventKind::Deployment { deployment, .. }
        | EventKind::DeploymentReady { deployment, .. }
        | EventKind::DeploymentFailed { deployment, .. }
        | EventKind::DeploymentRepaired { deployment, .. }
        | EventKind::DeploymentRecycled { deployment, .. }
        | EventKind::DeploymentStopped { deployment, .. } => Some(deployment),
        EventKind::LeaseGranted { lease, .. } | EventKind::LeaseReleased { lease } => Some(lease),
        _ => None,
    }
}

/// Whether a process only says that it has found a deployment which an earlier one has started.
fn is_known(kind: &EventKind, started: &mut BTreeSet<String>) -> bool {
    match kind {
        EventKind::DeploymentStarting { deployment, .. } => !started.insert(deployment.clone()),
        _ => false,
    }
}

fn warning(kind: &EventKind) -> Option<&str> {
    match kind {
        EventKind::Warning { text } => Some(text),
        _ => None,
    }
}

/// How tests are named: with their executable, if there are several of these.
struct Names {
    several: bool,
}

impl Names {
    fn of(processes: &[Process]) -> Self {
        // One without tests does not know its executable.
        let executables = processes.iter().map(|process| &process.started);
        let executables = executables.filter(|started| !started.binary.is_empty());
        let executables = executables.map(|started| (&started.package, &started.binary));
        Self {
            several: executables.collect::<BTreeSet<_>>().len() > 1,
        }
    }

    /// The name of a test in the whole: as nextest writes it if several executables have tests.
    fn name(&self, started: &RunStarted, part: &Part, test: &str) -> String {
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
}

/// Which process made the last attempt at each test.
fn last_attempts(processes: &[Process], names: &Names) -> BTreeMap<String, usize> {
    let tests = processes.iter().enumerate().flat_map(|(number, process)| {
        let tests = process.started.tests.iter();
        tests.map(move |test| {
            (
                names.name(&process.started, &process.part, &test.test),
                number,
            )
        })
    });
    tests.collect()
}

/// What the last attempts come to. A process that was ended from outside has failed its test.
fn exit_of(processes: &[Process], names: &Names) -> Exit {
    let mut last: BTreeMap<String, Exit> = BTreeMap::new();
    for process in processes {
        let name = |test: &str| names.name(&process.started, &process.part, test);
        let ended = process.ending().map(|(exit, _)| exit);
        for test in &process.started.tests {
            last.insert(name(&test.test), ended.unwrap_or(Exit::Failed));
        }
        for event in &process.events {
            if let EventKind::TestFinished(finished) = &event.kind
                && !finished.retried
                && let Some(exit) = last.get_mut(&name(&finished.test))
            {
                // Its process may also have run other tests.
                *exit = match (Exit::of(&finished.verdict), ended) {
                    (_, None) => Exit::Failed,
                    (exit, Some(_)) => exit,
                };
            }
        }
    }
    last.into_values().fold(Exit::Passed, Exit::and)
}

/// What the runs of several executables come to. One that was killed has failed.
fn exit_of_group(processes: &[Process]) -> Exit {
    let ended = processes.iter().map(Process::ending);
    let exits = ended.map(|ended| ended.map_or(Exit::Failed, |(exit, _)| exit));
    exits.fold(Exit::Passed, Exit::and)
}

/// Which of several executables have not run all of their tests, and why.
fn early(processes: &[Process], names: &Names) -> Option<String> {
    let early = processes.iter().filter_map(|process| {
        let why = match process.ending() {
            Some((_, why)) => why?,
            None => "it was killed",
        };
        Some(match names.several {
            true => format!("{}: {why}", process.started.executable()),
            false => why.to_owned(),
        })
    });
    let early: Vec<String> = early.collect();
    (!early.is_empty()).then(|| early.join("; "))
}

fn exit_of_code(code: u8) -> Exit {
    let mut known = Exit::BY_PRECEDENCE.into_iter();
    known
        .find(|exit| exit.code() == code)
        .unwrap_or(Exit::Failed)
}

/// The ends of the tests of a process that ended before they did: it was killed, or its daemon was. A test of nextest's has a process
/// for itself, whose end is the test's; of several tests, those that had not begun were not run.
fn never_begun(process: &Process) -> Vec<Event> {
    let (mut begun, mut finished) = (BTreeSet::new(), BTreeSet::new());
    for event in &process.events {
        match &event.kind {
            EventKind::TestStarted { test, .. } => _ = begun.insert(&**test),
            EventKind::TestFinished(ended) if !ended.retried => _ = finished.insert(&*ended.test),
            _ => {}
        }
    }
    match process.ending() {
        Some((Exit::Passed, _)) => return Vec::new(),
        Some(_) if !process.is_of_nextest() => return Vec::new(),
        _ => {}
    }
    let us = process.events.last().map_or(0, |event| event.us);
    let tests = process.started.tests.iter().map(|test| &*test.test);
    let missing = tests.filter(|test| !finished.contains(test));
    let missing = missing.filter(|test| process.is_of_nextest() || begun.contains(test));
    missing
        .map(|test| ended_with_its_process(test, us))
        .collect()
}

/// What all of them together were about to do.
fn whole_run(
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
    if let Some(threads) = first.part.threads {
        whole.workers = threads;
        "nextest".clone_into(&mut whole.isolation);
    }
    if names.several {
        whole.package.clear();
        whole.binary.clear();
    }
    whole.args = Vec::new();
    whole.filtered_out = 0;
    whole.part = None;
    whole.tests = Vec::new();
    let mut known = BTreeSet::new();
    for Process { started, part, .. } in processes {
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
    Some(whole)
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

/// The events of one process as those of the whole.
struct Rewritten<'a, L> {
    names: &'a Names,
    process: &'a RunStarted,
    part: &'a Part,
    /// Whether it made the last attempt at a test.
    is_last: L,
    /// How many attempts at each test were made before.
    attempts: &'a mut BTreeMap<String, u32>,
    leases: &'a mut BTreeMap<String, String>,
}

impl<L: Fn(&str) -> bool> Rewritten<'_, L> {
    fn event(&mut self, mut kind: EventKind) -> Option<EventKind> {
        match &mut kind {
            EventKind::RunStarted(_) | EventKind::RunFinished { .. } => return None,
            EventKind::TestIgnored { test, .. } => *test = self.name(test),
            EventKind::TestStarted {
                test,
                attempt,
                lease,
                ..
            } => {
                *test = self.name(test);
                *attempt += self.before(test);
                if let Some(lease) = lease {
                    self.leases.insert(lease.clone(), test.clone());
                }
            }
            EventKind::TestSlow { test, attempt, .. }
            | EventKind::TestPutBack { test, attempt, .. } => {
                *test = self.name(test);
                *attempt += self.before(test);
            }
            EventKind::TestFinished(finished) => self.finished(finished),
            EventKind::Repeated { tests } => {
                let named = std::mem::take(tests).into_iter();
                *tests = named
                    .map(|(test, counts)| (self.name(&test), counts))
                    .collect();
            }
            _ => {}
        }
        Some(kind)
    }

    fn finished(&mut self, finished: &mut TestFinished) {
        finished.test = self.name(&finished.test);
        finished.attempt += self.before(&finished.test);
        if !finished.retried {
            // The next process counts on from here.
            self.attempts
                .insert(finished.test.clone(), finished.attempt);
            finished.retried = !(self.is_last)(&finished.test);
        }
    }

    fn before(&self, test: &str) -> u32 {
        self.attempts.get(test).copied().unwrap_or_default()
    }

    fn name(&self, test: &str) -> String {
        self.names.name(self.process, self.part, test)
    }
}

#[cfg(test)]
mod tests;
