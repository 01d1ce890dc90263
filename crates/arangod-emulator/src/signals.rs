//! SIGTERM, SIGINT and SIGQUIT stop the server, a second one at once; SIGHUP opens the log files
//! again (`SchedulerFeature.cpp` of arangodb/arangodb).

use std::rc::Rc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::server::Server;

/// The signals, from now on caught.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    hangup: Signal,
}

impl Signals {
    /// Catches the signals.
    pub(crate) fn catch() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Serves signals for ever.
    pub(crate) async fn serve(mut self, server: Rc<Server>) {
        let log = &server.log;
        let mut stopping = false;
        loop {
            let name = tokio::select! {
                _ = self.terminate.recv() => "SIGTERM",
                _ = self.interrupt.recv() => "SIGINT",
                _ = self.quit.recv() => "SIGQUIT",
                _ = self.hangup.recv() => {
                    log.info("33eae", "general", "hangup received, about to reopen logfile");
                    log.reopen();
                    log.info("23db2", "general", "hangup received, reopened logfile");
                    continue;
                }
            };
            if stopping {
                let text = format!("{name} received during shutdown sequence, terminating!");
                log.fatal("11ca3", "general", text);
                server.abandon();
            } else {
                let text = format!("{name} received, beginning shut down sequence");
                log.info("b4133", "general", text);
                server.request_stop();
                stopping = true;
            }
        }
    }
}
