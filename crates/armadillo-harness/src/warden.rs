//! The warden: the daemon's parent, a process so small that nothing in it can fail.
//!
//! It is a child subreaper, so whatever the daemon leaves behind when it is killed, daemonised grandchildren included,
//! becomes the warden's child and is killed by it. It ends after the daemon. Its standard input is the pipe whose other end
//! the runner holds: if the runner is gone and the daemon does not finish its clean-up in time, the warden ends it.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use armadillo_orchestrator::run_dir;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal};

use crate::exit_code::Exit;

/// The applet's name.
pub(crate) const APPLET: &str = "warden";

/// How long the daemon may take to clean up after the runner's death.
const CLEAN_UP: Duration = Duration::from_secs(15);

/// The main function of the applet; its one argument is the common directory of the private directories of runs.
pub(crate) fn main(args: &[OsString]) -> ExitCode {
    if let Some(base) = args.first() {
        run_dir::settle_in(Path::new(base));
    }
    match watch() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("armadillo warden: {error}");
            Exit::Harness.into()
        }
    }
}

fn watch() -> std::io::Result<ExitCode> {
    crate::process_name::set("arma:warden");
    // It fails only for a process that leads a session already.
    let _ = rustix::process::setsid();
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let daemon = Command::new("/proc/self/exe")
        .arg0("armadillo")
        .args([armadillo_orchestrator::APPLET_WORD, crate::daemon::APPLET])
        .arg(run_dir::base())
        .stdin(Stdio::inherit())
        .spawn()?;
    let pid = Pid::from_child(&daemon);
    // The runner reads the daemon's greeting from this pipe and sees by its end that the daemon is gone.
    rustix::stdio::dup2_stdout(std::fs::File::options().write(true).open("/dev/null")?)?;
    let code = wait_for(pid)?;
    // What is left of either, the next run sweeps.
    let _ =
        armadillo_orchestrator::process::tree::kill_descendants(std::process::id(), &[], CLEAN_UP);
    let _ = run_dir::sweep();
    Ok(code)
}

/// Waits for the daemon's end, and brings it about when the runner is gone and the daemon takes too long.
fn wait_for(daemon: Pid) -> std::io::Result<ExitCode> {
    let pidfd = pidfd_open(daemon, PidfdFlags::empty())?;
    let mut runner_gone: Option<Instant> = None;
    loop {
        let stdin = rustix::stdio::stdin();
        let mut fds = vec![PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN)];
        if runner_gone.is_none() {
            // No event is asked for: only the hang-up is of interest, the bytes are the daemon's.
            fds.push(PollFd::from_borrowed_fd(stdin, PollFlags::empty()));
        }
        let limit = runner_gone.map(|since| CLEAN_UP.saturating_sub(since.elapsed()));
        let limit = limit.map(|limit| Timespec::try_from(limit).unwrap_or_default());
        match poll(&mut fds, limit.as_ref()) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
            Ok(0) => pidfd_send_signal(&pidfd, Signal::KILL)?,
            Ok(_) => {}
        }
        if !fds[0].revents().is_empty() {
            let status = rustix::process::waitpid(Some(daemon), WaitOptions::empty())?;
            let code = status
                .and_then(|(_, status)| status.exit_status())
                .and_then(|code| u8::try_from(code).ok());
            return Ok(code.map_or(ExitCode::FAILURE, ExitCode::from));
        }
        if fds.get(1).is_some_and(|stdin| !stdin.revents().is_empty()) {
            runner_gone = Some(Instant::now());
        }
    }
}
