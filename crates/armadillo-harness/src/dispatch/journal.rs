//! Where the runner's events go: to the printing thread at once, to the daemon's log in batches.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::printer::ToPrinter;
use crate::client::DaemonClient;
use crate::clock::Origin;
use crate::event::{Event, EventKind, VERSION};

/// How long events are gathered before they are sent to the daemon, many with one request.
const GATHER: Duration = Duration::from_millis(50);

/// How long the daemon may take to write a batch.
const WRITE_LIMIT: Duration = Duration::from_secs(30);

/// Takes events from every part of the runner.
pub(crate) struct Journal {
    origin: Origin,
    printer: ToPrinter,
    outbox: Mutex<Outbox>,
    more: Notify,
}

/// What the daemon does not have yet. Nothing leaves it before the daemon has said that it has it: sending may be
/// cancelled at any moment.
#[derive(Default)]
struct Outbox {
    /// How many events the daemon has.
    sent: usize,
    in_flight: Option<Arc<Vec<Event>>>,
    waiting: Vec<Event>,
}

impl Journal {
    pub(crate) fn new(origin: Origin, printer: ToPrinter) -> Self {
        Self {
            origin,
            printer,
            outbox: Mutex::default(),
            more: Notify::new(),
        }
    }

    /// Something happened.
    pub(crate) fn emit(&self, kind: EventKind) {
        // One after the other: log and reports have them in the same order, which is that of their times.
        let mut outbox = self.outbox();
        let event = Event {
            v: VERSION,
            us: self.origin.elapsed_us(),
            kind,
        };
        self.relay(event.clone());
        outbox.waiting.push(event);
        drop(outbox);
        self.more.notify_one();
    }

    /// Microseconds since the run's start.
    pub(crate) fn now_us(&self) -> u64 {
        self.origin.elapsed_us()
    }

    /// An event of the daemon, for the reports; the daemon has written it already.
    pub(crate) fn relay(&self, event: Event) {
        self.printer.event(event);
    }

    /// Something a person should know.
    pub(crate) fn warn(&self, text: impl Into<String>) {
        self.emit(EventKind::Warning { text: text.into() });
    }

    /// Something to be said on stderr that is no event of the run; it ends with a line break.
    pub(crate) fn note(&self, text: String) {
        self.printer.note(text);
    }

    /// The way to the printing thread, for what tests print.
    pub(crate) fn printer(&self) -> ToPrinter {
        self.printer.clone()
    }

    /// Sends what is there to the daemon's log. Cancel-safe: the next call sends what this one did not.
    pub(crate) async fn flush(&self, daemon: &DaemonClient) -> Result<(), crate::client::AskError> {
        while let Some((number, batch)) = self.batch() {
            let path = format!("/v1/events/{number}");
            daemon
                .post::<serde_json::Value>(&path, &*batch, None, WRITE_LIMIT)
                .await?;
            let mut outbox = self.outbox();
            outbox.sent += batch.len();
            outbox.in_flight = None;
        }
        Ok(())
    }

    /// What is to be sent next, with the number of its first event.
    fn batch(&self) -> Option<(usize, Arc<Vec<Event>>)> {
        let mut outbox = self.outbox();
        if outbox.in_flight.is_none() && !outbox.waiting.is_empty() {
            outbox.in_flight = Some(Arc::new(std::mem::take(&mut outbox.waiting)));
        }
        Some((outbox.sent, outbox.in_flight.clone()?))
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends batches for as long as it is polled.
    pub(crate) async fn keep_sending(&self, daemon: &DaemonClient) -> crate::client::AskError {
        loop {
            self.more.notified().await;
            tokio::time::sleep(GATHER).await;
            if let Err(error) = self.flush(daemon).await {
                return error;
            }
        }
    }

    /// All events not sent yet, for a run without a daemon, whose log the runner writes itself.
    pub(crate) fn take_unsent(&self) -> Vec<Event> {
        std::mem::take(&mut self.outbox().waiting)
    }
}
