//! What every client asked, when, and what it was told.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use armadillo_orchestrator::duration::micros;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::subject::Wrote;

/// A moment of a history. All moments of one history have been given out one after the other, by one clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Moment {
    /// Which one it is: what happened before has a smaller number.
    pub order: u64,
    /// Microseconds since the history began; for people.
    pub us: u64,
}

/// One operation of one client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Who.
    pub client: usize,
    /// On which key.
    pub key: String,
    /// What, and what the client was told.
    pub action: Action,
    /// Before it was sent.
    pub invoked: Moment,
    /// After the answer came; `None` while there is none.
    pub returned: Option<Moment>,
}

/// What a client did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It wrote.
    Write {
        /// The body, unlike every other of the history.
        body: String,
        /// The answer.
        wrote: Option<Wrote>,
    },
    /// It read.
    Read {
        /// The answer.
        found: Option<Found>,
    },
}

/// What a client was told about a read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// This body.
    Body(String),
    /// That there is nothing.
    Nothing,
    /// That nobody can say.
    Failed(String),
}

/// One line of a history as a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Operation(Operation),
    Mark { at: Moment, what: String },
}

/// A finished history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The operations, in the order of their invocation.
    pub operations: Vec<Operation>,
    /// What was done to servers, and when.
    pub marks: Vec<(Moment, String)>,
}

impl History {
    /// One JSON object a line: operations, and what was done to servers, in order.
    ///
    /// # Errors
    /// When a value cannot be written as JSON.
    pub fn to_json_lines(&self) -> serde_json::Result<String> {
        let operations = self.operations.iter().cloned();
        let operations =
            operations.map(|operation| (operation.invoked, Line::Operation(operation)));
        let marks = self.marks.iter().cloned();
        let marks = marks.map(|(at, what)| (at, Line::Mark { at, what }));
        let lines: BTreeMap<Moment, Line> = operations.chain(marks).collect();
        let mut text = String::new();
        for line in lines.values() {
            text += &serde_json::to_string(line)?;
            text.push('\n');
        }
        Ok(text)
    }

    /// Reads what [`Self::to_json_lines`] wrote.
    ///
    /// # Errors
    /// The first line that is not one.
    pub fn from_json_lines(text: &str) -> serde_json::Result<Self> {
        let mut history = Self::default();
        for line in text.lines() {
            match serde_json::from_str(line)? {
                Line::Operation(operation) => history.operations.push(operation),
                Line::Mark { at, what } => history.marks.push((at, what)),
            }
        }
        Ok(history)
    }
}

/// Among how many writes under way one is chosen.
const OLDEST: usize = 4;

/// Writes a history down while it happens. Clones write the same one.
#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

struct Inner {
    begun: Instant,
    book: Mutex<Book>,
    /// How many writes were acknowledged.
    acknowledged: watch::Sender<usize>,
    /// How many writes have begun.
    begun_writes: watch::Sender<usize>,
}

#[derive(Default)]
struct Book {
    order: u64,
    operations: Vec<Operation>,
    marks: Vec<(Moment, String)>,
    /// Keys with an acknowledged write, in the order of their first one.
    written: Vec<String>,
    /// The same, to find one.
    known: BTreeSet<String>,
    /// The writes that wait for an answer.
    under_way: BTreeSet<usize>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self(Arc::new(Inner {
            begun: Instant::now(),
            book: Mutex::default(),
            acknowledged: watch::Sender::new(0),
            begun_writes: watch::Sender::new(0),
        }))
    }
}

/// An operation that was invoked and has not returned.
#[derive(Debug)]
#[must_use = "an operation that never returns has an unknown outcome"]
pub struct Open(usize);

impl Recorder {
    /// A write begins.
    pub fn write(&self, client: usize, key: &str, body: &str) -> Open {
        let action = Action::Write {
            body: body.to_owned(),
            wrote: None,
        };
        let open = self.invoke(client, key, action);
        self.book().under_way.insert(open.0);
        self.0.begun_writes.send_modify(|count| *count += 1);
        open
    }

    /// A write was answered.
    pub fn wrote(&self, open: Open, answer: Wrote) {
        let acknowledged = answer == Wrote::Acknowledged;
        self.finish(open, |action| {
            if let Action::Write { wrote, .. } = action {
                *wrote = Some(answer);
            }
        });
        if acknowledged {
            self.0.acknowledged.send_modify(|count| *count += 1);
        }
    }

    /// A read begins.
    pub fn read(&self, client: usize, key: &str) -> Open {
        self.invoke(client, key, Action::Read { found: None })
    }

    /// A read was answered.
    pub fn found(&self, open: Open, answer: Found) {
        self.finish(open, |action| {
            if let Action::Read { found } = action {
                *found = Some(answer);
            }
        });
    }

    /// Something was done to a server, or something else that explains the history.
    pub fn mark(&self, what: impl Into<String>) -> Moment {
        let mut book = self.book();
        let now = self.now(&mut book);
        book.marks.push((now, what.into()));
        now
    }

    /// How many writes were acknowledged; changes can be waited for.
    pub(crate) fn acknowledged(&self) -> watch::Receiver<usize> {
        self.0.acknowledged.subscribe()
    }

    /// How many writes have begun; changes can be waited for.
    pub(crate) fn begun_writes(&self) -> watch::Receiver<usize> {
        self.0.begun_writes.subscribe()
    }

    /// A key with an acknowledged write, the `choice`-th modulo their number.
    pub(crate) fn some_written(&self, choice: usize) -> Option<String> {
        let book = self.book();
        let index = choice.checked_rem(book.written.len())?;
        book.written.get(index).cloned()
    }

    /// A key that is being written, the `choice`-th modulo their number of the few that have waited longest: if writes hang,
    /// these have come furthest.
    pub(crate) fn some_under_way(&self, choice: usize) -> Option<String> {
        let book = self.book();
        let index = choice.checked_rem(book.under_way.len().min(OLDEST))?;
        let write = book.under_way.iter().nth(index)?;
        Some(book.operations.get(*write)?.key.clone())
    }

    /// The keys with a write that began after this moment and is acknowledged by now.
    pub(crate) fn written_since(&self, moment: Moment) -> BTreeSet<String> {
        let book = self.book();
        let writes = book.operations.iter();
        let since = writes.filter(|one| one.invoked > moment && one.is_acknowledged());
        since.map(|write| write.key.clone()).collect()
    }

    /// How many writes wait for an answer.
    pub(crate) fn under_way(&self) -> usize {
        self.book().under_way.len()
    }

    /// All keys that somebody has tried to write, whatever became of it.
    pub(crate) fn tried(&self) -> BTreeSet<String> {
        let book = self.book();
        let writes = book.operations.iter();
        let writes = writes.filter(|one| matches!(one.action, Action::Write { .. }));
        writes.map(|write| write.key.clone()).collect()
    }

    /// When the history began.
    pub(crate) fn begun(&self) -> Instant {
        self.0.begun
    }

    /// What was written down so far.
    #[must_use]
    pub fn history(&self) -> History {
        let book = self.book();
        History {
            operations: book.operations.clone(),
            marks: book.marks.clone(),
        }
    }

    fn invoke(&self, client: usize, key: &str, action: Action) -> Open {
        let mut book = self.book();
        let invoked = self.now(&mut book);
        book.operations.push(Operation {
            client,
            key: key.to_owned(),
            action,
            invoked,
            returned: None,
        });
        Open(book.operations.len() - 1)
    }

    fn finish(&self, open: Open, answer: impl FnOnce(&mut Action)) {
        let mut book = self.book();
        book.under_way.remove(&open.0);
        let now = self.now(&mut book);
        let Some(operation) = book.operations.get_mut(open.0) else {
            return;
        };
        operation.returned = Some(now);
        answer(&mut operation.action);
        let key = operation.is_acknowledged().then(|| operation.key.clone());
        if let Some(key) = key.filter(|key| book.known.insert(key.clone())) {
            book.written.push(key);
        }
    }

    fn now(&self, book: &mut Book) -> Moment {
        book.order += 1;
        let us = micros(self.0.begun.elapsed());
        Moment {
            order: book.order,
            us,
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Operation {
    /// Whether it is a write that was acknowledged.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        matches!(
            &self.action,
            Action::Write {
                wrote: Some(Wrote::Acknowledged),
                ..
            }
        )
    }

    /// The body that was written or read, if there is one.
    #[must_use]
    pub fn body(&self) -> Option<&str> {
        match &self.action {
            Action::Write { body, .. }
            | Action::Read {
                found: Some(Found::Body(body)),
            } => Some(body),
            Action::Read { .. } => None,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let client = self.client;
        write!(f, "{} .. ", self.invoked)?;
        match self.returned {
            Some(returned) => write!(f, "{returned}")?,
            None => f.write_str("           ")?,
        }
        write!(f, "  client {client}  ")?;
        match &self.action {
            Action::Write { body, wrote } => {
                write!(f, "writes {}: ", Shortened(body))?;
                match wrote {
                    Some(Wrote::Acknowledged) => f.write_str("acknowledged"),
                    Some(Wrote::Refused(why)) => write!(f, "refused ({why})"),
                    Some(Wrote::Unknown(why)) => write!(f, "unknown ({why})"),
                    None => f.write_str("no answer"),
                }
            }
            Action::Read { found } => match found {
                Some(Found::Body(body)) => write!(f, "reads {}", Shortened(body)),
                Some(Found::Nothing) => f.write_str("reads nothing: the key does not exist"),
                Some(Found::Failed(why)) => write!(f, "cannot read ({why})"),
                None => f.write_str("reads: no answer"),
            },
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = Duration::from_micros(self.us);
        write!(f, "{:>9.3} ms", time.as_secs_f64() * 1000.0)
    }
}

/// The beginning of a body, in quotes.
pub(crate) struct Shortened<'a>(pub(crate) &'a str);

impl fmt::Display for Shortened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(40) {
            None => write!(f, "`{}`", self.0),
            Some((end, _)) => write!(f, "`{}...`", &self.0[..end]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_history_is_read_back_as_it_was_written() {
        let recorder = Recorder::default();
        let write = recorder.write(0, "k", "a");
        recorder.mark("kill member-1");
        let read = recorder.read(1, "k");
        recorder.found(read, Found::Nothing);
        recorder.wrote(write, Wrote::Unknown("reset".to_owned()));
        let _never_answered = recorder.write(2, "k", "b");
        let history = recorder.history();
        let text = history.to_json_lines().unwrap();
        assert_eq!(text.lines().count(), 4);
        assert_eq!(History::from_json_lines(&text).unwrap(), history);
        let orders = history
            .operations
            .iter()
            .map(|operation| operation.invoked.order);
        assert_eq!(orders.collect::<Vec<_>>(), [1, 3, 6]);
        let acknowledged = *recorder.acknowledged().borrow();
        let begun = *recorder.begun_writes().borrow();
        assert_eq!((acknowledged, begun), (0, 2));
    }

    #[test]
    fn keys_are_known_by_what_became_of_their_writes() {
        let recorder = Recorder::default();
        assert_eq!(recorder.some_under_way(3), None);
        let first = recorder.write(0, "a", "1");
        let _never_answered = recorder.write(1, "b", "2");
        let refused = recorder.write(2, "c", "3");
        recorder.wrote(first, Wrote::Acknowledged);
        recorder.wrote(refused, Wrote::Refused("no".to_owned()));
        let _read = recorder.read(3, "d");
        for choice in 0..3 {
            assert_eq!(recorder.some_written(choice).as_deref(), Some("a"));
            assert_eq!(recorder.some_under_way(choice).as_deref(), Some("b"));
        }
        let tried: Vec<String> = recorder.tried().into_iter().collect();
        assert_eq!(tried, ["a", "b", "c"]);
    }
}
