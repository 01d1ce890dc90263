//! The printing thread: stdout may block for as long as its reader likes, and the scheduler never waits for it.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::Thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::backlog::Backlog;
use super::interrupts::Interrupts;
use crate::clock::Origin;
use crate::event::Event;
use crate::report::{Model, Reporter};

/// How often the live display moves while nothing happens.
const TICK: Duration = Duration::from_millis(100);

/// How long the thread rests when it has shown everything, unless somebody waits for it.
const REST: Duration = Duration::from_millis(1);

/// How long somebody waits for the lines before their own.
const CATCH_UP: Duration = Duration::from_secs(1);

/// How long the last lines may take when somebody has interrupted the run.
const LAST_LINES: Duration = Duration::from_millis(400);

/// What the printing thread is told.
enum Message {
    Event(Arc<Event>),
    /// What a test printed (`--nocapture`).
    Output(Vec<u8>),
    /// A line for stderr that is no event.
    Note(String),
    /// The same, for somebody who reads it now: nothing is drawn below it any more.
    LastNote(String),
    /// The clock of the run, which began before somebody knew when.
    Clock(Origin),
    /// Somebody waits until everything before this is printed.
    Mark(Sender<()>),
    /// Somebody wants to know what is known of the run by now.
    Tell(oneshot::Sender<Model>),
}

/// The way to the printing thread, which ends when nobody has one any more. Nothing here ever waits.
#[derive(Clone)]
pub(crate) struct ToPrinter {
    messages: Sender<Message>,
    backlog: Arc<Backlog>,
    thread: Thread,
}

impl ToPrinter {
    /// An event to be shown.
    pub(crate) fn event(&self, event: Arc<Event>) {
        self.send(Message::Event(event));
    }

    /// A text for stderr that is no event of the run; it ends with a line break.
    pub(crate) fn note(&self, text: String) {
        self.send(Message::Note(text));
    }

    /// The same for a person who has to read it now: the live display does not come back.
    pub(crate) fn last_note(&self, text: String) {
        self.send(Message::LastNote(text));
    }

    /// The times of the events are by this clock.
    pub(crate) fn clock(&self, origin: Origin) {
        self.send(Message::Clock(origin));
    }

    /// What a test prints, as it comes. Left out if too much waits already.
    pub(crate) fn output(&self, bytes: &[u8]) {
        if self.backlog.takes(bytes.len()) {
            self.send(Message::Output(bytes.to_vec()));
        }
    }

    /// What ends when everything it has been told is printed: a test of this process prints past the thread, and comes after
    /// the lines that were there before it.
    pub(crate) fn catches_up(&self) -> CatchesUp {
        let (reached, mark) = mpsc::channel();
        self.send(Message::Mark(reached));
        self.thread.unpark();
        CatchesUp(mark)
    }

    fn send(&self, message: Message) {
        // The thread ends only after its last sender, or by a panic, which the end of the run finds.
        let _ = self.messages.send(message);
    }
}

/// The printing thread prints what it was told before.
pub(crate) struct CatchesUp(mpsc::Receiver<()>);

impl CatchesUp {
    /// Waits for it, unless the reader of stdout takes too long. Blocks this thread.
    pub(crate) fn wait(self) {
        // Late or never: the order of lines is not worth more.
        let _ = self.0.recv_timeout(CATCH_UP);
    }
}

/// The thread that feeds the reports.
pub(crate) struct Printer {
    way: ToPrinter,
    ended: oneshot::Receiver<()>,
}

impl Printer {
    /// Starts it.
    pub(crate) fn start(reporter: Reporter, origin: Origin) -> std::io::Result<Self> {
        let (sender, messages) = mpsc::channel();
        let (ends, ended) = oneshot::channel();
        let backlog = Arc::<Backlog>::default();
        let of_thread = backlog.clone();
        let thread = std::thread::Builder::new()
            .name("printer".into())
            .spawn(move || {
                print(reporter, &messages, &of_thread, origin);
                // The run does not wait any more if it was interrupted.
                let _ = ends.send(());
            })?;
        let way = ToPrinter {
            messages: sender,
            backlog,
            thread: thread.thread().clone(),
        };
        Ok(Self { way, ended })
    }

    /// The way to it.
    pub(crate) fn way(&self) -> ToPrinter {
        self.way.clone()
    }

    /// The end of the run: nothing more will happen in it.
    ///
    /// # Errors
    /// When there can be no runtime to wait in.
    pub(super) fn last_lines(
        self,
        interrupts: Interrupts,
        interrupted: bool,
    ) -> std::io::Result<LastLines> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(LastLines {
            printer: self,
            runtime,
            interrupts,
            interrupted,
            stuck: false,
        })
    }
}

/// Shows what it is told until nobody can tell it anything any more.
fn print(
    mut reporter: Reporter,
    messages: &mpsc::Receiver<Message>,
    backlog: &Backlog,
    mut origin: Origin,
) {
    loop {
        match messages.recv_timeout(TICK) {
            Ok(first) => {
                for message in std::iter::once(first).chain(messages.try_iter()) {
                    match message {
                        Message::Clock(new) => origin = new,
                        message => show(&mut reporter, backlog, message),
                    }
                }
                _ = reporter.flush();
                // Messages come together meanwhile: a thread that is woken for each of them costs more than it prints.
                std::thread::park_timeout(REST);
            }
            Err(RecvTimeoutError::Timeout) => reporter.tick(origin.elapsed_us()),
            Err(RecvTimeoutError::Disconnected) => {
                _ = reporter.flush();
                return reporter.erase();
            }
        }
    }
}

/// Shows one message. Whoever closed stdout wants to see no more of it; the run goes on to its end.
fn show(reporter: &mut Reporter, backlog: &Backlog, message: Message) {
    match message {
        Message::Event(event) => _ = reporter.on(&event),
        Message::Output(bytes) => {
            if backlog.is_wanted() {
                _ = reporter.relay(&bytes);
            }
            if let Some(gap) = backlog.done_with(bytes.len()) {
                _ = reporter.relay(gap.as_bytes());
            }
        }
        // The loop has it.
        Message::Clock(_) => {}
        Message::Note(text) => reporter.note(&text),
        Message::LastNote(text) => {
            reporter.draw_no_more();
            reporter.note(&text);
        }
        Message::Mark(reached) => {
            _ = reporter.flush();
            // Whoever waited may have given up.
            _ = reached.send(());
        }
        // Whoever asked may have given up.
        Message::Tell(answer) => _ = answer.send(reporter.model().clone()),
    }
}

/// The end of a run, as far as it is printed: waited for as long as the reader of stdout likes, unless somebody interrupts
/// the run or has done so before.
pub(super) struct LastLines {
    printer: Printer,
    runtime: tokio::runtime::Runtime,
    interrupts: Interrupts,
    interrupted: bool,
    /// The printing thread did not answer.
    stuck: bool,
}

impl LastLines {
    /// What is known of the run; `None` if the printing thread does not get on.
    pub(crate) fn model(&mut self) -> Option<Model> {
        let (asks, answer) = oneshot::channel();
        self.printer.way.send(Message::Tell(asks));
        let model = self.wait_for(answer);
        self.stuck = model.is_none();
        model
    }

    /// Waits until everything is printed. Whether the run was interrupted, before or meanwhile.
    pub(crate) fn end(mut self) -> bool {
        let (_, never) = oneshot::channel();
        let ended = std::mem::replace(&mut self.printer.ended, never);
        // A way of its own would keep the thread waiting for more.
        let (nowhere, _) = mpsc::channel();
        self.printer.way.messages = nowhere;
        if !self.stuck {
            self.wait_for(ended);
        }
        self.interrupted
    }

    fn wait_for<T>(&mut self, answer: oneshot::Receiver<T>) -> Option<T> {
        let Self {
            printer,
            runtime,
            interrupts,
            interrupted,
            ..
        } = self;
        let patience = async {
            if !*interrupted {
                interrupts.next().await;
                *interrupted = true;
            }
            printer.way.backlog.forget();
            tokio::time::sleep(LAST_LINES).await;
        };
        runtime.block_on(async {
            tokio::select! {
                biased;
                answer = answer => answer.ok(),
                () = patience => None,
            }
        })
    }
}
