//! Ctrl-C and SIGTERM: the processes of the bench end with it.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::Failed;

/// The signals that end the bench.
pub(crate) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// What it returns, unless a signal comes first: then it is dropped, and with it its processes.
    pub(crate) async fn unless<T>(
        &mut self,
        round: impl Future<Output = Result<T, Failed>>,
    ) -> Result<T, Failed> {
        tokio::select! {
            done = round => done,
            _ = self.interrupt.recv() => Err("interrupted".into()),
            _ = self.terminate.recv() => Err("terminated".into()),
        }
    }
}
