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

use armadillo_orchestrator::process::tree;
use armadillo_orchestrator::run_dir;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal};

use crate::exit_code::Exit;

/// The applet's name.
pub(crate) const APPLET: &str = "warden";

/// How long the daemon may take to clean up after the runner's death.
const CLEAN_UP: Duration = Duration::from_secs(15);

/// What the warden is told if the daemon lives as long as no other process.
pub(crate) const NOTHING: &str = "nothing";

/// What a daemon lives as long as.
enum Lifeline {
    /// The process at the other end of standard input.
    Starter,
    /// The process with this id and start time.
    Process(u32, u64),
    /// Nothing: it ends by itself.
    Nothing,
}

/// The same for a daemon that several processes share, which then writes the reports of all of them.
const CLEAN_UP_AND_REPORT: Duration = Duration::from_secs(120);

/// The main function of the applet. Its arguments: the common directory of the private directories of runs and, if the daemon
/// outlives the process that starts it, [`NOTHING`] or the id and the start time of the process that it lives as long as.
pub(crate) fn main(args: &[OsString]) -> ExitCode {
    if let Some(base) = args.first() {
        run_dir::settle_in(Path::new(base));
    }
    match watch(&lifeline_of(args)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("armadillo warden: {error}");
            Exit::Harness.into()
        }
    }
}

fn lifeline_of(args: &[OsString]) -> Lifeline {
    let word = |at: usize| args.get(at).and_then(|word| word.to_str());
    let process = || Some((word(1)?.parse().ok()?, word(2)?.parse().ok()?));
    match word(1) {
        None => Lifeline::Starter,
        Some(NOTHING) => Lifeline::Nothing,
        // One that is not understood has ended.
        Some(_) => process().map_or(Lifeline::Process(0, 0), |(pid, start_time)| {
            Lifeline::Process(pid, start_time)
        }),
    }
}

fn watch(lifeline: &Lifeline) -> std::io::Result<ExitCode> {
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
    let code = match lifeline {
        Lifeline::Starter => wait_for(pid, Some(stdin_end()), (false, CLEAN_UP))?,
        Lifeline::Nothing => wait_for(pid, None, (false, CLEAN_UP))?,
        Lifeline::Process(other, start_time) => {
            let other = tree::watch_end(*other, *start_time)?;
            let end = other
                .as_ref()
                .map(|other| PollFd::new(other, PollFlags::IN));
            let gone = end.is_none();
            wait_for(pid, end, (gone, CLEAN_UP_AND_REPORT))?
        }
    };
    // What is left of either, the next run sweeps.
    let _ = tree::kill_descendants(std::process::id(), &[], CLEAN_UP);
    let _ = run_dir::sweep();
    Ok(code)
}

/// The end of the pipe from the runner. No event is asked for: only the hang-up is of interest, the bytes are the daemon's.
fn stdin_end() -> PollFd<'static> {
    PollFd::from_borrowed_fd(rustix::stdio::stdin(), PollFlags::empty())
}

/// Waits for the daemon's end, and brings it about when its lifeline has ended (`gone`: that was before) and the daemon takes
/// too long.
fn wait_for(
    daemon: Pid,
    lifeline: Option<PollFd<'_>>,
    (gone, clean_up): (bool, Duration),
) -> std::io::Result<ExitCode> {
    let pidfd = pidfd_open(daemon, PidfdFlags::empty())?;
    let mut runner_gone: Option<Instant> = gone.then(Instant::now);
    loop {
        let mut fds = vec![PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN)];
        if runner_gone.is_none() {
            fds.extend(lifeline.clone());
        }
        let limit = runner_gone.map(|since| clean_up.saturating_sub(since.elapsed()));
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
        if fds
            .get(1)
            .is_some_and(|lifeline| !lifeline.revents().is_empty())
        {
            runner_gone = Some(Instant::now());
        }
    }
}
