//! What the deployments of each run take of the machine's memory: a small file in each private directory, for all runs of the user.
//!
//! Whoever wants more looks at all of them and writes its own file under one lock, so two never take the same room.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{RunDir, RunDirError, failed, lock};
use crate::process::proc_fs;

const FILE: &str = "reserved.json";
const LOCK: &str = "reserved.lock";

/// What a run holds, and wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// The process that has written it, and when that was started: it counts for as long as that lives.
    pid: u32,
    start_time: u64,
    /// The memory of its deployments, in MiB.
    pub memory_mib: u64,
    /// What all runs may hold together, as this one has it, in MiB; `None`: it has a limit of its own.
    pub total_mib: Option<u64>,
    /// The memory that it waits for, if it does.
    pub waits: Option<Waits>,
}

/// That a run waits for memory that others hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waits {
    /// Since when, in microseconds of the machine's monotonic clock.
    pub since_us: u64,
    /// For how much, in MiB.
    pub memory_mib: u64,
}

/// The reservations of all runs of this user.
#[derive(Debug)]
pub struct Reservations {
    own: PathBuf,
    base: PathBuf,
}

/// The reservations as they are: nobody takes more while this lives.
#[derive(Debug)]
pub struct Look {
    /// Those of the other runs.
    pub others: Vec<Reservation>,
    _lock: File,
}

impl Reservation {
    /// One of this process.
    #[must_use]
    pub fn new(memory_mib: u64, total_mib: Option<u64>, waits: Option<Waits>) -> Self {
        let pid = std::process::id();
        Self {
            pid,
            start_time: proc_fs::start_time(pid).unwrap_or_default(),
            memory_mib,
            total_mib,
            waits,
        }
    }

    /// Its place in the line of those that wait: the smallest has waited longest. Those that do not wait come last.
    #[must_use]
    pub fn place_in_line(&self) -> (u64, u32) {
        let since = self.waits.map_or(u64::MAX, |waits| waits.since_us);
        (since, self.pid)
    }

    fn lives(&self) -> bool {
        let stat = proc_fs::stat(self.pid);
        stat.is_some_and(|stat| stat.start_time == self.start_time && !stat.is_zombie())
    }
}

impl Reservations {
    /// Those of the runs in the same place as this one.
    #[must_use]
    pub fn of(run: &RunDir) -> Self {
        let base = run.path().parent().unwrap_or(run.path()).to_owned();
        Self {
            own: run.path().join(FILE),
            base,
        }
    }

    /// Reads what the other runs hold. Waits at most `limit` for the lock.
    ///
    /// # Errors
    /// When the lock cannot be had, or the directory not be read.
    pub fn look(&self, limit: Duration) -> Result<Look, RunDirError> {
        let path = self.base.join(LOCK);
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed("open", &path))?;
        let lock = lock(file, &path, limit)?;
        let entries = fs::read_dir(&self.base).map_err(failed("read", &self.base))?;
        let files = entries.flatten().map(|entry| entry.path().join(FILE));
        let others = files.filter(|path| *path != self.own);
        // One that cannot be read is gone.
        let others = others.filter_map(|path| read(&path).ok());
        Ok(Look {
            others: others.filter(Reservation::lives).collect(),
            _lock: lock,
        })
    }

    /// Writes down what this run holds. More than before only while it looks.
    ///
    /// # Errors
    /// Those of writing a file.
    pub fn write(&self, own: &Reservation) -> Result<(), RunDirError> {
        // Others may read it at any moment.
        let unfinished = self.own.with_extension("unfinished");
        let written = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&unfinished)
            .and_then(|mut file| file.write_all(&serde_json::to_vec(own)?))
            .and_then(|()| fs::rename(&unfinished, &self.own));
        written.map_err(failed("write", &self.own))
    }
}

fn read(path: &Path) -> io::Result<Reservation> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_seen_for_as_long_as_they_live() {
        let base = tempfile::tempdir().unwrap();
        let runs = ["0000000a", "0000000b", "0000000c"].map(|id| base.path().join(id));
        let of = |at: usize| Reservations {
            own: runs[at].join(FILE),
            base: base.path().to_owned(),
        };
        runs.iter().for_each(|run| fs::create_dir(run).unwrap());
        assert_eq!(of(0).look(Duration::ZERO).unwrap().others, []);
        let holds = Reservation::new(300, Some(1000), None);
        of(1).write(&holds).unwrap();
        let dead = Reservation {
            start_time: 1,
            ..holds
        };
        of(2).write(&dead).unwrap();
        assert_eq!(of(0).look(Duration::ZERO).unwrap().others, [holds]);
        // Its own does not count.
        assert_eq!(of(1).look(Duration::ZERO).unwrap().others, []);
        // Half a file does not, either.
        fs::write(runs[2].join(FILE), "{").unwrap();
        assert_eq!(of(0).look(Duration::ZERO).unwrap().others, [holds]);
    }

    #[test]
    fn one_looks_at_a_time() {
        let base = tempfile::tempdir().unwrap();
        let own = Reservations {
            own: base.path().join("0000000a").join(FILE),
            base: base.path().to_owned(),
        };
        let look = own.look(Duration::ZERO).unwrap();
        let second = own.look(Duration::ZERO);
        assert!(matches!(second, Err(RunDirError::Locked { .. })));
        drop(look);
        assert!(own.look(Duration::ZERO).is_ok());
    }

    #[test]
    fn who_waits_longest_is_first_in_line() {
        let waits = |pid, since: Option<u64>| Reservation {
            pid,
            start_time: 0,
            memory_mib: 0,
            total_mib: None,
            waits: since.map(|since_us| Waits {
                since_us,
                memory_mib: 1,
            }),
        };
        let is_before =
            |one: Reservation, other: Reservation| one.place_in_line() < other.place_in_line();
        assert!(is_before(waits(9, Some(1)), waits(1, Some(2))));
        assert!(is_before(waits(1, Some(2)), waits(9, Some(2))));
        assert!(is_before(waits(9, Some(2)), waits(1, None)));
    }
}
