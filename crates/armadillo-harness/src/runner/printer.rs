//! The printing thread: stdout may block for as long as its reader likes, and the scheduler never waits for it.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock::Origin;
use crate::event::Event;
use crate::report::{Model, Reporter};

/// How often the live display moves while nothing happens.
const TICK: Duration = Duration::from_millis(100);

/// The thread that feeds the reports.
pub(crate) struct Printer {
    thread: JoinHandle<Model>,
}

impl Printer {
    /// Starts it; it ends when the sender is dropped.
    pub(crate) fn start(
        mut reporter: Reporter,
        origin: Origin,
    ) -> std::io::Result<(mpsc::Sender<Event>, Self)> {
        let (sender, events) = mpsc::channel::<Event>();
        let thread = std::thread::Builder::new()
            .name("printer".into())
            .spawn(move || {
                loop {
                    match events.recv_timeout(TICK) {
                        Ok(event) => {
                            // Whoever closed stdout wants to see no more of it; the run goes on to its end.
                            let _ = reporter.on(&event);
                        }
                        Err(RecvTimeoutError::Timeout) => reporter.tick(origin.elapsed_us()),
                        Err(RecvTimeoutError::Disconnected) => {
                            reporter.erase();
                            return reporter.model().clone();
                        }
                    }
                }
            })?;
        Ok((sender, Self { thread }))
    }

    /// Waits until everything is printed; what is known of the run.
    pub(crate) fn finish(self) -> Model {
        self.thread.join().unwrap_or_default()
    }
}
