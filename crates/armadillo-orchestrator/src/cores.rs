//! Cores of servers that crash: found, read by gdb, and kept or deleted. A core holds the memory of its process, secrets
//! included.

mod autopsy;
mod collector;
mod executable;
mod gdb;
mod pattern;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::process::CoreLimit;
use crate::server::ServerKey;

pub use autopsy::AUTOPSY_LIMIT;
pub(crate) use autopsy::{Autopsy, Dead};
pub use collector::Collector;
pub use pattern::CorePattern;

/// As much as the cores that one run keeps may take together, in bytes; a larger core is cut off by the kernel.
pub const CORES_LIMIT: u64 = 4 << 30;

/// What is done with cores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CorePolicy {
    /// gdb reads the core of a server that crashed, and the core is kept.
    #[default]
    Keep,
    /// gdb reads it, and it is deleted.
    Backtrace,
    /// Servers write none.
    None,
}

/// What a crash left behind, and what gdb made of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PostMortem {
    /// The server.
    pub server: ServerKey,
    /// The process id it had.
    pub pid: u32,
    /// Where the thread was that crashed, innermost first: `parse at config.c:12`.
    pub frames: Vec<String>,
    /// The file with the stacks of all threads.
    pub stacks: Option<PathBuf>,
    /// The core, if it is kept.
    pub core: Option<PathBuf>,
    /// What else there is to know, a sentence each.
    pub notes: Vec<String>,
}

impl PostMortem {
    /// The same for people.
    pub fn lines(&self) -> Vec<String> {
        let (server, pid) = (&self.server, self.pid);
        let mut lines = Vec::new();
        if !self.frames.is_empty() {
            lines.push(format!("{server} (pid {pid}) crashed in:"));
            lines.extend(self.frames.iter().map(|frame| format!("  {frame}")));
        }
        if let Some(stacks) = &self.stacks {
            lines.push(format!("stacks of all its threads: {}", stacks.display()));
        }
        if let Some(core) = &self.core {
            let core = core.display();
            lines.push(format!(
                "its core, with all it had in memory, secrets too: {core}"
            ));
        }
        lines.extend(
            self.notes
                .iter()
                .map(|note| format!("{server} (pid {pid}): {note}")),
        );
        lines
    }

    /// Of a process of which nothing else is known yet.
    pub(crate) fn new(server: ServerKey, pid: u32) -> Self {
        Self {
            server,
            pid,
            frames: Vec::new(),
            stacks: None,
            core: None,
            notes: Vec::new(),
        }
    }
}

/// The cores of all servers of a back end.
#[derive(Debug)]
pub struct Cores {
    policy: CorePolicy,
    /// How many bytes are kept.
    kept: AtomicU64,
}

impl Cores {
    /// Treated like this.
    #[must_use]
    pub fn new(policy: CorePolicy) -> Self {
        Self {
            policy,
            kept: AtomicU64::new(0),
        }
    }

    /// The limit of a core's size for servers.
    pub(crate) fn limit(&self) -> CoreLimit {
        CoreLimit::AtMost(match self.policy {
            CorePolicy::None => 0,
            CorePolicy::Keep | CorePolicy::Backtrace => CORES_LIMIT,
        })
    }

    /// Whether a core of so many bytes is kept; it counts if it is.
    fn keeps(&self, bytes: u64) -> bool {
        let add = |kept: u64| Some(kept + bytes).filter(|kept| *kept <= CORES_LIMIT);
        self.policy == CorePolicy::Keep
            && (self.kept)
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, add)
                .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_kept_until_they_take_too_much() {
        let cores = Cores::new(CorePolicy::Keep);
        assert!(cores.keeps(3 << 30) && !cores.keeps(2 << 30) && cores.keeps(1 << 30));
        assert!(!cores.keeps(1));
        assert!(!Cores::new(CorePolicy::Backtrace).keeps(1));
    }
}
