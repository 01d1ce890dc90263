//! The command as a process: found, started, waited for, and not left behind.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use armadillo_orchestrator::program::on_path;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Access, access};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use tokio::signal::unix::{SignalKind, signal};

use super::signals::OfProcess;

/// How long a command may take to end that is told to because its time is up.
const END_LIMIT: Duration = Duration::from_secs(5);

/// A command that runs. Dropping it ends it.
struct Running(Child);

/// Why a command cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FindError {
    /// There is none.
    #[error("there is no command to run")]
    Missing,
    /// There is no such file.
    #[error("{0} does not exist")]
    NoFile(String),
    /// It is a directory or the like.
    #[error("{0} is not a file")]
    NotFile(String),
    /// Its mode does not allow it.
    #[error("{0} is not executable")]
    NotExecutable(String),
    /// No directory of `PATH` has it.
    #[error("no `{0}` in PATH")]
    NotInPath(String),
}

impl FindError {
    /// What would be right.
    pub(super) fn help(&self) -> String {
        match self {
            Self::Missing => "write the command and its arguments after `--`".to_owned(),
            Self::NoFile(_) | Self::NotFile(_) => {
                "after `--`, write a program in PATH or the path of one".to_owned()
            }
            Self::NotExecutable(path) => {
                format!("`chmod +x {path}`, or run it with its interpreter: `-- sh {path}`")
            }
            Self::NotInPath(program) => match Path::new(program).is_file() {
                true => format!("the file in this directory is `./{program}`"),
                false => "install it, or write the path of the program".to_owned(),
            },
        }
    }
}

/// Whether there is such a program.
pub(super) fn find(program: &OsStr) -> Result<(), FindError> {
    if program.is_empty() {
        return Err(FindError::Missing);
    }
    let shown = program.display().to_string();
    if !program.as_encoded_bytes().contains(&b'/') {
        return match on_path(program).is_empty() {
            true => Err(FindError::NotInPath(shown)),
            false => Ok(()),
        };
    }
    let path = Path::new(program);
    match (path.exists(), path.is_file()) {
        (false, _) => Err(FindError::NoFile(shown)),
        (true, false) => Err(FindError::NotFile(shown)),
        (true, true) if access(path, Access::EXEC_OK).is_err() => {
            Err(FindError::NotExecutable(shown))
        }
        (true, true) => Ok(()),
    }
}

/// Starts it and waits for its end. Its streams are those of this process.
pub(super) async fn run(command: &mut Command) -> io::Result<ExitStatus> {
    // Before the start, so that no end is missed.
    let mut ends = signal(SignalKind::child())?;
    let mut running = Running(command.spawn()?);
    let listens = OfProcess::listens(Pid::from_child(&running.0));
    loop {
        if let Some(status) = listens.reap(&mut running.0)? {
            return Ok(status);
        }
        if ends.recv().await.is_none() {
            return running.0.wait();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, unless nobody waits for it any more.
        if matches!(self.0.try_wait(), Ok(None)) {
            let pid = Pid::from_child(&self.0);
            if kill_process(pid, Signal::TERM).is_ok() && ends_within(pid, END_LIMIT).is_err() {
                let _ = self.0.kill();
            }
            let _ = self.0.wait();
        }
    }
}

/// Waits for the end of a child of this process.
fn ends_within(pid: Pid, limit: Duration) -> Result<(), ()> {
    let process = pidfd_open(pid, PidfdFlags::empty()).map_err(drop)?;
    let limit = Timespec::try_from(limit).map_err(drop)?;
    // Readable once it has ended.
    let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&limit));
    match ended {
        Ok(1..) => Ok(()),
        _ => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_before_anything_is_started() {
        assert_eq!(find(OsStr::new("sh")), Ok(()));
        assert_eq!(find(OsStr::new("/bin/sh")), Ok(()));
        for (program, why) in [
            ("", "there is no command to run"),
            ("no-such-program", "no `no-such-program` in PATH"),
            ("/no/such/program", "/no/such/program does not exist"),
            ("/etc/passwd", "/etc/passwd is not executable"),
            ("/", "/ is not a file"),
        ] {
            let error = find(OsStr::new(program)).unwrap_err();
            assert_eq!(error.to_string(), why);
        }
        let help = find(OsStr::new("/etc/passwd")).unwrap_err().help();
        assert!(help.starts_with("`chmod +x /etc/passwd`"), "{help}");
    }
}
