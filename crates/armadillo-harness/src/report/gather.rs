//! One run from several: from those of the tests that nextest has started, each of which was a process with a log of its own, or of
//! the executables that one command has run, and from the logs of the daemons that they shared. Everything is on one clock.

use std::collections::{BTreeMap, BTreeSet};

use super::rebuild::ended_with_its_process;
use crate::clock::Origin;
use crate::event::{Event, EventKind, Part, RunStarted, TestFinished, VERSION};
use crate::exit_code::Exit;

/// The events of one process, in the order of time.
pub(crate) struct Log(pub(crate) Vec<Event>);

/// A process that ran tests.
struct Process {
    started: RunStarted,
    part: Part,
    events: Vec<Event>,
}

/// The events of the whole; `None` if no test was run. Other logs are ignored.
pub(crate) fn gather(logs: Vec<Log>, run: &str, directory: &str) -> Option<Vec<Event>> {
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
    let exit = exit_of(&processes, &names);
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
        let missing = never_begun(&process);
        for event in process.events.into_iter().chain(missing) {
            let is_shared = subject(&event.kind).is_some_and(|subject| shared.contains(subject));
            if is_shared || is_said(&event.kind) {
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
            ended_early: None,
        },
    });
    Some(whole)
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
        let ended = process.events.iter().find_map(|event| match &event.kind {
            EventKind::RunFinished { exit_code, .. } => Some(exit_of_code(*exit_code)),
            _ => None,
        });
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

fn exit_of_code(code: u8) -> Exit {
    let mut known = Exit::BY_PRECEDENCE.into_iter();
    known
        .find(|exit| exit.code() == code)
        .unwrap_or(Exit::Failed)
}

/// The ends of the tests of a process that ended before they did: it was killed, or its daemon was.
fn never_begun(process: &Process) -> Vec<Event> {
    let finished: BTreeSet<&str> = (process.events.iter())
        .filter_map(|event| match &event.kind {
            EventKind::TestFinished(finished) if !finished.retried => Some(&*finished.test),
            _ => None,
        })
        .collect();
    let has_passed =
        |event: &Event| matches!(event.kind, EventKind::RunFinished { exit_code: 0, .. });
    if process.events.iter().any(has_passed) {
        return Vec::new();
    }
    let us = process.events.last().map_or(0, |event| event.us);
    let tests = process.started.tests.iter();
    let missing = tests.filter(|test| !finished.contains(&*test.test));
    missing
        .map(|test| ended_with_its_process(&test.test, us))
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
                test.test = name;
                whole.tests.push(test);
            }
        }
        for (system, program) in &started.programs {
            let known = whole.programs.entry(system.clone());
            known.or_insert_with(|| program.clone());
        }
    }
    Some(whole)
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
mod tests {
    use super::*;
    use crate::outcome::{FailureKind, Verdict};
    use crate::report::{Model, sample};

    /// The log of a process that ran one test: it began at `at` seconds of the machine's clock.
    fn process(at: u64, binary: &str, test: &str, verdict: Verdict) -> Log {
        let mut started = sample::started(vec![sample::planned(test, &[], None)], 0);
        binary.clone_into(&mut started.binary);
        started.part = Some(Part {
            clock: Origin::at(at * 1_000_000),
            of: None,
            may_follow: false,
            repetition: None,
            threads: Some(4),
        });
        let exit_code = Exit::of(&verdict).code();
        let finished = sample::ends(500_000, test, verdict, "");
        Log(vec![
            sample::event(0, EventKind::RunStarted(started)),
            sample::begins(100_000, test, 1),
            sample::event(600_000, EventKind::TestFinished(finished)),
            sample::event(
                600_000,
                EventKind::RunFinished {
                    exit_code,
                    ended_early: None,
                },
            ),
        ])
    }

    /// The same of a process that was killed while its test waited for a deployment.
    fn killed(at: u64, test: &str) -> Log {
        let Log(mut events) = process(at, "suite", test, Verdict::Passed);
        events.truncate(1);
        Log(events)
    }

    fn daemon(at: u64) -> Log {
        let clock = Origin::at(at * 1_000_000);
        Log(vec![sample::event(
            0,
            EventKind::DaemonStarted { pid: 1, clock },
        )])
    }

    fn failed() -> Verdict {
        sample::failed(FailureKind::Failed, "no")
    }

    fn model(logs: Vec<Log>) -> (Model, u8) {
        let events = gather(logs, "nextest", "here").unwrap();
        let mut model = Model::default();
        for event in &events {
            model.on(event);
        }
        let exit_code = model.ending.as_ref().unwrap().exit_code;
        (model, exit_code)
    }

    #[test]
    fn attempts_at_one_test_are_one_test_and_the_last_counts() {
        let logs = vec![
            process(12, "suite", "a", Verdict::Passed),
            daemon(9),
            process(10, "suite", "a", failed()),
            process(11, "suite", "b", Verdict::Passed),
        ];
        let (model, exit_code) = model(logs);
        assert_eq!(exit_code, 0);
        assert_eq!(model.started.as_ref().unwrap().tests.len(), 2);
        let a = model.tests.iter().find(|test| test.name == "a");
        let attempts = &a.unwrap().attempts;
        assert_eq!(attempts.len(), 2);
        assert_eq!(attempts[1].ended_us, 3_600_000);
        assert_eq!(model.counts().flaky, 1);
    }

    #[test]
    fn a_process_that_was_killed_before_its_test_began_has_failed_it() {
        let logs = vec![process(1, "suite", "a", failed()), killed(2, "a")];
        let (model, exit_code) = model(logs);
        assert_eq!(exit_code, Exit::Failed.code());
        assert_eq!(model.tests[0].attempts.len(), 2);
        assert_eq!(model.counts().failed, 1);
    }

    #[test]
    fn tests_of_several_executables_are_told_apart() {
        let logs = vec![
            process(1, "one", "a", failed()),
            process(2, "two", "a", Verdict::Passed),
        ];
        let (model, exit_code) = model(logs);
        assert_eq!(exit_code, Exit::Failed.code());
        let names: Vec<&str> = model.tests.iter().map(|test| &*test.name).collect();
        assert_eq!(names, ["shop::one$a", "shop::two$a"]);
    }
}
