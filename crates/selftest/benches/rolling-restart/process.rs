//! A process that ends with whoever holds it.

use std::io;
use std::os::fd::AsFd;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process, pidfd_open, waitid,
};

/// How long a process may take to end when it is told to.
const PATIENCE: Duration = Duration::from_secs(30);

/// A process that was started, and has not been waited for yet. Dropped, it is killed.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        command.spawn().map(Self)
    }

    /// Tells it to end, and waits until it has.
    pub(crate) async fn terminate(mut self) -> io::Result<ExitStatus> {
        self.tell_to_end()?;
        tokio::time::timeout(PATIENCE, self.ended())
            .await
            .unwrap_or_else(|_| Err(io::Error::other("it does not end")))
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(&mut self) -> io::Result<ExitStatus> {
        let end = pidfd_open(self.pid()?, PidfdFlags::empty())?;
        // In a thread, which ends with the process; the id stays the process' own until `wait`.
        let waited = tokio::task::spawn_blocking(move || {
            let ends = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            waitid(WaitId::PidFd(end.as_fd()), ends).map(drop)
        });
        waited.await.map_err(io::Error::other)??;
        self.0.wait()
    }

    fn tell_to_end(&self) -> io::Result<()> {
        Ok(kill_process(self.pid()?, Signal::TERM)?)
    }

    fn pid(&self) -> io::Result<Pid> {
        Pid::from_raw(self.0.id().cast_signed()).ok_or_else(|| io::Error::other("no process id"))
    }
}

impl Drop for Running {
    /// The id is still its own: nobody has waited for it, or `Child` knows that somebody has, and does nothing.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
