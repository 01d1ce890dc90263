//! One run from several: from those of the tests that nextest has started, each of which was a process with a log of its own, or of
//! the executables that one command has run, and from the logs of the daemons that they shared. Everything is on one clock.
//!
//! [`Gathering`] takes the events one by one, in whatever order the logs are read; [`gather`] gives it those of logs that are there.

mod names;
mod process;
mod whole;

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Origin;
use crate::event::{Event, EventKind, TestFinished, VERSION};
use crate::exit_code::Exit;

use names::Names;
use process::Process;

/// The events of one process, in the order of time.
pub(crate) struct Log(pub(crate) Vec<Event>);

/// The events of the whole; `None` if no test was run. Other logs are ignored. If it is `live`, processes without an end go on.
pub(crate) fn gather(logs: Vec<Log>, run: &str, directory: &str, live: bool) -> Option<Vec<Event>> {
    let firsts: Vec<Option<&Event>> = logs.iter().map(|Log(events)| events.first()).collect();
    let (mut gathering, first) = Gathering::begin(&firsts, run, directory)?;
    let mut logs: BTreeMap<usize, Log> = logs.into_iter().enumerate().collect();
    let mut whole = vec![first];
    for number in gathering.in_order() {
        let events = logs.remove(&number).map(|Log(events)| events);
        for event in events.unwrap_or_default() {
            whole.extend(gathering.take(number, event));
        }
        if !live || gathering.has_ended(number) {
            whole.extend(gathering.missing(number));
        }
    }
    whole.extend(gathering.unnamed());
    whole.sort_by_key(|event| event.us);
    let us = whole.last()?.us;
    let (exit, ended_early) = gathering.ending();
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

/// Makes the events of one run of those of several.
pub(crate) struct Gathering {
    names: Names,
    /// When the whole began.
    base: Origin,
    /// Whose log each is.
    logs: Vec<Of>,
    /// In the order in which they began.
    processes: Vec<Process>,
    /// The names in the whole of tests that only one executable has.
    unmistakable: BTreeMap<String, String>,
    /// Which process makes the last attempt at each test.
    last: BTreeMap<String, usize>,
    /// How many attempts at each test were made in processes before.
    attempts: BTreeMap<String, u32>,
    /// The tests of leases.
    leases: BTreeMap<String, String>,
    /// What a shared daemon says of leases whose tests are not known yet.
    held: BTreeMap<String, Vec<Event>>,
    /// The deployments of which it was said that they start.
    started: BTreeSet<String>,
    /// What all have warned of.
    warned: BTreeSet<String>,
}

/// Whose log one is.
#[derive(Clone, Copy)]
enum Of {
    Process(usize),
    /// A daemon with this clock, which processes share.
    Daemon(Origin),
    Nobody,
}

impl Gathering {
    /// Begins with the first events of the logs, which have these numbers from then on. Returns also the first event of the whole;
    /// `None` if there is no process among them.
    pub(crate) fn begin(
        firsts: &[Option<&Event>],
        run: &str,
        directory: &str,
    ) -> Option<(Self, Event)> {
        let mut logs = vec![Of::Nobody; firsts.len()];
        let mut processes = Vec::new();
        for (number, first) in firsts.iter().enumerate() {
            match first.map(|event| &event.kind) {
                Some(EventKind::RunStarted(started)) => {
                    processes.extend(Process::of(started).map(|process| (number, process)));
                }
                Some(EventKind::DaemonStarted { clock, .. }) => logs[number] = Of::Daemon(*clock),
                _ => {}
            }
        }
        processes.sort_by_key(|(_, process)| process.part.clock);
        for (at, (number, _)) in processes.iter().enumerate() {
            logs[*number] = Of::Process(at);
        }
        let processes: Vec<Process> = processes.into_iter().map(|(_, process)| process).collect();
        let daemons = logs.iter().filter_map(|log| match log {
            Of::Daemon(clock) => Some(*clock),
            Of::Process(_) | Of::Nobody => None,
        });
        let base = daemons
            .chain(processes.first().map(|first| first.part.clock))
            .min()?;
        let names = Names::of(&processes);
        let started = whole::run(&processes, &names, base, run, directory)?;
        let gathering = Self {
            unmistakable: names.of_one_executable(&processes),
            last: names.last_attempts(&processes),
            names,
            base,
            logs,
            processes,
            attempts: BTreeMap::new(),
            leases: BTreeMap::new(),
            held: BTreeMap::new(),
            started: BTreeSet::new(),
            warned: BTreeSet::new(),
        };
        let first = Event {
            v: VERSION,
            us: 0,
            kind: EventKind::RunStarted(started),
        };
        Some((gathering, first))
    }

    /// A log that was not there in the beginning, with this first event: that of a daemon. Returns its number.
    pub(crate) fn join(&mut self, first: Option<&Event>) -> usize {
        self.logs.push(match first.map(|event| &event.kind) {
            Some(EventKind::DaemonStarted { clock, .. }) => Of::Daemon(*clock),
            _ => Of::Nobody,
        });
        self.logs.len() - 1
    }

    /// The clock of the whole.
    pub(crate) fn base(&self) -> Origin {
        self.base
    }

    /// The next event of a log as events of the whole: none, if it says nothing new; several, if what was said before means something
    /// only now.
    pub(crate) fn take(&mut self, log: usize, event: Event) -> Vec<Event> {
        match self.logs.get(log) {
            Some(Of::Process(number)) => self.take_of_process(*number, event),
            Some(Of::Daemon(clock)) => self.take_of_daemon(*clock, event),
            Some(Of::Nobody) | None => Vec::new(),
        }
    }

    /// Whether the process of this log has said how it ended.
    pub(crate) fn has_ended(&self, log: usize) -> bool {
        self.process(log)
            .is_some_and(|process| process.ending().is_some())
    }

    /// The ends of the tests of a process that has ended before they did.
    pub(crate) fn missing(&mut self, log: usize) -> Vec<Event> {
        let missing = self.process(log).map(Process::never_begun);
        let missing = missing.unwrap_or_default().into_iter();
        missing.flat_map(|event| self.take(log, event)).collect()
    }

    /// What is left at the end: leases that no test has begun with.
    pub(crate) fn unnamed(&mut self) -> Vec<Event> {
        let held = std::mem::take(&mut self.held);
        held.into_values().flatten().collect()
    }

    /// What all of them come to, and why they have not run everything.
    pub(crate) fn ending(&self) -> (Exit, Option<String>) {
        match self.is_of_nextest() {
            true => (process::exit_of_tests(&self.processes, &self.names), None),
            false => (
                process::exit_of_executables(&self.processes),
                process::early(&self.processes, &self.names),
            ),
        }
    }

    /// The numbers of the logs, those of processes first, the earliest first: attempts at a test count on from one to the next.
    fn in_order(&self) -> Vec<usize> {
        let mut numbers: Vec<usize> = (0..self.logs.len()).collect();
        numbers.sort_by_key(|number| match self.logs[*number] {
            Of::Process(at) => at,
            Of::Daemon(_) | Of::Nobody => usize::MAX,
        });
        numbers
    }

    fn process(&self, log: usize) -> Option<&Process> {
        match self.logs.get(log)? {
            Of::Process(number) => self.processes.get(*number),
            Of::Daemon(_) | Of::Nobody => None,
        }
    }

    fn is_of_nextest(&self) -> bool {
        self.processes.iter().any(Process::is_of_nextest)
    }

    fn has_daemon(&self) -> bool {
        self.logs.iter().any(|log| matches!(log, Of::Daemon(_)))
    }

    fn take_of_daemon(&mut self, clock: Origin, event: Event) -> Vec<Event> {
        let event = Event {
            us: self.base.us_of(clock, event.us),
            ..event
        };
        match &event.kind {
            EventKind::LeaseGranted { lease, .. } if !self.leases.contains_key(lease) => {
                self.held.entry(lease.clone()).or_default().push(event);
                Vec::new()
            }
            EventKind::LeaseReleased { lease } if self.held.contains_key(lease) => {
                self.held.entry(lease.clone()).or_default().push(event);
                Vec::new()
            }
            EventKind::Warning { text } if !self.is_new(text) => Vec::new(),
            _ => vec![self.with_test(event)],
        }
    }

    /// The event with the name that the test of its lease has in the whole.
    fn with_test(&self, mut event: Event) -> Event {
        if let EventKind::LeaseGranted { lease, test, .. } = &mut event.kind
            && let Some(known) = self.leases.get(lease)
        {
            test.clone_from(known);
        }
        event
    }

    fn take_of_process(&mut self, number: usize, event: Event) -> Vec<Event> {
        let process = &mut self.processes[number];
        process.on(&event);
        let us = self.base.us_of(process.part.clock, event.us);
        let is_shared = process.part.shares_daemon && self.has_daemon();
        let is_left_out = match &event.kind {
            // One clock, one machine: the daemon's samples are those of all.
            EventKind::MachineSampled(_) => self.has_daemon(),
            EventKind::Warning { text } => !self.is_new(text),
            // The daemon has it in its own log.
            kind if is_shared && is_of_deployments(kind) => true,
            // It has only found a deployment which an earlier one has started.
            EventKind::DeploymentStarting { deployment, .. } => {
                !self.started.insert(deployment.clone())
            }
            _ => false,
        };
        if is_left_out {
            return Vec::new();
        }
        let begun = match &event.kind {
            EventKind::TestStarted { lease, .. } => lease.clone(),
            _ => None,
        };
        let kind = self.renamed(number, event.kind);
        let mut events: Vec<Event> = (kind.into_iter())
            .map(|kind| Event {
                v: VERSION,
                us,
                kind,
            })
            .collect();
        let held = begun.and_then(|lease| self.held.remove(&lease));
        let held = held
            .into_iter()
            .flatten()
            .map(|event| self.with_test(event));
        events.extend(held);
        events
    }

    /// Whether nobody has warned of this. What several processes have to say in the same words is said once.
    fn is_new(&mut self, warning: &str) -> bool {
        let is_one = self.processes.len() == 1 && !self.has_daemon();
        is_one || self.warned.insert(warning.to_owned())
    }

    /// An event of a process as one of the whole.
    fn renamed(&mut self, number: usize, mut kind: EventKind) -> Option<EventKind> {
        match &mut kind {
            EventKind::RunStarted(_) | EventKind::RunFinished { .. } => return None,
            EventKind::TestIgnored { test, .. } | EventKind::LeaseGranted { test, .. } => {
                *test = self.name(number, test);
            }
            EventKind::TestStarted {
                test,
                attempt,
                worker,
                lease,
                ..
            } => {
                *test = self.name(number, test);
                *attempt += self.before(test);
                *worker = worker.map(|worker| self.worker(number, worker));
                if let Some(lease) = lease {
                    self.leases.insert(lease.clone(), test.clone());
                }
            }
            EventKind::TestSlow { test, attempt, .. }
            | EventKind::TestPutBack { test, attempt, .. } => {
                *test = self.name(number, test);
                *attempt += self.before(test);
            }
            EventKind::TestFinished(finished) => self.finished(number, finished),
            EventKind::Repeated { tests } => {
                let named = std::mem::take(tests).into_iter();
                *tests = named
                    .map(|(test, counts)| (self.name(number, &test), counts))
                    .collect();
            }
            EventKind::WorkerStarted { worker, .. } | EventKind::WorkerEnded { worker, .. } => {
                *worker = self.worker(number, *worker);
            }
            _ => {}
        }
        Some(kind)
    }

    fn finished(&mut self, number: usize, finished: &mut TestFinished) {
        finished.test = self.name(number, &finished.test);
        finished.attempt += self.before(&finished.test);
        finished.worker = finished.worker.map(|worker| self.worker(number, worker));
        // Its deployments may have been those of other executables' tests, too.
        let company = &mut finished.company;
        for names in [&mut company.shared_with, &mut company.before] {
            for name in &mut names.named {
                if let Some(known) = self.unmistakable.get(name) {
                    name.clone_from(known);
                }
            }
            names.named.sort();
        }
        if !finished.retried {
            // The next process counts on from here.
            self.attempts
                .insert(finished.test.clone(), finished.attempt);
            finished.retried = self.last.get(&finished.test) != Some(&number);
        }
    }

    fn before(&self, test: &str) -> u32 {
        self.attempts.get(test).copied().unwrap_or_default()
    }

    fn name(&self, number: usize, test: &str) -> String {
        let process = &self.processes[number];
        self.names.name(&process.started, &process.part, test)
    }

    /// Each process numbers its workers from 1; in the whole, no two have the same number.
    fn worker(&self, number: usize, worker: u32) -> u32 {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let before = worker.saturating_sub(1);
        let before = before.saturating_mul(count(self.processes.len()));
        before.saturating_add(count(number)).saturating_add(1)
    }
}

/// Whether an event is a daemon's, about a deployment or a lease.
fn is_of_deployments(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::DeploymentStarting { .. }
            | EventKind::Deployment { .. }
            | EventKind::DeploymentReady { .. }
            | EventKind::DeploymentFailed { .. }
            | EventKind::DeploymentRepaired { .. }
            | EventKind::DeploymentRecycled { .. }
            | EventKind::DeploymentStopped { .. }
            | EventKind::LeaseGranted { .. }
            | EventKind::LeaseReleased { .. }
    )
}

#[cfg(test)]
mod tests;
