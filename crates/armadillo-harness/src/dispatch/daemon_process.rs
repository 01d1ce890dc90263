//! Starting the daemon, and the pipe that ties it to this process.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use armadillo_orchestrator::process::{proc_fs, tree};
use armadillo_orchestrator::{APPLET_WORD, Deadline, run_dir};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::children::Children;
use crate::protocol::start::{Lifeline, Start, Started};

/// How long the daemon may take to say that it is there, sweeping what earlier runs left included.
const GREETING: Duration = Duration::from_secs(30);

/// How long a daemon whose warden was killed may take to clean up.
const CLEAN_UP: Duration = Duration::from_secs(15);

/// How long it may take to end what a killed daemon and a killed warden owned.
const SWEEP: Duration = Duration::from_secs(10);

/// This process's executable, whatever has become of its file.
const OWN_EXECUTABLE: &str = "/proc/self/exe";

/// How many bytes of the daemon's log an error shows.
const TAIL: u64 = 4096;

/// The daemon and its warden. Dropping it closes the pipe: the daemon then ends every process and itself.
pub(crate) struct DaemonProcess {
    /// What the daemon said when it was there.
    pub(crate) started: Started,
    warden: Child,
    /// The daemon's id and start time.
    daemon: Option<(u32, u64)>,
    run: String,
    /// Held for its other end: however this process ends, the daemon reads its end of file.
    lifeline: Option<ChildStdin>,
    greeting: ChildStdout,
}

/// Why there is no daemon.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DaemonError {
    #[error("cannot start the daemon: {0}")]
    Spawn(#[source] std::io::Error),
    #[error("cannot send the daemon its configuration: {0}")]
    Orders(#[source] std::io::Error),
    #[error("the daemon did not start: {why}{log}")]
    Greeting { why: String, log: String },
}

impl DaemonProcess {
    /// Starts it, as a process of this executable; `log` is where its own messages go.
    pub(crate) fn start(
        orders: &Start,
        log: &Path,
        depth: u32,
        children: &Children,
    ) -> Result<Self, DaemonError> {
        Self::start_of(Path::new(OWN_EXECUTABLE), orders, log, depth, children)
    }

    /// The same as a process of another executable of Armadillo.
    pub(crate) fn start_of(
        executable: &Path,
        orders: &Start,
        log: &Path,
        depth: u32,
        children: &Children,
    ) -> Result<Self, DaemonError> {
        let log_file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(log)
            .map_err(DaemonError::Spawn)?;
        let mut warden = Command::new(executable)
            .arg0("armadillo")
            .args([APPLET_WORD, crate::warden::APPLET])
            .arg(run_dir::base())
            .args(lifeline_of(orders.lifeline))
            .env(crate::main_entry::DEPTH, (depth + 1).to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log_file)
            .spawn()
            .map_err(DaemonError::Spawn)?;
        let (Some(mut lifeline), Some(mut greeting)) = (warden.stdin.take(), warden.stdout.take())
        else {
            return Err(DaemonError::Spawn(std::io::Error::other("no pipes")));
        };
        let mut line =
            serde_json::to_vec(orders).map_err(|error| DaemonError::Orders(error.into()))?;
        line.push(b'\n');
        let greeted = lifeline
            .write_all(&line)
            .map_err(DaemonError::Orders)
            .and_then(|()| {
                read_greeting(&mut greeting).map_err(|why| DaemonError::Greeting {
                    why,
                    log: log_tail(log),
                })
            });
        let started = match greeted {
            Ok(started) => started,
            Err(error) => {
                drop(lifeline);
                wait_for(warden, None, &orders.run, children);
                return Err(error);
            }
        };
        let daemon = proc_fs::start_time(started.pid).map(|time| (started.pid, time));
        Ok(Self {
            started,
            warden,
            daemon,
            run: orders.run.clone(),
            lifeline: Some(lifeline),
            greeting,
        })
    }

    /// A descriptor that reports a hang-up when the daemon is gone.
    pub(crate) fn life_sign(&self) -> std::io::Result<std::os::fd::OwnedFd> {
        std::os::fd::AsFd::as_fd(&self.greeting).try_clone_to_owned()
    }

    /// Whether the daemon is gone.
    pub(crate) fn has_exited(&self) -> bool {
        let mut watched = [PollFd::new(&self.greeting, PollFlags::empty())];
        let hung_up = poll(&mut watched, Some(&Timespec::default()));
        hung_up.is_ok_and(|count| count > 0)
    }

    /// Closes the pipe and waits until daemon and warden have ended, with everything below them.
    pub(crate) fn end(mut self, children: &Children) {
        self.lifeline = None;
        wait_for(self.warden, self.daemon, &self.run, children);
    }

    /// Closes the pipe and does not wait: the daemon finishes alone.
    pub(crate) fn hand_over(mut self) {
        self.lifeline = None;
    }

    /// Lets go of a daemon that does not live as long as this process: what it said, and when it was started.
    pub(crate) fn release(self) -> (Started, u64) {
        (self.started, self.daemon.map_or(0, |(_, time)| time))
    }

    /// The process that goes on after [`Self::hand_over`].
    pub(crate) fn warden(&self) -> u32 {
        self.warden.id()
    }
}

/// What the warden is told of it.
fn lifeline_of(lifeline: Lifeline) -> Vec<String> {
    match lifeline {
        Lifeline::Runner => Vec::new(),
        Lifeline::Process {
            pid, start_time, ..
        } => vec![pid.to_string(), start_time.to_string()],
        Lifeline::Idle { .. } => vec![crate::warden::NOTHING.to_owned()],
    }
}

/// Waits for the warden, which gives the daemon a limited time. Where both were killed, what they owned came to this process
/// and is ended here.
fn wait_for(mut warden: Child, daemon: Option<(u32, u64)>, run: &str, children: &Children) {
    let is_clean = warden.wait().is_ok_and(|status| status.success());
    if !is_clean {
        if let Some((pid, start_time)) = daemon {
            // It may live without its warden, and cleans up.
            tree::wait_for_end(pid, start_time, CLEAN_UP);
        }
        children.end_inherited(run);
        // What cannot be ended is left to the next run, which says so.
        let _ = run_dir::sweep_run(run, SWEEP);
    }
}

fn read_greeting(from: &mut ChildStdout) -> Result<Started, String> {
    let deadline = Deadline::after(GREETING);
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        let limit = Timespec::try_from(deadline.left()).unwrap_or_default();
        let readable = poll(&mut [PollFd::new(&*from, PollFlags::IN)], Some(&limit));
        match readable {
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.to_string()),
            Ok(0) => return Err(format!("no greeting within {} s", GREETING.as_secs())),
            Ok(_) => {}
        }
        let mut chunk = [0; 4096];
        match from.read(&mut chunk) {
            Ok(0) => return Err("it exited".to_owned()),
            Ok(count) => line.extend_from_slice(&chunk[..count]),
            Err(error) => return Err(error.to_string()),
        }
    }
    serde_json::from_slice(&line).map_err(|error| format!("its greeting is invalid: {error}"))
}

/// The last lines of the daemon's log, for an error message.
pub(crate) fn log_tail(log: &Path) -> String {
    use std::io::{Seek, SeekFrom};
    let read = || -> std::io::Result<String> {
        let mut file = std::fs::File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    };
    match read() {
        Ok(text) if !text.trim().is_empty() => {
            format!("\nlast lines of {}:\n{}", log.display(), text.trim_end())
        }
        _ => String::new(),
    }
}
