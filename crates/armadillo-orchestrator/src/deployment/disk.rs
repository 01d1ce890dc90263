//! Whether what servers have stored is still there: somebody may have removed it while nobody looked.

use std::fs;
use std::path::{Path, PathBuf};

use super::Deployment;

/// What the kernel writes behind the name of an open file that was removed.
const REMOVED: &str = " (deleted)";

impl Deployment {
    /// What was removed of the files of its servers, if something was: a server may go on for long without noticing. Only for a
    /// deployment that nothing is done to: a server at work removes files that it has open.
    #[must_use]
    pub fn lost_files(&self) -> Option<PathBuf> {
        let servers = self.servers();
        self.view().places.iter().find_map(|(server, place)| {
            let directory = &place.dir_outside;
            if !directory.is_dir() {
                return Some(directory.clone());
            }
            let pid = servers.get(server)?.pid?;
            removed_below(directory, pid)
        })
    }
}

/// A file below `directory` that a process has open and that has no name any more.
fn removed_below(directory: &Path, pid: u32) -> Option<PathBuf> {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let names = open
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok());
    names
        .filter_map(|name| {
            let name = name.to_str()?.strip_suffix(REMOVED)?;
            Some(PathBuf::from(name))
        })
        .find(|name| name.starts_with(directory))
}
