//! Worker processes: children of the daemon, so that they end with it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use armadillo_orchestrator::Verb;
use armadillo_orchestrator::process::{CoreLimit, Environment, Output, Process, Processes, Spawn};

use rustix::fs::{Mode, OFlags};

use crate::protocol::daemon::{EndWorker, StartWorker, WorkerExit, WorkerStarted};
use crate::protocol::start::Start;

/// How long a killed worker and all that it started may take to be gone.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// The workers of the run, living and dead.
pub(super) struct Workers {
    processes: Processes,
    directory: PathBuf,
    hidden: Vec<OsString>,
    all: RefCell<HashMap<u32, Process>>,
}

impl Workers {
    pub(super) fn new(processes: Processes, orders: &Start) -> Self {
        Self {
            processes,
            directory: orders.working_directory.clone(),
            hidden: orders.hidden_variables.iter().map(OsString::from).collect(),
            all: RefCell::default(),
        }
    }

    /// Starts one.
    pub(super) fn start(&self, orders: &StartWorker) -> Result<WorkerStarted, String> {
        let pipe = open_for_writing(&orders.output).map_err(|error| {
            format!("cannot open the pipe {}: {error}", orders.output.display())
        })?;
        let second = pipe
            .try_clone()
            .map_err(|error| format!("the pipe cannot be used twice: {error}"))?;
        let argument = serde_json::to_string(orders).map_err(|error| error.to_string())?;
        let process = self
            .processes
            .spawn(Spawn {
                label: format!("worker {}", orders.worker),
                program: "/proc/self/exe".into(),
                args: vec![
                    armadillo_orchestrator::APPLET_WORD.into(),
                    crate::worker::APPLET.into(),
                    argument.into(),
                ],
                directory: Some(self.directory.clone()),
                environment: Environment::Inherit {
                    remove: self.hidden.clone(),
                    set: Default::default(),
                },
                stdout: Output::from(pipe),
                stderr: Output::from(second),
                cores: CoreLimit::Inherited,
            })
            .map_err(|error| error.to_string())?;
        let pid = process.pid();
        self.all.borrow_mut().insert(pid, process);
        Ok(WorkerStarted { pid })
    }

    /// Kills all of them, without waiting.
    pub(super) fn kill_now(&self) {
        for process in self.all.borrow().values() {
            // One that has ended cannot be killed.
            let _ = process.signal_tree(Verb::Kill);
        }
    }

    /// Waits for one to end and kills it, with everything below it, if it does not.
    pub(super) async fn end(&self, pid: u32, request: &EndWorker) -> Result<WorkerExit, String> {
        let process = self
            .all
            .borrow()
            .get(&pid)
            .cloned()
            .ok_or_else(|| format!("no worker has the pid {pid}"))?;
        let limit = Duration::from_millis(request.limit_ms);
        let by_itself = match process.try_exit() {
            Some(exit) => Some(exit),
            None => tokio::time::timeout(limit, process.exited()).await.ok(),
        };
        let killed = by_itself.is_none();
        // Also when it has ended: what it had started may live on for a moment.
        match process.kill_tree(KILL_LIMIT).await {
            None => tracing::warn!("some processes started by worker {pid} still exist"),
            Some(killed) if !killed.is_empty() => {
                tracing::info!(?killed, "what worker {pid} had started was killed");
            }
            Some(_) => {}
        }
        let exit = match by_itself {
            Some(exit) => exit,
            None => tokio::time::timeout(KILL_LIMIT, process.exited())
                .await
                .map_err(|_| {
                    format!("worker {pid} was killed but still exists after {KILL_LIMIT:?}")
                })?,
        };
        Ok(WorkerExit {
            how: exit.to_string(),
            clean: exit.code == Some(0),
            killed,
        })
    }
}

/// Opens a named pipe. A pipe without a reader, because the runner was killed just now, is an error: the daemon would
/// otherwise wait here for ever, and clean nothing up.
fn open_for_writing(path: &Path) -> std::io::Result<std::fs::File> {
    let pipe = rustix::fs::open(
        path,
        OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    // Those who write wait when it is full.
    rustix::fs::fcntl_setfl(&pipe, OFlags::empty())?;
    Ok(pipe.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_that_nobody_reads_holds_nobody_up() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
        assert!(open_for_writing(&path).is_err());
        let _reader = rustix::fs::open(&path, OFlags::RDWR, Mode::empty()).unwrap();
        let pipe = open_for_writing(&path).unwrap();
        let flags = rustix::fs::fcntl_getfl(&pipe).unwrap();
        assert!(!flags.contains(OFlags::NONBLOCK));
    }
}
