//! Data that was there before: copied into the directories of a deployment's servers before their first start.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::request::{StartError, StartRequest};
use crate::backend::Site;
use crate::deadline::Deadline;
use crate::notice::{Notice, Notices};
use crate::random;
use crate::secret::Secret;
use crate::server::ServerKey;

/// The file, beside the directories of the servers, with the secret of the deployment that the data is from.
pub(super) const SECRET_FILE: &str = "secret";

/// How much of a file is copied before the time is looked at, in bytes.
const PIECE: u64 = 16 << 20;

/// Why existing data cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// It cannot be read or copied.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It has no directory of any server.
    #[error(
        "{} has no data of a server: put what the data directory of a server holds into one of {expected}",
        path.display()
    )]
    Empty {
        /// The directory.
        path: PathBuf,
        /// The directories that there may be, as text.
        expected: String,
    },
    /// It has data of a server that is not planned.
    #[error("{} is the name of no server with data of its own; the servers are {expected}", path.display())]
    Unplanned {
        /// The directory.
        path: PathBuf,
        /// The directories that there may be, as text.
        expected: String,
    },
    /// There is something in it that cannot be copied.
    #[error("{} is neither a file nor a directory", path.display())]
    Strange {
        /// What it is.
        path: PathBuf,
    },
    /// There was not enough time to copy it.
    #[error("the time to start the deployment was up when {} was being copied", path.display())]
    Late {
        /// What was being copied then.
        path: PathBuf,
    },
    /// The copy did not come to its end.
    #[error("the copy of {} was interrupted", path.display())]
    Interrupted {
        /// The directory.
        path: PathBuf,
    },
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DataError {
    let path = path.to_owned();
    move |source| DataError::File {
        action,
        path,
        source,
    }
}

/// What was copied.
#[derive(Debug)]
pub(super) struct Copied {
    /// How many bytes the files have together.
    pub(super) bytes: u64,
    /// The secret of the deployment that the data is from, if it is there.
    pub(super) secret: Option<Secret>,
}

/// Copies the data of each server to its place, if that can be done by the deadline. The original is only read.
pub(super) fn copy(
    from: &Path,
    to: &[(ServerKey, PathBuf)],
    deadline: Deadline,
) -> Result<Copied, DataError> {
    let mut found = BTreeSet::new();
    let mut secret = None;
    let expected = || {
        let names: Vec<String> = to.iter().map(|(key, _)| format!("{key}/")).collect();
        names.join(", ")
    };
    for entry in fs::read_dir(from).map_err(failed("read", from))? {
        let entry = entry.map_err(failed("read", from))?;
        let path = entry.path();
        if entry.file_name() == SECRET_FILE {
            let text = fs::read_to_string(&path).map_err(failed("read", &path))?;
            secret = Some(Secret::new(text.trim()));
        } else if path.is_dir() {
            let name = entry.file_name();
            if !to.iter().any(|(key, _)| *key.as_str() == *name) {
                let expected = expected();
                return Err(DataError::Unplanned { path, expected });
            }
            found.insert(ServerKey(name.to_string_lossy().into_owned()));
        }
    }
    let mut bytes = 0;
    for (key, place) in to.iter().filter(|(key, _)| found.contains(key)) {
        bytes += copy_directory(&from.join(key.as_str()), place, deadline)?;
    }
    if found.is_empty() {
        return Err(DataError::Empty {
            path: from.to_owned(),
            expected: expected(),
        });
    }
    Ok(Copied { bytes, secret })
}

/// Copies a directory with everything in it; returns how many bytes its files have. Modes stay, links are followed.
fn copy_directory(from: &Path, to: &Path, deadline: Deadline) -> Result<u64, DataError> {
    fs::create_dir_all(to).map_err(failed("create", to))?;
    let mode = fs::metadata(from).map_err(failed("read", from))?;
    // Until everything is in it, its owner has to write to it; nobody else gets more than the original allows.
    let open = fs::Permissions::from_mode(mode.permissions().mode() | 0o700);
    fs::set_permissions(to, open).map_err(failed("write", to))?;
    let mut bytes = 0;
    for entry in fs::read_dir(from).map_err(failed("read", from))? {
        let path = entry.map_err(failed("read", from))?.path();
        let copy = to.join(path.file_name().unwrap_or_default());
        let kind = fs::metadata(&path).map_err(failed("read", &path))?;
        if kind.is_dir() {
            bytes += copy_directory(&path, &copy, deadline)?;
        } else if kind.is_file() {
            bytes += copy_file(&path, &copy, deadline)?;
        } else {
            return Err(DataError::Strange { path });
        }
    }
    fs::set_permissions(to, mode.permissions()).map_err(failed("write", to))?;
    Ok(bytes)
}

fn copy_file(from: &Path, to: &Path, deadline: Deadline) -> Result<u64, DataError> {
    let failed = || failed("copy", from);
    let mut source = fs::File::open(from).map_err(failed())?;
    let mode = source.metadata().map_err(failed())?.permissions();
    // Whoever may not read the original may not read half a copy, either.
    let copy = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode.mode() & 0o777)
        .open(to);
    let mut copy = copy.map_err(failed())?;
    let mut bytes = 0;
    loop {
        if deadline.passed() {
            let path = from.to_owned();
            return Err(DataError::Late { path });
        }
        let piece = io::copy(&mut Read::by_ref(&mut source).take(PIECE), &mut copy);
        match piece.map_err(failed())? {
            0 => break,
            more => bytes += more,
        }
    }
    // The umask may have taken something off it.
    copy.set_permissions(mode).map_err(failed())?;
    Ok(bytes)
}

/// The secret of a deployment whose servers have got their places: a new one, or that of the deployment whose data they start on,
/// which they have got then.
pub(super) async fn secret(
    request: &StartRequest,
    site: &dyn Site,
    notices: &Notices,
) -> Result<Secret, StartError> {
    let copied = match &request.topology.data {
        None => None,
        Some(path) => Some(copied(request, path, site, notices).await),
    };
    let copied = copied.transpose().map_err(|source| StartError::Data {
        deployment: request.id.clone(),
        source,
    })?;
    if let Some(secret) = copied.and_then(|copied| copied.secret) {
        return Ok(secret);
    }
    let secret = random::hex::<32>().map_err(|source| StartError::Secret {
        deployment: request.id.clone(),
        source,
    })?;
    Ok(Secret::new(secret))
}

async fn copied(
    request: &StartRequest,
    path: &Path,
    site: &dyn Site,
    notices: &Notices,
) -> Result<Copied, DataError> {
    let from = std::path::absolute(path).map_err(failed("find", path))?;
    let system = request.system;
    let takes = |key: &&ServerKey| system.takes_data(&request.topology, key);
    let places = site.places().iter();
    let targets: Vec<_> = places
        .filter(|(key, _)| takes(key))
        .map(|(key, place)| (key.clone(), place.dir_outside.join(system.data_directory())))
        .collect();
    let (source, interrupted) = (from.clone(), from.clone());
    // It may be large, and everybody waits for this thread.
    let deadline = request.deadline;
    let copied = tokio::task::spawn_blocking(move || copy(&source, &targets, deadline));
    let copied = copied
        .await
        .map_err(|_| DataError::Interrupted { path: interrupted })??;
    notices.send(Notice::DataCopied {
        from: from.display().to_string(),
        bytes: copied.bytes,
    });
    Ok(copied)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn in_time() -> Deadline {
        Deadline::after(Duration::from_secs(60))
    }

    #[test]
    fn a_copy_ends_with_the_time_to_start() {
        let root = tempfile::tempdir().unwrap();
        let from = root.path().join("from");
        let file = from.join("a-1/wal/0");
        write(&file, "12345");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let targets = targets(root.path());
        let late = copy(&from, &targets, Deadline::after(Duration::ZERO));
        assert!(matches!(late, Err(DataError::Late { path }) if path == file));
        // Half a copy is as private as the original.
        let half = fs::metadata(targets[0].1.join("wal/0")).unwrap();
        assert_eq!(half.permissions().mode() & 0o777, 0o600);
    }

    fn targets(root: &Path) -> Vec<(ServerKey, PathBuf)> {
        let target = |key: &str| {
            (
                ServerKey::from(key),
                root.join("run").join(key).join("data"),
            )
        };
        vec![target("a-1"), target("a-2")]
    }

    #[test]
    fn the_data_of_each_server_is_copied_and_the_original_stays() {
        let root = tempfile::tempdir().unwrap();
        let from = root.path().join("from");
        write(&from.join("a-1/wal/0"), "12345");
        write(&from.join("a-1/LOCK"), "");
        write(&from.join("secret"), "shh\n");
        write(&from.join("README"), "what this is");
        let private = fs::Permissions::from_mode(0o700);
        fs::set_permissions(from.join("a-1/wal"), private).unwrap();
        let targets = targets(root.path());
        let copied = copy(&from, &targets, in_time()).unwrap();
        assert_eq!(copied.bytes, 5);
        assert_eq!(copied.secret.unwrap().reveal(), "shh");
        let copy = &targets[0].1;
        assert_eq!(fs::read_to_string(copy.join("wal/0")).unwrap(), "12345");
        let mode = fs::metadata(copy.join("wal")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert!(copy.join("LOCK").exists() && !targets[1].1.exists());
        // What happens to the copy does not happen to the original.
        fs::write(copy.join("wal/0"), "changed").unwrap();
        let original = fs::read_to_string(from.join("a-1/wal/0")).unwrap();
        assert_eq!(original, "12345");
    }

    #[test]
    fn errors_name_the_path() {
        let root = tempfile::tempdir().unwrap();
        let from = root.path().join("from");
        let targets = targets(root.path());
        let said = || copy(&from, &targets, in_time()).unwrap_err().to_string();
        let path = from.display().to_string();
        assert!(said().starts_with(&format!("cannot read {path}: ")));
        fs::create_dir(&from).unwrap();
        assert_eq!(
            said(),
            format!(
                "{path} has no data of a server: put what the data directory of a server holds into one of a-1/, a-2/"
            )
        );
        write(&from.join("a-3/x"), "");
        assert!(said().starts_with(&format!("{path}/a-3 is the name of no server")));
    }
}
