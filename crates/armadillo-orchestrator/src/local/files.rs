//! The files a server finds when it starts. Those that only their owner may read hold secrets: they lie in the private
//! directory, and the server's own, which is kept and shown, holds links to them.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use super::{file_error, make_private};
use crate::backend::BackEndError;
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
        let visible = directory.join(path);
        match secrets.filter(|_| is_private) {
            Some(secrets) => {
                let hidden = secrets.join(path);
                write(&hidden, *mode, content)?;
                make_parent(&visible)?;
                replace(&visible, |new| symlink(&hidden, new))?;
            }
            None => write(&visible, *mode, content)?,
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
    name.push(".new");
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
    fn a_file_outside_the_directory_is_refused() {
        let root = tempfile::tempdir().unwrap();
        for path in ["../x", "/x", "a/../../x"] {
            let files = [(PathBuf::from(path), 0o600, Secret::default())];
            let error = write_all(root.path(), None, &files).unwrap_err();
            assert!(matches!(error, BackEndError::Outside { .. }), "{error}");
        }
    }
}
