//! SIGTERM and SIGINT stop the server, SIGHUP opens the log files again.

use std::rc::Rc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::server::Server;

/// The signals, from now on caught.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Catches the signals.
    pub(crate) fn catch() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Serves signals for ever.
    pub(crate) async fn serve(mut self, server: Rc<Server>) {
        loop {
            let name = tokio::select! {
                _ = self.terminate.recv() => "SIGTERM",
                _ = self.interrupt.recv() => "control-c",
                _ = self.hangup.recv() => {
                    server.log.info("33eae", "general", "hangup received, about to reopen logfile");
                    server.log.reopen();
                    server.log.info("23db2", "general", "hangup received, reopened logfile");
                    continue;
                }
            };
            server.log.info(
                "b4133",
                "general",
                format!("{name} received, beginning shut down sequence"),
            );
            server.request_stop();
        }
    }
}
