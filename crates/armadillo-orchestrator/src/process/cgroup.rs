//! The control group of a run: whatever descends from a process in it is in it too, however often it daemonised itself and
//! whatever became of its environment. It exists where version 2 of control groups is mounted and this user may write there.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::proc_fs;
use crate::deadline::Deadline;

/// A control group that belongs to one run.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// Where the control group of the run with this id would be: below that of this process. `None` where there is none.
    #[must_use]
    pub fn place(run: &str) -> Option<PathBuf> {
        Some(own()?.join(name(run)))
    }

    /// Makes the control group at `path` and moves this process into it.
    ///
    /// # Errors
    /// When it cannot be made, cannot end all its processes at once (Linux before 5.14), or does not take this process.
    pub fn enter(path: &Path) -> io::Result<Self> {
        fs::create_dir(path)?;
        let entered = if path.join("cgroup.kill").exists() {
            fs::write(path.join("cgroup.procs"), std::process::id().to_string())
        } else {
            Err(io::Error::from(io::ErrorKind::Unsupported))
        };
        match entered {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
            }),
            Err(error) => {
                // Empty, and of no use.
                let _ = fs::remove_dir(path);
                Err(error)
            }
        }
    }

    /// The control group at `path`, if it is one of the run with this id and this process is not in it.
    #[must_use]
    pub fn of_run(run: &str, path: &Path) -> Option<Self> {
        let is_named = path.file_name().is_some_and(|found| *found == *name(run));
        let is_there = path.join("cgroup.kill").exists();
        let is_ours = own().is_some_and(|own| own.starts_with(path));
        (is_named && is_there && !is_ours).then(|| Self {
            path: path.to_owned(),
        })
    }

    /// Moves this process out and ends the control group with all that is in it.
    ///
    /// # Errors
    /// Those of [`Self::end`]; or when this process cannot leave.
    pub fn leave_and_end(self, deadline: impl Into<Deadline>) -> io::Result<BTreeMap<u32, String>> {
        let above = self.path.parent().unwrap_or(&self.path);
        fs::write(above.join("cgroup.procs"), std::process::id().to_string())?;
        self.end(deadline)
    }

    /// Kills every process in it, and removes it; the processes by id and name. It blocks.
    ///
    /// # Errors
    /// When processes are left at the deadline, or it cannot be removed.
    pub fn end(self, deadline: impl Into<Deadline>) -> io::Result<BTreeMap<u32, String>> {
        let deadline = deadline.into();
        let mut killed = BTreeMap::new();
        loop {
            let living = processes(&self.path);
            if living.is_empty() {
                match remove(&self.path) {
                    Err(error) if !deadline.passed() && error.kind() != io::ErrorKind::NotFound => {
                        // The last may have left the list and not yet the group.
                        drop(error);
                    }
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => return Ok(killed),
                }
            } else {
                fs::write(self.path.join("cgroup.kill"), "1")?;
                killed.extend(living);
                if deadline.passed() {
                    return Err(io::Error::from(io::ErrorKind::TimedOut));
                }
            }
            nap();
        }
    }
}

fn name(run: &str) -> String {
    format!("armadillo-{run}")
}

/// The directory of the control group that this process is in.
fn own() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mount = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let at = fields.next()?;
        (fields.next()? == "cgroup2").then_some(at)
    })?;
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let path = Path::new(mount).join(own);
    path.is_dir().then_some(path)
}

/// The living processes in a control group and those below it.
fn processes(path: &Path) -> BTreeMap<u32, String> {
    let list = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    let pids = list.lines().filter_map(|line| line.parse::<u32>().ok());
    let mut found: BTreeMap<u32, String> = pids
        .map(|pid| {
            (
                pid,
                proc_fs::stat(pid).map_or_else(String::new, |stat| stat.name),
            )
        })
        .collect();
    for below in groups_in(path) {
        found.extend(processes(&below));
    }
    found
}

fn groups_in(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let groups = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    groups.map(|entry| entry.path()).collect()
}

/// Removes a control group and those below it. They have no files of ours, only directories can be removed.
fn remove(path: &Path) -> io::Result<()> {
    for below in groups_in(path) {
        remove(&below)?;
    }
    fs::remove_dir(path)
}

/// Lets a moment pass before the next look.
#[expect(
    clippy::disallowed_methods,
    reason = "the kernel ends the processes; this group is looked at for milliseconds"
)]
fn nap() {
    std::thread::sleep(Duration::from_millis(1));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_group_of_the_run_is_taken_for_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("armadillo-01234567");
        fs::create_dir(&path).unwrap();
        assert!(Cgroup::of_run("01234567", &path).is_none(), "no group");
        fs::write(path.join("cgroup.kill"), "").unwrap();
        assert!(Cgroup::of_run("01234567", &path).is_some());
        assert!(Cgroup::of_run("76543210", &path).is_none(), "another's");
        if let Some(own) = own() {
            assert!(Cgroup::of_run("01234567", &own).is_none());
        }
    }
}
