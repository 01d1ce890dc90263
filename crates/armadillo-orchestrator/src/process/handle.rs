//! A process that was started here: signalled only while it is itself, and waited for by as many as like.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::proc_fs::{self, Stat};
use super::table::{Entry, SignalError, Table};
use super::{Exit, signal_of, tree};
use crate::deadline::Deadline;
use crate::poll::Poll;
use crate::server::Verb;

/// A process that was started here. Clones are the same process; dropping them does nothing to it.
#[derive(Clone)]
pub struct Process {
    pub(super) entry: Arc<Entry>,
    pub(super) table: Arc<Table>,
}

impl Process {
    /// Its id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.entry.pid
    }

    /// When it started, in clock ticks since boot.
    #[must_use]
    pub fn start_time(&self) -> u64 {
        self.entry.start_time
    }

    /// What it is: `cluster-1f3a9c20/member-1`.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.entry.label
    }

    /// Sends it the signal of a verb. It, and none of its children.
    ///
    /// # Errors
    /// When it has ended.
    pub fn signal(&self, verb: Verb) -> Result<(), SignalError> {
        self.table.send(&self.entry, signal_of(verb))
    }

    /// Sends it and all that descends from it the signal of a verb.
    ///
    /// # Errors
    /// When it has ended.
    pub fn signal_tree(&self, verb: Verb) -> Result<(), SignalError> {
        let below = self.descendants();
        self.signal(verb)?;
        drop(tree::send_all(&below, signal_of(verb)));
        Ok(())
    }

    /// Sends its children the signal of a verb, and not it.
    ///
    /// # Errors
    /// When it has ended.
    pub fn signal_children(&self, verb: Verb) -> Result<(), SignalError> {
        if self.try_exit().is_some() {
            return Err(SignalError::Gone);
        }
        let mut children = self.descendants();
        children.retain(|stat| stat.parent == self.pid());
        drop(tree::send_all(&children, signal_of(verb)));
        Ok(())
    }

    /// Sends it SIGKILL. It, and none of its children: [`Self::kill_tree`] takes those too.
    ///
    /// # Errors
    /// When it has ended.
    pub fn kill(&self) -> Result<(), SignalError> {
        self.signal(Verb::Kill)
    }

    /// Waits for its end. Any number may wait.
    pub async fn exited(&self) -> Exit {
        let mut exit = self.entry.exit.subscribe();
        let seen = exit.wait_for(Option::is_some).await.map(|exit| *exit);
        match seen {
            Ok(Some(exit)) => exit,
            // The sender lives in the entry that is borrowed here.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn try_exit(&self) -> Option<Exit> {
        *self.entry.exit.borrow()
    }

    /// Kills it and all that descends from it, until none is left, and waits for its end. Returns the ids and names
    /// of its descendants that were killed with it, or `None` if something was alive at the deadline.
    pub async fn kill_tree(&self, deadline: impl Into<Deadline>) -> Option<BTreeMap<u32, String>> {
        let deadline = deadline.into();
        let mut killed = BTreeMap::new();
        let mut watched: Vec<Stat> = Vec::new();
        let mut poll = Poll::new(Duration::from_millis(1), Duration::from_millis(20));
        loop {
            // The whole tree is known before the first is killed: afterwards the orphans are somebody else's children. So
            // they are when it has ended, and its id may be another's by now.
            let own = self.try_exit().is_none().then(|| self.pid());
            let roots: Vec<u32> = watched.iter().map(|stat| stat.pid).chain(own).collect();
            let snapshot = if roots.is_empty() {
                Vec::new()
            } else {
                proc_fs::all()
            };
            let found: Vec<Stat> = roots
                .into_iter()
                .flat_map(|root| tree::below(&snapshot, root, &[]))
                .filter(|stat| !watched.contains(stat))
                .collect();
            // An ended process has nothing to be killed.
            let _ = self.kill();
            drop(tree::kill_all(&found));
            killed.extend(found.iter().map(|stat| (stat.pid, stat.name.clone())));
            let grown = !found.is_empty();
            watched.extend(found);
            watched.retain(is_alive);
            let gone = watched.is_empty() && !grown && self.try_exit().is_some();
            if gone && !self.table.reap() {
                return Some(killed);
            }
            if deadline.passed() {
                return None;
            }
            tokio::select! {
                () = poll.pause(deadline) => {}
                _ = self.exited(), if self.try_exit().is_none() => {}
            }
        }
    }

    /// Whether all its threads, and those of its descendants, are stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        let states = self.thread_states();
        !states.is_empty() && states.iter().all(|state| matches!(state, 'T' | 't'))
    }

    /// Whether none of its threads, nor of its descendants', is stopped.
    #[must_use]
    pub fn is_running(&self) -> bool {
        let states = self.thread_states();
        !states.is_empty() && !states.iter().any(|state| matches!(state, 'T' | 't'))
    }

    /// Its living descendants.
    #[must_use]
    pub fn descendants(&self) -> Vec<Stat> {
        if self.try_exit().is_some() {
            return Vec::new();
        }
        tree::descendants(self.pid())
    }

    /// The states of all its threads and of its descendants' threads; empty if it has ended.
    fn thread_states(&self) -> Vec<char> {
        let own = proc_fs::thread_states(self.pid());
        if own.is_empty() || self.try_exit().is_some() {
            return Vec::new();
        }
        let mut states = own;
        for stat in self.descendants() {
            states.extend(proc_fs::thread_states(stat.pid));
        }
        states.retain(|state| !matches!(state, 'Z' | 'X'));
        states
    }
}

fn is_alive(seen: &Stat) -> bool {
    proc_fs::stat(seen.pid).is_some_and(|now| now.start_time == seen.start_time && !now.is_zombie())
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Process({} {:?}", self.pid(), self.label())?;
        match self.try_exit() {
            Some(exit) => write!(f, ", {exit})"),
            None => f.write_str(")"),
        }
    }
}
