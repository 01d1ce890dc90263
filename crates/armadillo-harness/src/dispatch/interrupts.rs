//! Ctrl-C, SIGTERM and SIGHUP: one owner, from before anything is started until the process ends.

use std::io;

use rustix::process::Signal;
use tokio::signal::unix::{self, SignalKind, signal};

use super::exec;

/// The signals that end a run. One that arrives while nobody waits is not lost: the next wait ends at once.
pub(super) struct Interrupts {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hang_up: unix::Signal,
}

impl Interrupts {
    /// What a run is said to be that somebody has interrupted at a terminal.
    pub(super) const BY_A_PERSON: &str = "interrupted";

    /// From here on these signals no longer end the process.
    ///
    /// # Errors
    /// When a handler cannot be installed.
    pub(super) fn install() -> io::Result<Self> {
        // Only for the registration: every runtime of this process brings the signals here.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let _entered = runtime.enter();
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one that is meant for the run; what the run is then said to be.
    pub(super) async fn next(&mut self) -> &'static str {
        loop {
            let (signal, how) = tokio::select! {
                _ = self.interrupt.recv() => (Signal::INT, Self::BY_A_PERSON),
                _ = self.terminate.recv() => (Signal::TERM, "terminated"),
                _ = self.hang_up.recv() => (Signal::HUP, "the terminal was closed"),
            };
            if !exec::pass_on(signal) {
                return how;
            }
        }
    }
}
