//! The sweep: the end of what dead runs left.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{CGROUP, RunDirError, base, boot_id, failed, lock_base, nap};
use crate::deadline::Deadline;
use crate::process::{Cgroup, Ledger, proc_fs, tree};

/// How long it may take to kill what a dead run left.
const LIMIT: Duration = Duration::from_secs(10);

/// What was done about one dead run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swept {
    /// The run's id.
    pub id: String,
    /// The processes that it had left behind, by id and label or name.
    pub killed: Vec<(u32, String)>,
    /// Why its directory is still there, if it is.
    pub problem: Option<String>,
}

/// Ends what dead runs of this user left: kills the processes they wrote down (if pid and start time still name the same
/// process) and those that carry their marker, and removes their directories. It blocks.
///
/// # Errors
/// When the common parent is unsafe or cannot be read. What goes wrong with one run is said in its [`Swept`].
pub fn sweep() -> Result<Vec<Swept>, RunDirError> {
    sweep_in(&base())
}

/// Sweeps until the run with this id is gone. Its processes were killed, and may take a moment to let go of its
/// directory. It blocks.
///
/// # Errors
/// Those of [`sweep`].
pub fn sweep_run(id: &str, limit: Duration) -> Result<(), RunDirError> {
    let deadline = Deadline::after(limit);
    let path = base().join(id);
    loop {
        sweep()?;
        if !path.exists() || deadline.passed() {
            return Ok(());
        }
        nap();
    }
}

pub(super) fn sweep_in(base: &Path) -> Result<Vec<Swept>, RunDirError> {
    let parent = lock_base(base)?;
    let entries = fs::read_dir(base).map_err(failed("read", base))?;
    let dead: Vec<(PathBuf, Option<File>)> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| is_run(path))
        .filter_map(|path| {
            // The lock is kept: another sweep leaves the directory to this one.
            let lock = match File::open(path.join("lock")) {
                Ok(lock) => lock.try_lock().is_ok().then_some(Some(lock)),
                // Nobody is making it, or the parent would be locked.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Some(None),
                Err(_) => None,
            };
            Some((path, lock?))
        })
        .collect();
    drop(parent);
    Ok(dead
        .into_iter()
        .map(|(path, lock)| end(&path, lock))
        .collect())
}

/// Ends one dead run.
fn end(path: &Path, lock: Option<File>) -> Swept {
    let id = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let deadline = Deadline::after(LIMIT);
    let mut killed = Vec::new();
    // Start times count from the boot: after another one they say nothing.
    let mut boot = String::new();
    let known = lock
        .as_ref()
        .is_some_and(|mut lock| lock.read_to_string(&mut boot).is_ok());
    let mut problem = None;
    if known && boot == boot_id() {
        match end_cgroup(path, &id, deadline) {
            Ok(found) => killed.extend(found),
            Err(error) => problem = Some(format!("cannot kill its control group: {error}")),
        }
        for entry in Ledger::read(&path.join("ledger")).unwrap_or_default() {
            if entry.start_time == 0 || proc_fs::start_time(entry.pid) != Some(entry.start_time) {
                continue;
            }
            let below = tree::kill_descendants(entry.pid, &[std::process::id()], deadline);
            killed.extend(below.killed);
            if tree::kill_exactly(entry.pid, entry.start_time, deadline) {
                killed.push((entry.pid, entry.label));
            }
        }
    }
    // Until none is left: one may have started another meanwhile.
    loop {
        let marked = tree::marked(&id);
        if marked.is_empty() || deadline.passed() {
            break;
        }
        for stat in marked {
            if tree::kill_exactly(stat.pid, stat.start_time, deadline) {
                killed.push((stat.pid, stat.name));
            }
        }
    }
    let left = named(&tree::marked(&id));
    if !left.is_empty() {
        problem = Some(format!("cannot kill these processes: {left}"));
    } else if problem.is_none()
        && let Err(error) = fs::remove_dir_all(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        problem = Some(error.to_string());
    }
    Swept {
        id,
        killed,
        problem,
    }
}

/// Ends the control group that the run had, if it wrote one down.
fn end_cgroup(path: &Path, id: &str, deadline: Deadline) -> io::Result<Vec<(u32, String)>> {
    let noted = match fs::read(path.join(CGROUP)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        noted => noted?,
    };
    let noted = PathBuf::from(std::ffi::OsString::from_vec(noted));
    match Cgroup::of_run(id, &noted) {
        Some(cgroup) => Ok(cgroup.end(deadline)?.into_iter().collect()),
        None => Ok(Vec::new()),
    }
}

/// Processes in words: names and numbers.
fn named(processes: &[proc_fs::Stat]) -> String {
    let words = processes.iter();
    let words = words.map(|stat| format!("{} (pid {})", stat.name, stat.pid));
    words.collect::<Vec<_>>().join(", ")
}

/// Whether a path is named like a run's directory, and is a directory.
fn is_run(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(is_run_id)
        && fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

pub(super) fn is_run_id(name: &str) -> bool {
    name.len() == 8
        && name
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
