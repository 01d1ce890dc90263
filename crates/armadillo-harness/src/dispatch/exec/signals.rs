//! Who hears of the signals that end a run, while something runs in it that is to end first: a command, or somebody who waits.

use std::io;
use std::process::{Child, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getpgrp, kill_process};
use tokio::sync::oneshot;

/// A signal that comes so soon after another one is for the run: somebody does not want to wait any longer.
const AGAIN: Duration = Duration::from_secs(5);

/// Who hears of signals, and when the last one came.
static LISTENER: Mutex<Option<(Listener, Option<Instant>)>> = Mutex::new(None);

enum Listener {
    Process(Pid),
    Waiting(Option<oneshot::Sender<()>>),
}

/// Signals are for this process from now on, until it has ended or this is dropped.
pub(super) struct OfProcess(());

/// Waits for a signal.
pub(super) struct Waiting(oneshot::Receiver<()>);

/// The run was told to end. If somebody is to end first, they are told instead, unless they were told a moment ago.
pub(in crate::dispatch) fn pass_on(signal: Signal) -> bool {
    let mut listener = listener();
    let Some((who, last)) = &mut *listener else {
        return false;
    };
    if last.is_some_and(|last| last.elapsed() < AGAIN) {
        return false;
    }
    *last = Some(Instant::now());
    match who {
        // The terminal has told every process that it has in the foreground, and so the command, too.
        Listener::Process(_) if signal == Signal::INT && is_in_foreground() => true,
        Listener::Process(pid) => kill_process(*pid, signal).is_ok(),
        Listener::Waiting(waiting) => waiting
            .take()
            .is_some_and(|waiting| waiting.send(()).is_ok()),
    }
}

/// Whether Ctrl-C on the terminal of this process reaches it.
pub(in crate::dispatch) fn is_in_foreground() -> bool {
    rustix::termios::tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp())
}

fn listener() -> MutexGuard<'static, Option<(Listener, Option<Instant>)>> {
    LISTENER.lock().unwrap_or_else(PoisonError::into_inner)
}

impl OfProcess {
    pub(super) fn listens(pid: Pid) -> Self {
        *listener() = Some((Listener::Process(pid), None));
        Self(())
    }

    /// Whether it has ended. From then on nobody is told: its id may be that of another process soon.
    pub(super) fn reap(&self, child: &mut Child) -> io::Result<Option<ExitStatus>> {
        let mut listener = listener();
        let ended = child.try_wait();
        if matches!(ended, Ok(Some(_))) {
            *listener = None;
        }
        ended
    }
}

impl Drop for OfProcess {
    fn drop(&mut self) {
        *listener() = None;
    }
}

impl Waiting {
    pub(super) fn listens() -> Self {
        let (sender, receiver) = oneshot::channel();
        *listener() = Some((Listener::Waiting(Some(sender)), None));
        Self(receiver)
    }

    /// Until then.
    pub(super) async fn told(&mut self) {
        // Without a sender nobody will say it: the run has ended already.
        let _ = (&mut self.0).await;
    }
}
