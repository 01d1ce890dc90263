//! `events.jsonl`: this is the only place that writes it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::clock::Origin;
use crate::event::{Event, EventKind, VERSION};
use crate::protocol::start::Start;

/// The log's name in the run's directory.
pub(crate) const FILE: &str = "events.jsonl";

/// How long a follower waits for news before it is told that there are none.
const FOLLOW: Duration = Duration::from_secs(20);

/// How many events a follower is given at once.
const AT_ONCE: usize = 10_000;

/// The events of the run. Those that began in the daemon are also kept for the runner to follow.
pub(super) struct EventLog {
    origin: Origin,
    directory: PathBuf,
    file: RefCell<Lines<File>>,
    own: RefCell<Vec<Event>>,
    /// How many of those are not kept any more.
    forgotten: Cell<usize>,
    /// How many events of the runner are written.
    taken: Cell<usize>,
    /// Somebody was told that the file cannot be written.
    is_told: Cell<bool>,
    more: Notify,
}

/// Why events of the runner were not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotTaken {
    /// They would be lost.
    #[error("events from number {first} on leave a gap: the next is number {next}")]
    Gap {
        /// The number of the first.
        first: usize,
        /// The number it should have.
        next: usize,
    },
}

impl EventLog {
    pub(super) fn create(orders: &Start) -> std::io::Result<Self> {
        let file = File::create(orders.directory.join(FILE))?;
        Ok(Self::new(orders.origin, orders.directory.clone(), file))
    }

    fn new(origin: Origin, directory: PathBuf, file: File) -> Self {
        Self {
            origin,
            directory,
            file: RefCell::new(Lines::new(file)),
            own: RefCell::default(),
            forgotten: Cell::default(),
            taken: Cell::default(),
            is_told: Cell::default(),
            more: Notify::new(),
        }
    }

    /// Microseconds since the run's start.
    pub(super) fn now_us(&self) -> u64 {
        self.origin.elapsed_us()
    }

    /// The same for a moment of the past.
    pub(super) fn us_at(&self, moment: Instant) -> u64 {
        self.origin.us_at(moment)
    }

    /// Something happened here.
    pub(super) fn emit(&self, kind: EventKind) {
        let event = self.event(kind);
        self.write(std::slice::from_ref(&event));
        self.own.borrow_mut().push(event);
        self.more.notify_waiters();
    }

    /// How many events began here.
    pub(super) fn count(&self) -> usize {
        self.forgotten.get() + self.own.borrow().len()
    }

    /// Keeps only what says that these deployments are there: whoever follows has come a moment ago. The file has everything.
    pub(super) fn forget_all_but(&self, names: &BTreeSet<String>) {
        let count = self.count();
        let kept = self.of_deployments(names);
        self.forgotten.set(count - kept.len());
        *self.own.borrow_mut() = kept;
    }

    /// What says that these deployments are there: that they start, and that they are ready.
    pub(super) fn of_deployments(&self, names: &BTreeSet<String>) -> Vec<Event> {
        let says = |event: &&Event| match &event.kind {
            EventKind::DeploymentStarting { deployment, .. }
            | EventKind::DeploymentReady { deployment, .. } => names.contains(deployment),
            _ => false,
        };
        self.own.borrow().iter().filter(says).cloned().collect()
    }

    fn event(&self, kind: EventKind) -> Event {
        Event {
            v: VERSION,
            us: self.origin.elapsed_us(),
            kind,
        }
    }

    /// Writes events of the runner down, the first of which is its number `first`. Those that are there already are not
    /// written again: the runner may not have heard that they came.
    pub(super) fn take(&self, first: usize, events: &[Event]) -> Result<(), NotTaken> {
        let next = self.taken.get();
        let Some(known) = next.checked_sub(first) else {
            return Err(NotTaken::Gap { first, next });
        };
        let new = events.get(known..).unwrap_or_default();
        self.write(new);
        self.taken.set(next + new.len());
        Ok(())
    }

    /// Writes events down. A full disk does not end the run: what cannot be written now is tried again with the next, and
    /// the reports are told, once.
    fn write(&self, events: &[Event]) {
        let Err(error) = self.file.borrow_mut().put(events) else {
            return;
        };
        if self.is_told.replace(true) {
            return;
        }
        let lost = self.event(EventKind::FilesIncomplete {
            directory: self.directory.display().to_string(),
            error: error.to_string(),
        });
        // It has its line, if there is ever room for one.
        let _ = self.file.borrow_mut().put(std::slice::from_ref(&lost));
        self.own.borrow_mut().push(lost);
        self.more.notify_waiters();
    }

    /// The events that began here, from number `after` on; waits a while for one.
    pub(super) async fn follow(&self, after: usize, wait: bool) -> Vec<Event> {
        let news = || {
            let own = self.own.borrow();
            let after = after.saturating_sub(self.forgotten.get());
            let news = own.get(after..).unwrap_or_default();
            news[..news.len().min(AT_ONCE)].to_vec()
        };
        let mut changed = std::pin::pin!(self.more.notified());
        changed.as_mut().enable();
        let now = news();
        if !now.is_empty() || !wait {
            return now;
        }
        // Whether it came or not, the answer is what is there.
        let _ = tokio::time::timeout(FOLLOW, changed).await;
        news()
    }
}

/// A file of lines, one for each event.
struct Lines<W> {
    to: W,
    /// What there was no room for yet.
    unwritten: Vec<u8>,
    /// There was no room for too much: the file ends where it ends.
    is_cut_off: bool,
}

/// How much is kept that cannot be written, in bytes.
const MOST_UNWRITTEN: usize = 64 << 20;

impl<W: Write> Lines<W> {
    const fn new(to: W) -> Self {
        Self {
            to,
            unwritten: Vec::new(),
            is_cut_off: false,
        }
    }

    /// Adds a line for each event, after those that were not written yet.
    fn put(&mut self, events: &[Event]) -> io::Result<()> {
        if self.is_cut_off {
            return Err(io::ErrorKind::StorageFull.into());
        }
        for event in events {
            // Only a map with keys that are no text cannot be written, and there is none.
            serde_json::to_writer(&mut self.unwritten, event)?;
            self.unwritten.push(b'\n');
        }
        let mut written = 0;
        let done = loop {
            match self.to.write(&self.unwritten[written..]) {
                _ if written == self.unwritten.len() => break Ok(()),
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.unwritten.drain(..written);
        if self.unwritten.len() > MOST_UNWRITTEN {
            self.is_cut_off = true;
            self.unwritten = Vec::new();
        }
        done
    }
}

#[cfg(test)]
mod tests;
