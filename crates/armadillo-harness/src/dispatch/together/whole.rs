//! The runs of all executables as one, as far as their logs tell.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::printer::ToPrinter;
use super::members::{Member, Members};
use crate::event::{Event, EventKind, RunStarted, VERSION};
use crate::group::{Logs, Verdict};
use crate::outcome::{FailureKind, Verdict as OfTest};
use crate::report::Gathering;

/// Reads the logs, and brings what is new to the printing thread.
pub(super) struct Whole {
    logs: Logs,
    begun: Option<Begun>,
    to: ToPrinter,
    /// How many tests have failed for good.
    failures: u32,
    /// When something happened last, on the clock of the whole.
    now_us: u64,
}

/// A run whose parts are known.
struct Begun {
    gathering: Gathering,
    /// The number of each log, and how many of its events were taken.
    taken: BTreeMap<PathBuf, (usize, usize)>,
}

impl Whole {
    /// That of the group of this file.
    pub(super) fn new(group: &Path, to: ToPrinter) -> Self {
        Self {
            logs: Logs::new(group.to_owned()),
            begun: None,
            to,
            failures: 0,
            now_us: 0,
        }
    }

    /// How many tests have failed for good so far, without those that somebody has ended.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// Takes in what is new. The whole begins when each of the executables that run has said what it is about to do.
    pub(super) fn read<'m>(&mut self, running: impl Iterator<Item = &'m Member>) {
        self.logs.read();
        if self.begun.is_none() {
            let mut running = running;
            if running.all(|member| self.has_announced(member)) {
                self.begin();
            }
        }
        self.take();
    }

    /// Whether a log says what this executable is about to do, and everything that it will not.
    fn has_announced(&self, member: &Member) -> bool {
        self.logs.all().any(|(_, events)| {
            let ignores = |event: &&Event| matches!(event.kind, EventKind::TestIgnored { .. });
            started(events).is_some_and(|started| {
                let part = started.part.as_ref();
                let wanted = part.map_or(0, |part| part.ignored as usize);
                started.package == member.package
                    && started.binary == member.binary
                    && events.iter().filter(ignores).count() >= wanted
            })
        })
    }

    fn begin(&mut self) {
        let Some(directory) = self.logs.directory() else {
            return;
        };
        let name = directory.file_name().unwrap_or_default().to_string_lossy();
        let logs: Vec<(&Path, &[Event])> = self.logs.all().collect();
        let firsts: Vec<Option<&Event>> = logs.iter().map(|(_, events)| first(events)).collect();
        let begun = Gathering::begin(&firsts, &name, &directory.display().to_string());
        let Some((gathering, event)) = begun else {
            return;
        };
        let taken = logs.iter().enumerate();
        let taken = taken.map(|(number, (path, _))| (path.to_path_buf(), (number, 0)));
        self.to.clock(gathering.base());
        self.begun = Some(Begun {
            taken: taken.collect(),
            gathering,
        });
        self.show(event);
        // The first line counts them.
        self.take_first(|event| matches!(event.kind, EventKind::TestIgnored { .. }));
    }

    /// Takes the events that there are and that are like this, of which there are no more later.
    fn take_first(&mut self, is_one: impl Fn(&Event) -> bool) {
        let Some(begun) = &mut self.begun else { return };
        let mut new = Vec::new();
        for (path, events) in self.logs.all() {
            let Some((number, _)) = begun.taken.get(path) else {
                continue;
            };
            for event in events.iter().filter(|event| is_one(event)) {
                new.extend(begun.gathering.take(*number, event.clone()));
            }
        }
        for event in new {
            self.show(event);
        }
    }

    fn take(&mut self) {
        let Some(begun) = &mut self.begun else { return };
        let mut new = Vec::new();
        for (path, events) in self.logs.all() {
            // A daemon that was started late has a new one.
            let (number, taken) = match begun.taken.get(path) {
                Some(known) => *known,
                None if first(events).is_some() => (begun.gathering.join(first(events)), 0),
                None => continue,
            };
            for event in events.get(taken..).unwrap_or_default() {
                if !matches!(event.kind, EventKind::TestIgnored { .. }) {
                    new.extend(begun.gathering.take(number, event.clone()));
                }
            }
            begun.taken.insert(path.to_owned(), (number, events.len()));
        }
        // Each log has what happened since the last look.
        new.sort_by_key(|event| event.us);
        for event in new {
            self.show(event);
        }
    }

    fn show(&mut self, event: Event) {
        if let EventKind::TestFinished(finished) = &event.kind
            && !finished.retried
            && let OfTest::Failed { kind, .. } = &finished.verdict
            && *kind != FailureKind::Interrupted
        {
            self.failures += 1;
        }
        self.now_us = self.now_us.max(event.us);
        self.to.event(Arc::new(event));
    }

    /// Why not everything has run, as far as the executables tell.
    pub(super) fn early(&self, members: &Members) -> Option<String> {
        let begun = self.begun.as_ref();
        let told = begun.and_then(|begun| begun.gathering.ending().1);
        let silent = members.all().filter(|member| !self.has_announced(member));
        let silent = silent.filter_map(|member| {
            // One that has found nothing to do has nothing to say.
            let how = member.how().filter(|_| member.code() != Some(0))?;
            let name = member.name();
            Some(format!("{name}: it {how} before its tests"))
        });
        let all: Vec<String> = told.into_iter().chain(silent).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// Everything is over, and the whole has ended like this.
    pub(super) fn end(&mut self, verdict: &Verdict) {
        self.logs.read();
        self.take();
        let Some(begun) = &mut self.begun else { return };
        let numbers: Vec<usize> = begun.taken.values().map(|(number, _)| *number).collect();
        let mut missing: Vec<Event> = Vec::new();
        for number in numbers {
            missing.extend(begun.gathering.missing(number));
        }
        missing.extend(begun.gathering.unnamed());
        for event in missing {
            self.show(event);
        }
        self.show(Event {
            v: VERSION,
            us: self.now_us,
            kind: EventKind::RunFinished {
                exit_code: verdict.exit_code,
                ended_early: verdict.ended_early.clone(),
            },
        });
    }
}

/// The event that says whose log this is.
fn first(events: &[Event]) -> Option<&Event> {
    events.iter().find(|event| {
        matches!(
            event.kind,
            EventKind::RunStarted(_) | EventKind::DaemonStarted { .. }
        )
    })
}

fn started(events: &[Event]) -> Option<&RunStarted> {
    match &first(events)?.kind {
        EventKind::RunStarted(started) => Some(started),
        _ => None,
    }
}
