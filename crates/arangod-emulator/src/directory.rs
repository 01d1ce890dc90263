//! The database directory: its lock, its files, its version.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::logging::Logger;
use crate::version::{ENGINE, imitated};

/// The names of the version file. The documentation of `--database.auto-upgrade` says `VERSION`,
/// `RocksDBEngine.cpp` of arangodb/arangodb `VERSION-<id>`, and `_system` has id 1: both are
/// written, and both are checked.
const VERSION_FILES: [&str; 2] = ["VERSION", "VERSION-1"];
/// The folder that arangod keeps its data in. Here the journal lies in it.
const DATA: &str = "engine-rocksdb";

/// Why the directory cannot be used: what the log says, and how the process ends.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct DirectoryError {
    /// The id of the log line.
    pub(crate) id: &'static str,
    /// Its message.
    pub(crate) message: String,
    /// The exit code.
    pub(crate) exit: Exit,
}

fn failed(id: &'static str, exit: Exit, message: String) -> DirectoryError {
    DirectoryError { id, message, exit }
}

/// What the version files say about the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// There are none: the directory is new.
    Nothing,
    /// They are of this version, down to the patch level.
    Same,
    /// They are older.
    Older(u64),
    /// They are newer.
    Newer(u64),
}

/// The locked directory. The lock is one of `fcntl`, as arangod's is (`files.cpp`): it ends with the process, however that
/// ends, and with any descriptor of the file that the process closes, so nobody else here opens it.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// Holds the lock.
    lock: File,
}

impl Directory {
    /// Creates the directory if it is not there, and locks it.
    pub(crate) fn lock(path: &Path, log: &Logger) -> Result<Self, DirectoryError> {
        let unusable = |error: std::io::Error| {
            let message = format!(
                "cannot create or write database directory '{}': {error}",
                path.display()
            );
            failed("e1a1b", Exit::Failed, message)
        };
        std::fs::create_dir_all(path).map_err(unusable)?;
        let name = path.join("LOCK");
        // Whoever held the lock may have removed the file between our opening and our locking.
        loop {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&name)
                .map_err(unusable)?;
            let owner = owner_of(&mut file);
            if let Some(owner) = owner {
                warn_of(&name, owner, log);
            }
            match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::AGAIN | Errno::ACCESS) => return Err(locked(&name, owner)),
                Err(error) => return Err(unusable(error.into())),
            }
            let held = file.metadata().map_err(unusable)?;
            if std::fs::metadata(&name).is_ok_and(|there| there.ino() == held.ino()) {
                write_pid(&file).map_err(unusable)?;
                return Ok(Self {
                    path: PathBuf::from(path),
                    lock: file,
                });
            }
        }
    }

    /// Refuses a directory of another storage engine, and notes ours in a new one.
    pub(crate) fn check_engine(&self) -> Result<(), DirectoryError> {
        let name = self.path.join("ENGINE");
        match std::fs::read_to_string(&name) {
            Ok(text) if text.trim() == ENGINE => Ok(()),
            Ok(text) => {
                let message = format!(
                    "'ENGINE' file '{}' indicates storage engine '{}', but currently only \
                     '{ENGINE}' is supported.",
                    name.display(),
                    text.trim()
                );
                // `EngineSelectorFeature.cpp` ends with the general code, though there is one for this.
                Err(failed("cd6d8", Exit::Failed, message))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                write_whole(&name, ENGINE).map_err(|error| self.unwritable(&error))
            }
            Err(error) => Err(self.unwritable(&error)),
        }
    }

    fn unwritable(&self, error: &std::io::Error) -> DirectoryError {
        let message = format!("database directory '{}': {error}", self.path.display());
        failed("e1a1b", Exit::Failed, message)
    }

    /// What the version files say. Versions that differ in the patch level alone are the same, as
    /// arangod compares the rest only.
    pub(crate) fn version(&self) -> Result<Found, DirectoryError> {
        let mut found = Found::Nothing;
        for name in VERSION_FILES {
            let path = self.path.join(name);
            let text = match std::fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(self.unwritable(&error)),
            };
            let number = serde_json::from_str::<Value>(&text)
                .ok()
                .and_then(|value| value.get("version")?.as_u64())
                .ok_or_else(|| {
                    let message = format!("cannot read VERSION file '{}'", path.display());
                    failed("52f16", Exit::VersionCheckFailed, message)
                })?;
            let ours = u64::from(imitated().number()) / 100;
            let now = match (number / 100).cmp(&ours) {
                std::cmp::Ordering::Less => Found::Older(number),
                std::cmp::Ordering::Equal => Found::Same,
                std::cmp::Ordering::Greater => Found::Newer(number),
            };
            found = match found {
                Found::Nothing | Found::Same => now,
                // What is newer is what no upgrade helps.
                Found::Older(_) if matches!(now, Found::Newer(_)) => now,
                Found::Older(_) | Found::Newer(_) => found,
            };
        }
        Ok(found)
    }

    /// Writes the version files, unless they are of a newer version.
    pub(crate) fn write_version(&self) -> Result<(), DirectoryError> {
        if matches!(self.version()?, Found::Newer(_)) {
            return Ok(());
        }
        let text = json!({ "version": imitated().number(), "tasks": {} }).to_string();
        for name in VERSION_FILES {
            write_whole(&self.path.join(name), &text).map_err(|error| self.unwritable(&error))?;
        }
        Ok(())
    }

    /// The number of this installation, made up at the first start.
    pub(crate) fn server_id(&self) -> Result<u64, DirectoryError> {
        let name = self.path.join("SERVER");
        let known = std::fs::read_to_string(&name)
            .ok()
            .and_then(|text| serde_json::from_str::<Value>(&text).ok())
            .and_then(|value| value.get("serverId")?.as_str()?.parse().ok());
        if let Some(id) = known {
            return Ok(id);
        }
        let made = || -> std::io::Result<u64> {
            let mut bytes = [0; 8];
            bytes[2..].copy_from_slice(&crate::system::random::<6>()?);
            let id = u64::from_be_bytes(bytes);
            write_whole(&name, &json!({ "serverId": id.to_string() }).to_string())?;
            Ok(id)
        };
        made().map_err(|error| self.unwritable(&error))
    }

    /// The id of a server of a cluster, made at its first start unless it is given one.
    pub(crate) fn uuid(&self, prefix: &str, given: Option<&str>) -> Result<String, DirectoryError> {
        let name = self.path.join("UUID");
        match std::fs::read_to_string(&name) {
            Ok(text) if text.trim().starts_with(prefix) => Ok(String::from(text.trim())),
            Ok(text) => {
                let message = format!("the id in UUID, '{}', is another role's", text.trim());
                Err(failed("", Exit::Failed, message))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let made = || {
                    let id = match given {
                        Some(id) => String::from(id),
                        None => format!("{prefix}-{}", crate::system::uuid()?),
                    };
                    write_whole(&name, &id)?;
                    Ok(id)
                };
                made().map_err(|error: std::io::Error| self.unwritable(&error))
            }
            Err(error) => Err(self.unwritable(&error)),
        }
    }

    /// Whether it has an id already.
    pub(crate) fn has_uuid(&self) -> bool {
        self.path.join("UUID").exists()
    }

    /// The folder of the data, made if it is not there.
    pub(crate) fn data(&self) -> Result<PathBuf, DirectoryError> {
        let folder = self.path.join(DATA);
        std::fs::create_dir_all(&folder).map_err(|error| self.unwritable(&error))?;
        Ok(folder)
    }

    /// Where the journal lies.
    pub(crate) fn journal(&self) -> Result<PathBuf, DirectoryError> {
        Ok(self.data()?.join("emulator.journal"))
    }

    /// Whether a server has been here before.
    pub(crate) fn is_initialised(&self) -> bool {
        self.path.join("SERVER").exists()
    }

    /// Removes the lock file, at a clean end.
    pub(crate) fn unlock(self) {
        // Removed while still locked: a process that opens it later makes a new one.
        drop(std::fs::remove_file(self.path.join("LOCK")));
        drop(self.lock);
    }
}

/// The process that a lock file names.
fn owner_of(file: &mut File) -> Option<Pid> {
    let mut owner = String::new();
    file.read_to_string(&mut owner).ok()?;
    let owner = owner.trim().parse().ok().filter(|pid| *pid > 0)?;
    Pid::from_raw(owner)
}

/// Says of a lock file that is there already whether its process lives.
fn warn_of(name: &Path, owner: Pid, log: &Logger) {
    let (id, how) = match test_kill_process(owner) {
        Ok(()) | Err(Errno::PERM) => ("ad4b2", "and that process seems to be still running"),
        Err(_) => ("b387d", "but that process seems to be dead already"),
    };
    let text = format!(
        "found existing lockfile '{}' of previous process with pid {}, {how}",
        name.display(),
        owner.as_raw_nonzero()
    );
    log.warning(id, "general", text);
}

fn locked(name: &Path, owner: Option<Pid>) -> DirectoryError {
    let message = match owner {
        Some(owner) => format!(
            "database is locked by process {}; please stop it first and check that the lockfile \
             '{}' goes away. If you are sure no other arangod process is running, please remove \
             the lockfile '{}' and try again",
            owner.as_raw_nonzero(),
            name.display(),
            name.display()
        ),
        None => format!(
            "failed to read/write lockfile, please check the file permissions of the lockfile '{}'",
            name.display()
        ),
    };
    failed("1f4eb", Exit::CouldNotLock, message)
}

/// Writes a small file so that a process killed in the middle leaves the old one, or none.
fn write_whole(name: &Path, text: &str) -> std::io::Result<()> {
    let fresh = name.with_extension("new");
    std::fs::write(&fresh, text)?;
    std::fs::rename(&fresh, name)
}

fn write_pid(mut file: &File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(std::process::id().to_string().as_bytes())
}
