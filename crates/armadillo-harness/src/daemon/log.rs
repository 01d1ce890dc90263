//! `events.jsonl`: this is the only place that writes it.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::clock::Origin;
use crate::event::{Event, EventKind, VERSION};
use crate::protocol::daemon::Start;

/// The log's name in the run's directory.
pub(crate) const FILE: &str = "events.jsonl";

/// How long a follower waits for news before it is told that there are none.
const FOLLOW: Duration = Duration::from_secs(20);

/// The events of the run. Those that began in the daemon are also kept for the runner to follow.
pub(super) struct EventLog {
    origin: Origin,
    file: RefCell<File>,
    own: RefCell<Vec<Event>>,
    /// How many events of the runner are written.
    taken: Cell<usize>,
    more: Notify,
}

impl EventLog {
    pub(super) fn create(orders: &Start) -> std::io::Result<Self> {
        let file = File::create(orders.directory.join(FILE))?;
        Ok(Self {
            origin: orders.origin,
            file: RefCell::new(file),
            own: RefCell::default(),
            taken: Cell::default(),
            more: Notify::new(),
        })
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
        let event = Event {
            v: VERSION,
            us: self.origin.elapsed_us(),
            kind,
        };
        self.write(std::slice::from_ref(&event));
        self.own.borrow_mut().push(event);
        self.more.notify_waiters();
    }

    /// Writes events of the runner down, the first of which is its number `first`. Those that are there already are not
    /// written again: the runner may not have heard that they came.
    pub(super) fn take(&self, first: usize, events: &[Event]) {
        let known = self.taken.get().saturating_sub(first);
        self.write(events.get(known..).unwrap_or_default());
        self.taken.set(self.taken.get().max(first + events.len()));
    }

    /// Writes events down. A full disk must not end the run; it is told in the daemon's own log.
    fn write(&self, events: &[Event]) {
        let mut lines = Vec::new();
        for event in events {
            if let Err(error) = serde_json::to_writer(&mut lines, event) {
                tracing::error!(%error, "an event cannot be written");
                continue;
            }
            lines.push(b'\n');
        }
        if let Err(error) = self.file.borrow_mut().write_all(&lines) {
            tracing::error!(%error, "{FILE} cannot be written");
        }
    }

    /// The events that began here, from number `after` on; waits a while for one.
    pub(super) async fn follow(&self, after: usize, wait: bool) -> Vec<Event> {
        let news = || self.own.borrow().get(after..).unwrap_or_default().to_vec();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_twice_is_written_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        let log = EventLog {
            origin: Origin::now(),
            file: RefCell::new(File::create(&path).unwrap()),
            own: RefCell::default(),
            taken: Cell::default(),
            more: Notify::new(),
        };
        let event = |number: u64| Event {
            v: VERSION,
            us: number,
            kind: EventKind::Warning {
                text: String::new(),
            },
        };
        log.take(0, &[event(0), event(1)]);
        log.take(0, &[event(0), event(1), event(2)]);
        log.take(0, &[event(0), event(1)]);
        log.take(3, &[event(3)]);
        let text = std::fs::read_to_string(path).unwrap();
        let written = text
            .lines()
            .map(|line| serde_json::from_str::<Event>(line).unwrap().us);
        assert_eq!(written.collect::<Vec<_>>(), [0, 1, 2, 3]);
    }
}
