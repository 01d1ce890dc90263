//! The process table and its reaper: the one owner of every exit.
//!
//! Signals are sent and exits reaped under one lock, so a pid in the table is never reused before its entry is gone.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

use rustix::process::{Pid, Signal, WaitOptions};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::handle::Process;
use super::ledger::Ledger;
use super::proc_fs;
use super::spawn::{Spawn, SpawnError, launch};
use super::{Exit, os, tree};

/// Whether this process has a table already: two reapers would steal each other's exits.
static INSTALLED: AtomicBool = AtomicBool::new(false);

/// The process table. Clones are the same table; when the last is dropped, the reaper ends.
#[derive(Clone)]
pub struct Processes(Arc<Owner>);

struct Owner {
    table: Arc<Table>,
    reaper: JoinHandle<()>,
    run_id: String,
    ledger: Ledger,
    thread: ThreadId,
}

/// What the reaper and every [`Process`] share.
pub(super) struct Table {
    children: Mutex<Children>,
}

#[derive(Default)]
struct Children {
    /// Those we started and have not reaped.
    known: HashMap<u32, Arc<Entry>>,
    /// Those that were there before the table, as pid and start time: not ours to kill.
    older: Vec<(u32, u64)>,
}

/// One process that was started here.
pub(super) struct Entry {
    pub(super) pid: u32,
    pub(super) start_time: u64,
    pub(super) label: String,
    pub(super) exit: watch::Sender<Option<Exit>>,
}

/// Why a process table could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// This process has one already.
    #[error("this process already has a process table")]
    Twice,
    /// The operating system refused.
    #[error("cannot {action}: {source}")]
    Os {
        /// What was tried.
        action: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Why a process could not be signalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignalError {
    /// It has ended.
    #[error("the process has exited")]
    Gone,
    /// The operating system refused.
    #[error("cannot send the signal: {0}")]
    Refused(rustix::io::Errno),
}

/// Whether this process has a table.
pub(super) fn is_installed() -> bool {
    INSTALLED.load(Ordering::SeqCst)
}

impl Processes {
    /// Makes this process the supervisor of all that it will start: the parent of every orphan among its descendants,
    /// and the only one that waits for its children. Call it once, within a tokio runtime, on the thread that lives
    /// as long as the process: only that thread may [`spawn`](Self::spawn).
    ///
    /// `run_id` becomes the value of the marker in the environment of everything started.
    ///
    /// # Errors
    /// When there is a table already, or the operating system refuses.
    pub fn install(run_id: &str, ledger: Ledger) -> Result<Self, InstallError> {
        if INSTALLED.swap(true, Ordering::SeqCst) {
            return Err(InstallError::Twice);
        }
        let failed = |action| {
            move |source| {
                INSTALLED.store(false, Ordering::SeqCst);
                InstallError::Os { action, source }
            }
        };
        let mut exits =
            signal(SignalKind::child()).map_err(failed("listen for the exits of children"))?;
        os::adopt_orphans()
            .map_err(io::Error::from)
            .map_err(failed("become the parent of orphans"))?;
        let older = proc_fs::own_children()
            .into_iter()
            .map(|stat| (stat.pid, stat.start_time))
            .collect();
        let table = Arc::new(Table {
            children: Mutex::new(Children {
                known: HashMap::new(),
                older,
            }),
        });
        let reaped = Arc::clone(&table);
        let reaper = tokio::spawn(async move {
            while exits.recv().await.is_some() {
                reaped.reap();
            }
        });
        Ok(Self(Arc::new(Owner {
            table,
            reaper,
            run_id: run_id.to_owned(),
            ledger,
            thread: std::thread::current().id(),
        })))
    }

    /// Starts a process. It returns when the program has been executed, or could not be.
    ///
    /// # Errors
    /// When the program cannot be executed, or this is not the thread that installed the table.
    pub fn spawn(&self, spawn: Spawn) -> Result<Process, SpawnError> {
        let label = spawn.label.clone();
        if std::thread::current().id() != self.0.thread {
            return Err(SpawnError::WrongThread { label });
        }
        // Held from before the fork: the reaper cannot see the child before it is in the table.
        let mut children = self.0.table.lock();
        let program = spawn.program.clone();
        let pid = launch(spawn, &self.0.run_id).map_err(|source| SpawnError::Os {
            label: label.clone(),
            program,
            source,
        })?;
        // Even if it has ended already, it is there until it is reaped. Where there is no /proc, its time is unknown.
        let start_time = proc_fs::start_time(pid).unwrap_or(0);
        let entry = Arc::new(Entry {
            pid,
            start_time,
            label,
            exit: watch::Sender::new(None),
        });
        children.known.insert(pid, Arc::clone(&entry));
        drop(children);
        let process = Process {
            entry,
            table: Arc::clone(&self.0.table),
        };
        match self.0.ledger.record(pid, start_time, process.label()) {
            Ok(()) => Ok(process),
            Err(source) => {
                // If it is gone already, that is as well.
                let _ = process.kill();
                Err(SpawnError::Ledger {
                    label: process.label().to_owned(),
                    source,
                })
            }
        }
    }

    /// The id of the run, as everything started carries it.
    #[must_use]
    pub fn run_id(&self) -> &str {
        &self.0.run_id
    }

    /// Every process that was started and has not been reaped: its id and its label.
    #[must_use]
    pub fn running(&self) -> Vec<(u32, String)> {
        let children = self.0.table.lock();
        let mut running: Vec<(u32, String)> = children
            .known
            .values()
            .map(|entry| (entry.pid, entry.label.clone()))
            .collect();
        running.sort();
        running
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.reaper.abort();
        INSTALLED.store(false, Ordering::SeqCst);
    }
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, Children> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a signal to a process of the table, if it has not been reaped.
    pub(super) fn send(&self, entry: &Entry, signal: Signal) -> Result<(), SignalError> {
        let children = self.lock();
        if !children.known.contains_key(&entry.pid) || entry.exit.borrow().is_some() {
            return Err(SignalError::Gone);
        }
        let pid = i32::try_from(entry.pid)
            .ok()
            .and_then(Pid::from_raw)
            .ok_or(SignalError::Gone)?;
        // Not reaped, hence its pid is its own: at worst it is a zombie.
        rustix::process::kill_process(pid, signal).map_err(SignalError::Refused)
    }

    /// Takes every exit there is, tells those who wait, and kills the orphans that came to us by it. Returns whether
    /// there were such.
    pub(super) fn reap(&self) -> bool {
        let mut children = self.lock();
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    let pid = pid.as_raw_pid().unsigned_abs();
                    if let Some(entry) = children.known.remove(&pid) {
                        entry.exit.send_replace(Some(status.into()));
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                // No child has ended, or there is none.
                Ok(None) | Err(_) => break,
            }
        }
        let is_unknown = |pid| !children.known.contains_key(&pid);
        let unknown = proc_fs::children_that(std::process::id(), is_unknown);
        let orphans: Vec<proc_fs::Stat> = unknown
            .into_iter()
            .filter(|stat| !stat.is_zombie())
            .filter(|stat| !children.older.contains(&(stat.pid, stat.start_time)))
            .collect();
        // Their exits come here as well, and with them their children.
        for orphan in &orphans {
            tracing::debug!(pid = orphan.pid, name = orphan.name, "killing an orphan");
        }
        drop(tree::kill_all(&orphans));
        !orphans.is_empty()
    }
}
