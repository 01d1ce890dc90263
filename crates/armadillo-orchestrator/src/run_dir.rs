//! The private directory of a run: `/tmp/armadillo-<uid>/<8 hex>/`, and the sweep of those whose runs are dead.
//!
//! It is not below `$TMPDIR`: paths of sockets are short, and every run of a user must find the others. Whoever lives in
//! a run's directory holds a shared lock on its `lock` file; a directory whose file can be locked exclusively is dead.
//! Making and examining directories happens under a lock of the common parent, so none is ever seen half made.

pub mod reservation;
mod sweep;

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::random;

use sweep::is_run_id;
pub use sweep::{Swept, sweep, sweep_run};

/// How long the path of the common parent may be: `/<8 digits>/daemon.sock` follows, and a socket's path has 107 bytes.
const LONGEST_BASE: usize = 107 - "/01234567/daemon.sock".len();

/// How long it may take to get the lock of the common parent.
const LIMIT: Duration = Duration::from_secs(10);

/// A run's directory, known to be alive while this value exists. Dropping it leaves the directory to the next sweep.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    _lock: File,
}

/// Why there is no directory for a run.
#[derive(Debug, thiserror::Error)]
pub enum RunDirError {
    /// The common parent is not what it must be, and may be a trap.
    #[error("{} must be a directory that belongs to you and is accessible only to you: {problem}", path.display())]
    Unsafe {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Sockets in it would have no name.
    #[error(
        "the path {} has {length} bytes, but at most {LONGEST_BASE} are allowed, because socket paths are limited to 107 bytes",
        path.display()
    )]
    TooLong {
        /// The directory.
        path: PathBuf,
        /// The length of its path.
        length: usize,
    },
    /// Somebody holds the lock of the common parent and does not let go.
    #[error("timed out waiting for the lock of {}: is another run suspended during its start?", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
}

/// The file that names the run's control group.
const CGROUP: &str = "cgroup";

impl RunDir {
    /// Makes a new directory with a random id and locks it.
    ///
    /// # Errors
    /// When the common parent is unsafe, or the operating system refuses.
    pub fn create() -> Result<Self, RunDirError> {
        let base = base();
        let id = random::hex::<4>().map_err(failed("read random numbers for", &base))?;
        Self::create_in(&base, &id)
    }

    /// Makes a new directory for the run with this id, eight hexadecimal digits, and locks it.
    ///
    /// # Errors
    /// When the common parent is unsafe, the id is taken or none, or the operating system refuses.
    pub fn create_for(id: &str) -> Result<Self, RunDirError> {
        Self::create_in(&base(), id)
    }

    fn create_in(base: &Path, id: &str) -> Result<Self, RunDirError> {
        let path = base.join(id);
        if !is_run_id(id) {
            let problem = io::Error::new(io::ErrorKind::InvalidInput, "not the id of a run");
            return Err(failed("make", &path)(problem));
        }
        let _parent = lock_base(base)?;
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(failed("make", &path))?;
        let lock_path = path.join("lock");
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&lock_path)
            .map_err(failed("make", &lock_path))?;
        lock.lock_shared().map_err(failed("lock", &lock_path))?;
        lock.write_all(boot_id().as_bytes())
            .map_err(failed("write", &lock_path))?;
        Ok(Self { path, _lock: lock })
    }

    /// Joins the directory of a run that is alive: it stays so as long as one of its holders lives.
    ///
    /// # Errors
    /// When it is not there, or is being swept.
    pub fn attach(path: &Path) -> Result<Self, RunDirError> {
        let lock_path = path.join("lock");
        let lock = File::open(&lock_path).map_err(failed("open", &lock_path))?;
        match lock.try_lock_shared() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(RunDirError::Locked {
                path: path.to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(failed("lock", &lock_path)(source)),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run's id: eight hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> &str {
        self.path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default()
    }

    /// Where the ledger of the run's processes is.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.path.join("ledger")
    }

    /// Writes down which control group is the run's, so that a later sweep can end what is in it.
    ///
    /// # Errors
    /// Those of writing a file.
    pub fn note_cgroup(&self, cgroup: &Path) -> io::Result<()> {
        fs::write(
            self.path.join(CGROUP),
            cgroup.as_os_str().as_encoded_bytes(),
        )
    }

    /// Removes the directory with all that is in it. For the last to leave.
    ///
    /// # Errors
    /// Those of removing files; what is left is for the next sweep.
    pub fn remove(self) -> io::Result<()> {
        // Meanwhile nobody takes it, half removed, for what a dead run left.
        let _parent = self.path.parent().map(lock_base);
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

/// Where the private directories of runs lie, if not in the usual place.
static BASE: OnceLock<PathBuf> = OnceLock::new();

/// Has the private directories of runs lie in this directory, for the rest of this process. The first call counts.
pub fn settle_in(base: &Path) {
    BASE.get_or_init(|| base.to_owned());
}

/// Where the private directories of runs lie: `/tmp/armadillo-<uid>`, or as [`settle_in`] says.
#[must_use]
pub fn base() -> PathBuf {
    let usual = || {
        let user = rustix::process::getuid().as_raw();
        PathBuf::from(format!("/tmp/armadillo-{user}"))
    };
    BASE.get().cloned().unwrap_or_else(usual)
}

/// Looks whether private directories can be made.
///
/// # Errors
/// When the common parent is unsafe, its path too long, or the operating system refuses.
pub fn check() -> Result<(), RunDirError> {
    let base = base();
    let length = base.as_os_str().len();
    if length > LONGEST_BASE {
        return Err(RunDirError::TooLong { path: base, length });
    }
    lock_base(&base).map(drop)
}

/// Keeps every other process of this user from starting a daemon that is shared, until the file is dropped.
///
/// # Errors
/// When the common parent is unsafe, or somebody else has not let go within `limit`.
pub fn lock_shared(limit: Duration) -> Result<File, RunDirError> {
    let base = base();
    drop(lock_base(&base)?);
    let path = base.join("shared.lock");
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&path)
        .map_err(failed("open", &path))?;
    lock(file, &path, limit)
}

/// Locks a file or directory until it is dropped.
fn lock(file: File, path: &Path, limit: Duration) -> Result<File, RunDirError> {
    let deadline = Deadline::after(limit);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(failed("lock", path)(source)),
            Err(TryLockError::WouldBlock) if deadline.passed() => {
                return Err(RunDirError::Locked {
                    path: path.to_owned(),
                });
            }
            Err(TryLockError::WouldBlock) => nap(),
        }
    }
}

/// Makes the common parent if need be, checks that it is safe, and locks it until the file is dropped.
fn lock_base(base: &Path) -> Result<File, RunDirError> {
    // Not before it is known to be missing: those above may be somebody else's.
    if fs::symlink_metadata(base).is_err() {
        DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(base)
            .map_err(failed("make", base))?;
    }
    let refused = |problem: String| RunDirError::Unsafe {
        path: base.to_owned(),
        problem,
    };
    let directory = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW)
        .open(base)
        .map_err(|error| match error.raw_os_error() {
            Some(libc::ELOOP | libc::ENOTDIR) => refused("it is a link or a file".into()),
            _ => failed("open", base)(error),
        })?;
    let metadata = directory.metadata().map_err(failed("look at", base))?;
    let user = rustix::process::getuid().as_raw();
    if metadata.uid() != user {
        return Err(refused(format!("it belongs to user {}", metadata.uid())));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(refused(format!(
            "its mode is {:o}",
            metadata.mode() & 0o777
        )));
    }
    lock(directory, base, LIMIT)
}

/// Lets a moment pass before the next attempt.
#[expect(
    clippy::disallowed_methods,
    reason = "there is no lock with a deadline; its holders keep it for microseconds"
)]
fn nap() {
    std::thread::sleep(Duration::from_millis(1));
}

/// What tells this boot of the machine from every other; empty where it is not known.
fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RunDirError {
    let path = path.to_owned();
    move |source| RunDirError::Io {
        action,
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::sweep::sweep_in;
    use super::*;

    fn private() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
        directory
    }

    #[test]
    fn a_live_run_is_left_alone_and_a_dead_one_removed() {
        let base = private();
        let live = RunDir::create_in(base.path(), "00000001").unwrap();
        let dead = RunDir::create_in(base.path(), "00000002").unwrap();
        let (dead_id, dead_path) = (dead.id().to_owned(), dead.path().to_owned());
        let shared = RunDir::attach(dead.path()).unwrap();
        drop(dead);
        assert_eq!(sweep_in(base.path()).unwrap(), []);
        drop(shared);
        let half_made = base.path().join("0123abcd");
        fs::create_dir(&half_made).unwrap();
        let not_a_run = base.path().join("notes");
        fs::create_dir(&not_a_run).unwrap();
        let mut swept: Vec<String> = sweep_in(base.path())
            .unwrap()
            .into_iter()
            .map(|swept| swept.id)
            .collect();
        let mut expected = vec![dead_id, "0123abcd".to_owned()];
        swept.sort();
        expected.sort();
        assert_eq!(swept, expected);
        assert!(!dead_path.exists() && !half_made.exists());
        assert!(live.path().exists() && not_a_run.exists());
        let path = live.path().to_owned();
        live.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn an_unsafe_parent_is_refused() {
        let base = private();
        let open = base.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
        let error = RunDir::create_in(&open, "00000003")
            .unwrap_err()
            .to_string();
        assert!(error.contains("its mode is 755"), "{error}");
        let link = base.path().join("link");
        symlink(base.path(), &link).unwrap();
        let error = RunDir::create_in(&link, "00000003")
            .unwrap_err()
            .to_string();
        assert!(error.contains("it is a link"), "{error}");
        let error = RunDir::create_in(base.path(), "../escape")
            .unwrap_err()
            .to_string();
        assert!(error.contains("not the id of a run"), "{error}");
        let file = base.path().join("file");
        fs::write(&file, "").unwrap();
        let error = RunDir::create_in(&file, "00000003")
            .unwrap_err()
            .to_string();
        assert!(error.contains("it is a link or a file"), "{error}");
    }
}
