//! The connections that are open on the daemon's socket, and which of them goes when there are too many: the one that has
//! been quiet longest. There is no time limit, because a client may be suspended for as long as it likes.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Instant;

use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// The connections.
pub(super) struct Connections {
    most: usize,
    all: RefCell<Table>,
    changed: Notify,
    ends: RefCell<BTreeMap<u64, AbortHandle>>,
}

impl Connections {
    /// At most so many.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            all: RefCell::default(),
            changed: Notify::new(),
            ends: RefCell::default(),
        }
    }

    /// Waits until there is room for one more, which a quiet one makes.
    pub(super) async fn room(&self) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.all.borrow().count() < self.most {
                return;
            }
            self.end_quietest();
            changed.await;
        }
    }

    /// Ends the connection that has been quiet longest, if there is one. It is gone a moment later.
    pub(super) fn end_quietest(&self) {
        let quietest = self.all.borrow_mut().take_quietest();
        if let Some(end) = quietest.and_then(|number| self.ends.borrow_mut().remove(&number)) {
            end.abort();
        }
    }

    /// One more; one of the runner's goes only if there is no other.
    pub(super) fn open(self: &Rc<Self>, is_runners: bool, process: Option<u32>) -> Rc<Connection> {
        let number = self.all.borrow_mut().open(is_runners, Instant::now());
        Rc::new(Connection {
            all: self.clone(),
            number,
            process,
            requests: Cell::new(0),
        })
    }

    /// What ends it.
    pub(super) fn ends_with(&self, number: u64, end: AbortHandle) {
        // It may have ended by now.
        if self.all.borrow().has(number) {
            self.ends.borrow_mut().insert(number, end);
        }
    }
}

/// An open connection, until it is dropped.
pub(super) struct Connection {
    all: Rc<Connections>,
    pub(super) number: u64,
    /// The process that opened it, if that is known.
    pub(super) process: Option<u32>,
    requests: Cell<u32>,
}

impl Connection {
    /// Something came.
    pub(super) fn is_heard(&self) {
        self.all
            .all
            .borrow_mut()
            .set(self.number, Some(Instant::now()));
    }

    /// A request is being answered, until what this returns is dropped: the connection is not quiet meanwhile, however long
    /// that takes.
    pub(super) fn answers(self: &Rc<Self>) -> Answering {
        self.requests.set(self.requests.get() + 1);
        self.all.all.borrow_mut().set(self.number, None);
        Answering(self.clone())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.all.all.borrow_mut().close(self.number);
        self.all.ends.borrow_mut().remove(&self.number);
        self.all.changed.notify_waiters();
    }
}

/// See [`Connection::answers`].
pub(super) struct Answering(Rc<Connection>);

impl Drop for Answering {
    fn drop(&mut self) {
        let Self(connection) = self;
        connection.requests.set(connection.requests.get() - 1);
        if connection.requests.get() == 0 {
            connection.is_heard();
            connection.all.changed.notify_waiters();
        }
    }
}

/// Since when each connection is quiet; `None` while a request is answered, and for one that is being ended.
#[derive(Default)]
struct Table {
    quiet: BTreeMap<u64, Option<Instant>>,
    /// Those of the runner: one that ends at the moment when it is used would end the run.
    runners: BTreeSet<u64>,
    last: u64,
}

impl Table {
    fn count(&self) -> usize {
        self.quiet.len()
    }

    fn has(&self, number: u64) -> bool {
        self.quiet.contains_key(&number)
    }

    fn open(&mut self, is_runners: bool, now: Instant) -> u64 {
        self.last += 1;
        if is_runners {
            self.runners.insert(self.last);
        }
        self.quiet.insert(self.last, Some(now));
        self.last
    }

    /// A connection that is gone stays gone.
    fn set(&mut self, number: u64, quiet: Option<Instant>) {
        if let Some(known) = self.quiet.get_mut(&number) {
            *known = quiet;
        }
    }

    fn close(&mut self, number: u64) {
        self.quiet.remove(&number);
        self.runners.remove(&number);
    }

    /// The one that has been quiet longest, which is named once.
    fn take_quietest(&mut self) -> Option<u64> {
        let quiet = self.quiet.iter();
        let quiet = quiet.filter_map(|(number, since)| {
            Some((self.runners.contains(number), (*since)?, *number))
        });
        let (.., number) = quiet.min()?;
        self.set(number, None);
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_one_that_has_been_quiet_longest_goes_and_none_that_is_answered() {
        let mut table = Table::default();
        let now = Instant::now();
        let later = |seconds| now + Duration::from_secs(seconds);
        let runners = table.open(true, now);
        let [a, b, c] = [0, 1, 2].map(|seconds| table.open(false, later(seconds)));
        table.set(a, None);
        table.set(b, Some(later(3)));
        assert_eq!(table.take_quietest(), Some(c));
        assert_eq!(table.take_quietest(), Some(b));
        assert_eq!(table.take_quietest(), Some(runners));
        assert_eq!(table.take_quietest(), None);
        assert_eq!(table.count(), 4);
        table.close(runners);
        table.close(b);
        table.close(c);
        table.set(a, Some(later(4)));
        table.set(c, Some(later(5)));
        assert_eq!(table.take_quietest(), Some(a));
        assert_eq!(table.count(), 1);
    }
}
