//! The files a server finds when it starts. Those that only their owner may read hold secrets: they lie in the private
//! directory, and the server's own, which is kept and shown, holds links to them. A directory of such files is linked as a whole,
//! because programs skip links in it, and holds nothing else.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use super::{LOG_FILE, file_error, make_private};
use crate::backend::BackEndError;
use crate::sanitizers;
use crate::secret::Secret;

/// Writes every file with exactly its mode, from the first byte on.
pub(super) fn write_all(
    directory: &Path,
    secrets: Option<&Path>,
    files: &[(PathBuf, u32, Secret)],
) -> Result<(), BackEndError> {
    for (path, mode, content) in files {
        let stays_inside = path
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !stays_inside {
            return Err(BackEndError::Outside { path: path.clone() });
        }
        let is_private = mode & 0o077 == 0;
        match secrets.filter(|_| is_private) {
            Some(secrets) => {
                write(&secrets.join(path), *mode, content)?;
                let first = path.iter().next().map(Path::new).unwrap_or(path);
                let (hidden, visible) = (secrets.join(first), directory.join(first));
                make_parent(&visible)?;
                replace(&visible, |new| symlink(&hidden, new))?;
            }
            None => write(&directory.join(path), *mode, content)?,
        }
    }
    remove_others(secrets.unwrap_or(directory), files)
}

/// Removes what directories of private files have from an earlier time.
fn remove_others(root: &Path, files: &[(PathBuf, u32, Secret)]) -> Result<(), BackEndError> {
    let private = files.iter().filter(|(_, mode, _)| mode & 0o077 == 0);
    let named: BTreeSet<PathBuf> = private.map(|(path, ..)| root.join(path)).collect();
    let directories: BTreeSet<&Path> = named
        .iter()
        .filter_map(|path| path.parent())
        .filter(|directory| *directory != root)
        .collect();
    for directory in directories {
        let list = fs::read_dir(directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        for entry in list.map_err(file_error("list", directory))? {
            let path = entry.path();
            if path.is_file() && !named.contains(&path) {
                fs::remove_file(&path).map_err(file_error("remove", &path))?;
            }
        }
    }
    Ok(())
}

/// Removes everything from a server's directory but what it has logged, and what its sanitizers have reported.
pub(super) fn remove_data(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name() == LOG_FILE || sanitizers::is_report(&entry.file_name()) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Writes a file that only its owner can read, in a directory that only its owner may enter.
///
/// # Errors
/// When it cannot be written.
pub fn write_private(path: &Path, content: &Secret) -> Result<(), BackEndError> {
    write(path, 0o600, content)
}

fn write(path: &Path, mode: u32, content: &Secret) -> Result<(), BackEndError> {
    make_parent(path)?;
    replace(path, |new| {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(new)?;
        // The mode given at creation loses what the umask forbids.
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.write_all(content.reveal().as_bytes())
    })
}

fn make_parent(path: &Path) -> Result<(), BackEndError> {
    match path.parent() {
        Some(parent) => make_private(parent),
        None => Ok(()),
    }
}

/// Makes something beside `path` and moves it there: whatever was there before is gone, and never half written.
fn replace(path: &Path, make: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), BackEndError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    // A server that reads the directory at this moment takes it for what it is.
    name.push(".tmp");
    let new = path.with_file_name(name);
    let made = match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => make(&new),
    };
    made.and_then(|()| fs::rename(&new, path))
        .map_err(file_error("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode_of(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn modes_are_exact_and_secrets_lie_elsewhere() {
        let root = tempfile::tempdir().unwrap();
        let (directory, secrets) = (root.path().join("server"), root.path().join("secrets"));
        let files = [
            (PathBuf::from("conf/open"), 0o666, Secret::new("all")),
            (PathBuf::from("key"), 0o600, Secret::new("mine")),
        ];
        for _ in 0..2 {
            write_all(&directory, Some(&secrets), &files).unwrap();
        }
        assert_eq!(mode_of(&directory.join("conf/open")), 0o666);
        assert_eq!(mode_of(&secrets.join("key")), 0o600);
        assert!(directory.join("key").is_symlink());
        assert_eq!(fs::read_to_string(directory.join("key")).unwrap(), "mine");
        write_all(&directory, None, &files).unwrap();
        assert!(!directory.join("key").is_symlink());
        assert_eq!(mode_of(&directory.join("key")), 0o600);
    }

    #[test]
    fn a_directory_of_secrets_is_linked_and_holds_what_was_named_last() {
        let root = tempfile::tempdir().unwrap();
        let (directory, secrets) = (root.path().join("server"), root.path().join("secrets"));
        let private = |name: &str| (PathBuf::from(name), 0o600, Secret::new(name));
        for private_place in [Some(secrets.as_path()), None] {
            let directory = directory.join(private_place.map_or("none", |_| "some"));
            let names = || -> Vec<String> {
                let entries = fs::read_dir(directory.join("keys")).unwrap();
                let mut names: Vec<_> = entries.map(|entry| entry.unwrap()).collect();
                names.sort_by_key(|entry| entry.file_name());
                assert!(
                    names
                        .iter()
                        .all(|entry| entry.file_type().unwrap().is_file())
                );
                let names = names.into_iter().map(|entry| entry.file_name());
                names.map(|name| name.into_string().unwrap()).collect()
            };
            let both = [private("keys/1"), private("keys/2"), private("alone")];
            write_all(&directory, private_place, &both).unwrap();
            assert_eq!(names(), ["1", "2"]);
            write_all(&directory, private_place, &both[..1]).unwrap();
            assert_eq!(names(), ["1"]);
            assert_eq!(directory.join("keys").is_symlink(), private_place.is_some());
            assert_eq!(mode_of(&directory.join("keys/1")), 0o600);
            assert_eq!(
                fs::read_to_string(directory.join("alone")).unwrap(),
                "alone"
            );
        }
        assert_eq!(mode_of(&secrets.join("keys")), 0o700);
    }

    #[test]
    fn a_file_outside_the_directory_is_refused() {
        let root = tempfile::tempdir().unwrap();
        for path in ["../x", "/x", "a/../../x"] {
            let files = [(PathBuf::from(path), 0o600, Secret::default())];
            let error = write_all(root.path(), None, &files).unwrap_err();
            assert!(matches!(error, BackEndError::Outside { .. }), "{error}");
        }
    }
}
