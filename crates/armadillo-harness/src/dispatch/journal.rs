//! Where the runner's events go: to the printing thread at once, to the daemon's log in batches.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use armadillo_orchestrator::Secret;
use tokio::sync::Notify;

use super::printer::ToPrinter;
use crate::client::{AskError, DaemonClient};
use crate::clock::Origin;
use crate::event::{Event, EventKind, VERSION};
use crate::live_page::Events;
use crate::protocol::endpoints::TakeEvents;

/// How long events are gathered before they are sent to the daemon, many with one request.
const GATHER: Duration = Duration::from_millis(50);

/// How long the daemon may take to write a batch.
const WRITE_LIMIT: Duration = Duration::from_secs(30);

/// As much as is sent at once, in bytes before the text is escaped.
const BATCH: usize = 8 << 20;

/// Whether it is for lack of room that something cannot be written.
fn is_full(error: &io::Error) -> bool {
    let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
    full.contains(&error.kind())
}

/// About how many bytes an event takes: most are small, and these few are not.
fn weight(event: &Event) -> usize {
    const SMALL: usize = 512;
    SMALL
        + match &event.kind {
            EventKind::RunStarted(started) => started.tests.len() * SMALL,
            EventKind::TestFinished(finished) => {
                let logs = finished.server_logs.values().flatten();
                let lines = logs.flat_map(|(_, log)| &log.lines);
                let lines: usize = lines.map(String::len).sum();
                finished.output.text.len() + lines
            }
            _ => 0,
        }
}

/// Takes events from every part of the runner.
pub(crate) struct Journal {
    origin: Origin,
    /// What proves to the daemon that events come from here.
    token: Secret,
    printer: ToPrinter,
    /// Who shows the run while it goes on.
    live: Option<Events>,
    outbox: Mutex<Outbox>,
    more: Notify,
    /// It was said that the disk is full.
    full: AtomicBool,
}

/// What the daemon does not have yet. Nothing leaves it before the daemon has said that it has it: sending may be
/// cancelled at any moment.
#[derive(Default)]
struct Outbox {
    /// How many events the daemon has.
    sent: usize,
    in_flight: Option<Arc<Vec<Arc<Event>>>>,
    waiting: Vec<Arc<Event>>,
    /// Lines of a log that this process writes itself, as far as there was no room for them.
    unwritten: Vec<u8>,
}

impl Journal {
    pub(crate) fn new(
        origin: Origin,
        token: Secret,
        printer: ToPrinter,
        live: Option<Events>,
    ) -> Self {
        Self {
            origin,
            token,
            printer,
            live,
            outbox: Mutex::default(),
            more: Notify::new(),
            full: AtomicBool::new(false),
        }
    }

    /// Something happened.
    pub(crate) fn emit(&self, kind: EventKind) {
        // One after the other: log and reports have them in the same order, which is that of their times.
        let mut outbox = self.outbox();
        let event = Arc::new(Event {
            v: VERSION,
            us: self.origin.elapsed_us(),
            kind,
        });
        self.show(event.clone());
        outbox.waiting.push(event);
        drop(outbox);
        self.more.notify_one();
    }

    /// An event of the daemon, for the reports; the daemon has written it already.
    pub(crate) fn relay(&self, event: Event) {
        self.show(Arc::new(event));
    }

    fn show(&self, event: Arc<Event>) {
        if let Some(live) = &self.live {
            // If its thread is gone, it has said why.
            _ = live.send(event.clone());
        }
        self.printer.event(event);
    }

    /// An event of a daemon that has another log, for the reports and for that of this run.
    pub(crate) fn take_in(&self, event: Event) {
        let event = Arc::new(event);
        let mut outbox = self.outbox();
        self.show(event.clone());
        outbox.waiting.push(event);
    }

    /// The run's clock.
    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    /// Something a person should know.
    pub(crate) fn warn(&self, text: impl Into<String>) {
        self.emit(EventKind::Warning { text: text.into() });
    }

    /// A file of the run, whose directory is `run`, cannot be written. That the disk is full is said once.
    pub(crate) fn cannot_write(&self, run: &Path, path: &Path, error: &io::Error) {
        if !is_full(error) {
            self.warn(format!("cannot write {}: {error}", path.display()));
        } else if !self.full.swap(true, Ordering::Relaxed) {
            self.emit(EventKind::FilesIncomplete {
                directory: run.display().to_string(),
                error: error.to_string(),
            });
        }
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
    pub(crate) async fn flush(&self, daemon: &DaemonClient) -> Result<(), AskError> {
        while let Some((number, batch)) = self.batch() {
            let number = number.to_string();
            let token = Some(&self.token);
            let events: Vec<&Event> = batch.iter().map(|event| &**event).collect();
            let places = [number.as_str()];
            let posted = daemon.ask_with::<TakeEvents>(&places, &events, token, WRITE_LIMIT);
            let sent = match posted.await {
                Ok(_) => batch.len(),
                // The reports have it, and it is no reason to end a run.
                Err(AskError::Refused { status: 413, .. }) => {
                    self.note(format!(
                        "warning: {} events of the run are too large for its log\n",
                        batch.len()
                    ));
                    0
                }
                Err(error) => return Err(error),
            };
            let mut outbox = self.outbox();
            outbox.sent += sent;
            outbox.in_flight = None;
        }
        Ok(())
    }

    /// What is to be sent next, with the number of its first event.
    fn batch(&self) -> Option<(usize, Arc<Vec<Arc<Event>>>)> {
        let mut outbox = self.outbox();
        if outbox.in_flight.is_none() && !outbox.waiting.is_empty() {
            let mut total = 0;
            let mut fits = |event: &Arc<Event>| {
                total += weight(event);
                total <= BATCH
            };
            let count = outbox
                .waiting
                .iter()
                .take_while(|event| fits(event))
                .count();
            let rest = outbox.waiting.split_off(count.max(1));
            let batch = std::mem::replace(&mut outbox.waiting, rest);
            outbox.in_flight = Some(Arc::new(batch));
        }
        Some((outbox.sent, outbox.in_flight.clone()?))
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends batches for as long as it is polled.
    pub(crate) async fn keep_sending(&self, daemon: &DaemonClient) -> AskError {
        loop {
            self.more.notified().await;
            tokio::time::sleep(GATHER).await;
            if let Err(error) = self.flush(daemon).await {
                return error;
            }
        }
    }

    /// Adds the events that are not written yet to the log of a run that no daemon writes. What there is no room for is tried again
    /// with the next.
    pub(crate) fn write_to(&self, log: &Path) -> io::Result<()> {
        let mut outbox = self.outbox();
        for event in std::mem::take(&mut outbox.waiting) {
            serde_json::to_writer(&mut outbox.unwritten, &*event)?;
            outbox.unwritten.push(b'\n');
        }
        let mut file = File::options().create(true).append(true).open(log)?;
        while !outbox.unwritten.is_empty() {
            match file.write(&outbox.unwritten) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => drop(outbox.unwritten.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Does so for as long as it is polled: should this process be killed, its log has what happened until then.
    pub(crate) async fn keep_writing(&self, log: &Path) -> io::Error {
        loop {
            self.more.notified().await;
            tokio::time::sleep(GATHER).await;
            if let Err(error) = self.write_to(log) {
                return error;
            }
        }
    }
}
