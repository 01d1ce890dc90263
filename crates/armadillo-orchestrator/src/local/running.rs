//! A server as a local process.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::backend::{BackEndError, Running};
use crate::cores::{Autopsy, Cores, Dead, PostMortem};
use crate::deadline::Deadline;
use crate::ports::{PortOwner, port_owner};
use crate::process::proc_fs::{self, Stat};
use crate::process::{Exit, Process, Processes};
use crate::server::{ServerKey, Verb};
use crate::system::Fut;

pub(super) struct LocalRunning {
    process: Process,
    trace: Option<Trace>,
    /// Where the process records the server, which is its child then.
    recording: Option<PathBuf>,
}

/// What is needed to look into its end.
pub(super) struct Trace {
    pub(super) cores: Arc<Cores>,
    pub(super) processes: Processes,
    pub(super) server: ServerKey,
    pub(super) directory: PathBuf,
}

impl LocalRunning {
    pub(super) fn new(process: Process, trace: Option<Trace>, recording: Option<PathBuf>) -> Self {
        Self {
            process,
            trace,
            recording,
        }
    }

    /// Its process id and when it started.
    pub(super) fn identity(&self) -> (u32, u64) {
        (self.process.pid(), self.process.start_time())
    }

    fn pids(&self) -> Vec<u32> {
        self.processes().iter().map(|stat| stat.pid).collect()
    }
}

impl Running for LocalRunning {
    fn id(&self) -> String {
        format!("pid {}", self.process.pid())
    }

    fn pid(&self) -> Option<u32> {
        Some(self.process.pid())
    }

    fn deliver(&self, verb: Verb, deadline: Deadline) -> Fut<'_, Result<(), BackEndError>> {
        Box::pin(async move {
            match verb {
                Verb::Kill => match self.process.kill_tree(deadline).await {
                    Some(_) => Ok(()),
                    None => Err(BackEndError::StillThere { what: self.id() }),
                },
                // Frozen means the whole of it, also where the program is a script that started the server.
                Verb::Pause | Verb::Resume => Ok(self.process.signal_tree(verb)?),
                // What records it would end it by force.
                Verb::Terminate | Verb::Abort | Verb::DumpStacks if self.recording.is_some() => {
                    Ok(self.process.signal_children(verb)?)
                }
                Verb::Terminate | Verb::Abort | Verb::DumpStacks => {
                    Ok(self.process.signal(verb)?)
                }
            }
        })
    }

    fn kill_now(&self) {
        // If it has ended, there is nothing to kill.
        let _ = self.process.signal_tree(Verb::Kill);
    }

    fn exited(&self) -> Fut<'_, Exit> {
        Box::pin(self.process.exited())
    }

    fn try_exit(&self) -> Option<Exit> {
        self.process.try_exit()
    }

    fn is_ending(&self) -> bool {
        self.process.try_exit().is_some() || proc_fs::is_ending(self.process.pid())
    }

    fn look_into_end(
        &self,
        exit: Exit,
        expected: bool,
        directory: &Path,
    ) -> Option<Fut<'static, PostMortem>> {
        let trace = self.trace.as_ref()?;
        let dead = Dead {
            server: trace.server.clone(),
            pid: self.process.pid(),
            directory: trace.directory.clone(),
            exit,
        };
        if expected {
            Autopsy::discard(&dead);
            return None;
        }
        let (server, pid) = (dead.server.clone(), dead.pid);
        let autopsy = Autopsy::begin(&trace.cores, &trace.processes, dead, directory);
        let recording = self.recording.clone();
        if autopsy.is_none() && recording.is_none() {
            return None;
        }
        Some(Box::pin(async move {
            let mut found = match autopsy {
                Some(autopsy) => autopsy.perform().await,
                None => PostMortem::new(server, pid),
            };
            found.notes.extend(recording.map(|place| {
                let place = place.display();
                format!(
                    "`rr replay {place}` shows what it did, with all it had in memory, secrets too"
                )
            }));
            found
        }))
    }

    fn is_paused(&self) -> Option<bool> {
        if self.process.is_stopped() {
            Some(true)
        } else if self.process.is_running() {
            Some(false)
        } else {
            None
        }
    }

    fn owns_pid(&self, pid: u32) -> Option<bool> {
        if self.process.try_exit().is_some() {
            return Some(false);
        }
        Some(self.pids().contains(&pid))
    }

    fn port_owner(&self, address: &str) -> Option<PortOwner> {
        let port = address.rsplit_once(':')?.1.parse().ok()?;
        port_owner(port, &self.pids())
    }

    fn processes(&self) -> Vec<Stat> {
        if self.process.try_exit().is_some() {
            return Vec::new();
        }
        proc_fs::stat(self.process.pid())
            .filter(|stat| stat.start_time == self.process.start_time())
            .into_iter()
            .chain(self.process.descendants())
            .collect()
    }
}
