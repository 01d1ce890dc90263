//! The directories that a run lives in: the one of its files, and the private one with its sockets. If somebody removes one of
//! them in the middle, nothing that follows says anything about the tests.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often to check that they are still there. A poll, because inotify reports no removal on a network file system.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The directories, as they were when the run began.
pub(super) struct Places(Vec<Place>);

struct Place {
    path: PathBuf,
    /// What tells it from another of the same name.
    identity: (u64, u64),
}

impl Places {
    pub(super) fn of(paths: &[&Path]) -> Self {
        let place = |path: &&Path| {
            Some(Place {
                path: path.to_path_buf(),
                identity: identity(path)?,
            })
        };
        Self(paths.iter().filter_map(place).collect())
    }

    /// The first that is not there any more.
    pub(super) fn removed(&self) -> Option<&Path> {
        let is_gone = |place: &&Place| identity(&place.path) != Some(place.identity);
        self.0.iter().find(is_gone).map(|place| &*place.path)
    }

    /// Waits until one is not there any more.
    pub(super) async fn wait_for_removal(&self) -> PathBuf {
        loop {
            if let Some(path) = self.removed() {
                return path.to_owned();
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_directory_of_the_same_name_is_another() {
        let parent = tempfile::tempdir().unwrap();
        let (one, two) = (parent.path().join("one"), parent.path().join("two"));
        fs::create_dir(&one).unwrap();
        fs::create_dir(&two).unwrap();
        let places = Places::of(&[&one, &two]);
        assert_eq!(places.removed(), None);
        fs::rename(&two, parent.path().join("three")).unwrap();
        assert_eq!(places.removed(), Some(&*two));
        fs::create_dir(&two).unwrap();
        assert_eq!(places.removed(), Some(&*two));
    }
}
