//! A program that is run to its end for what it prints.

use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};

use super::{table, tree};
use crate::deadline::Deadline;

/// As much as is kept of what a program prints, in bytes.
const OUTPUT_LIMIT: usize = 64 << 10;

/// Why a program said nothing.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// It cannot be executed, or its output cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It took too long.
    #[error("it did not exit within {0:?}")]
    Timeout(Duration),
    /// It failed and said nothing.
    #[error("it exited with {0} and printed nothing")]
    Silent(String),
    /// This process has a table, which owns all exits.
    #[error("a process with a process table cannot wait for its own child processes")]
    Supervised,
}

/// How long the end of what a program has started may take.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// Runs a program to its end, without stdin and with no environment but `PATH`, `HOME`, `TZ` and `LANG`, and returns
/// what it printed to stdout and stderr, whatever its exit code. What it has started ends with it. It blocks.
///
/// # Errors
/// When it cannot be run, fails without a word, or takes longer than `limit`; then it is killed.
pub fn output_of(program: &Path, args: &[&str], limit: Duration) -> Result<String, OutputError> {
    if table::is_installed() {
        return Err(OutputError::Supervised);
    }
    let (mut output, stdout) = io::pipe()?;
    let stderr = stdout.try_clone()?;
    let mut command = Command::new(program);
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr);
    super::spawn::empty_environment(&mut command);
    let parent = rustix::process::getpid();
    // SAFETY: `setsid` is one system call, `die_with_parent` makes two; neither allocates or takes a lock. This thread, to
    // which the signal is bound, waits for the child below.
    unsafe {
        command.pre_exec(move || {
            rustix::process::setsid()?;
            Ok(super::os::die_with_parent(parent)?)
        });
    }
    // What it starts and leaves comes to this process.
    tree::adopt_orphans();
    let mut child = command.spawn()?;
    // It holds the writing ends: without them the end of the output is seen.
    drop(command);
    let deadline = Deadline::after(limit);
    let read = read_all(&mut output, deadline);
    let in_time = !matches!(read, Ok(None)) && has_ended_by(&mut child, deadline);
    if !in_time {
        drop(tree::kill_descendants(child.id(), &[], KILL_LIMIT));
        // It may have ended just now.
        let _ = child.kill();
    }
    let status = child.wait()?;
    // Its number is the number of its session, which lasts as long as one that is in it.
    let session = child.id();
    drop(tree::kill_children(
        |stat| stat.session == session,
        KILL_LIMIT,
    ));
    if !in_time {
        return Err(OutputError::Timeout(limit));
    }
    let bytes = read?.unwrap_or_default();
    if bytes.is_empty() && !status.success() {
        let exit = super::Exit {
            code: status.code(),
            signal: status.signal(),
            core: status.core_dumped(),
        };
        return Err(OutputError::Silent(exit.to_string()));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Everything that comes before the end; `None` if there is no end before the deadline.
fn read_all(output: &mut io::PipeReader, deadline: Deadline) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        // Also for a program that prints without end.
        if deadline.passed() {
            return Ok(None);
        }
        let left = Timespec::try_from(deadline.left()).map_err(io::Error::other)?;
        let mut watched = [PollFd::new(output, PollFlags::IN)];
        match rustix::event::poll(&mut watched, Some(&left)) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        match output.read(&mut buffer)? {
            0 => return Ok(Some(bytes)),
            count => {
                let room = OUTPUT_LIMIT.saturating_sub(bytes.len()).min(count);
                bytes.extend_from_slice(&buffer[..room]);
            }
        }
    }
}

/// Whether a child that closed its output ends before the deadline.
fn has_ended_by(child: &mut Child, deadline: Deadline) -> bool {
    while !deadline.passed() {
        match child.try_wait() {
            Ok(Some(_)) => return true,
            Ok(None) => nap(),
            Err(_) => return false,
        }
    }
    false
}

/// Lets a moment pass before the next look.
#[expect(
    clippy::disallowed_methods,
    reason = "std has no wait with a deadline, and the output that announces the end is already closed"
)]
fn nap() {
    std::thread::sleep(Duration::from_millis(1));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::proc_fs;

    const LIMIT: Duration = Duration::from_secs(10);

    fn sh(script: &str, limit: Duration) -> Result<String, OutputError> {
        output_of(Path::new("/bin/sh"), &["-c", script], limit)
    }

    #[test]
    fn both_streams_are_read_and_the_environment_is_empty() {
        let printed = sh("echo out; echo err >&2; env", LIMIT).unwrap();
        assert!(printed.starts_with("out\nerr\n"), "{printed}");
        assert!(!printed.contains("CARGO"), "{printed}");
    }

    #[test]
    fn failures_are_told_apart() {
        let silent = sh("exit 3", LIMIT).unwrap_err().to_string();
        assert_eq!(silent, "it exited with exit code 3 and printed nothing");
        let endless = sh("exec cat /dev/zero", Duration::from_millis(30)).unwrap_err();
        assert!(matches!(endless, OutputError::Timeout(_)), "{endless}");
        let missing = output_of(Path::new("/nonexistent/program"), &[], LIMIT).unwrap_err();
        assert!(matches!(missing, OutputError::Io(_)), "{missing}");
    }

    #[test]
    fn what_it_has_started_ends_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pids");
        let file = file.display();
        let starts = |what: &str| format!("{what} sleep 600 >&- 2>&- & echo $! >>{file}");
        let (one, other) = (starts(""), starts("setsid"));
        let script = format!("sh -c '{one}'; {one}; echo 1.0");
        assert!(sh(&script, LIMIT).is_ok());
        // One that takes too long has everything below it ended, whatever its session.
        let script = format!("sh -c '{one}'; {other}; sleep 600");
        assert!(sh(&script, Duration::from_secs(4)).is_err());
        let pids = std::fs::read_to_string(directory.path().join("pids")).unwrap();
        let pids: Vec<u32> = pids.lines().map(|pid| pid.parse().unwrap()).collect();
        assert_eq!(pids.len(), 4);
        let alive = |pid: &u32| proc_fs::stat(*pid).is_some_and(|stat| !stat.is_zombie());
        let left: Vec<&u32> = pids.iter().filter(|pid| alive(pid)).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
