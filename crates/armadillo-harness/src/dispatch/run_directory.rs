//! The directory of a run: below cargo's target directory, the last runs kept.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// How many runs are kept, this one included.
const KEEP: usize = 10;

/// How many bytes the runs before this one may take together; the oldest go first.
const KEEP_BYTES: u64 = 4 << 30;

/// The name of the link to the newest run.
const LATEST: &str = "latest";

/// The file in a run's directory that is locked for as long as the run goes on.
const LOCK: &str = "lock";

/// What the directory of a nextest run begins with; every test of it is a run of ours, in a directory below.
const NEXTEST: &str = "nextest-";

/// A run's directory. It is not removed by other runs while this value exists.
pub(crate) struct RunDirectory {
    /// Its path, absolute and without links.
    pub(crate) path: PathBuf,
    _lock: File,
}

/// Why there is no directory for the run's files.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot create the output directory {path}: {source}; use --output-dir to choose another directory"
)]
pub(crate) struct RunDirectoryError {
    path: PathBuf,
    source: std::io::Error,
}

/// The directory in which runs lie: `named`, or `armadillo` in the executable's nearest ancestor with a `CACHEDIR.TAG`
/// (cargo's target directory), or in the working directory's `target`.
pub(crate) fn parent(named: Option<&Path>) -> PathBuf {
    if let Some(named) = named {
        return named.to_owned();
    }
    let executable = std::env::current_exe().unwrap_or_default();
    let target = executable
        .ancestors()
        .find(|directory| directory.join("CACHEDIR.TAG").is_file());
    target.unwrap_or(Path::new("target")).join("armadillo")
}

/// Makes the directory of this run, moves the link `latest` and removes the oldest runs that have ended.
pub(crate) fn make(parent: &Path, run: &str) -> Result<RunDirectory, RunDirectoryError> {
    let nextest = std::env::var("NEXTEST_RUN_ID").ok();
    let kept = match &nextest {
        Some(id) => format!("{NEXTEST}{}", id.chars().take(8).collect::<String>()),
        None => run.to_owned(),
    };
    let path = if nextest.is_some() {
        parent.join(&kept).join(run)
    } else {
        parent.join(&kept)
    };
    let fail = |source| RunDirectoryError {
        path: path.clone(),
        source,
    };
    fs::create_dir_all(&path).map_err(fail)?;
    let lock = lock(&parent.join(&kept)).map_err(fail)?;
    let canonical = path.canonicalize().map_err(fail)?;
    // The link and the clean-up are conveniences: two runs at once may get in each other's way here.
    let link = parent.join(format!("{LATEST}.{run}"));
    let _ = std::os::unix::fs::symlink(&kept, &link)
        .and_then(|()| fs::rename(&link, parent.join(LATEST)));
    remove_oldest(parent, &kept);
    Ok(RunDirectory {
        path: canonical,
        _lock: lock,
    })
}

/// Shared, because every test of a nextest run holds the same one.
fn lock(directory: &Path) -> std::io::Result<File> {
    let lock = File::options()
        .create(true)
        .append(true)
        .open(directory.join(LOCK))?;
    lock.lock_shared()?;
    Ok(lock)
}

fn remove_oldest(parent: &Path, current: &str) {
    let mut runs = earlier_runs(parent, current);
    runs.sort();
    let mut count = runs.len() + 1;
    let mut bytes: u64 = runs.iter().map(|(_, _, bytes)| bytes).sum();
    for (_, path, size) in runs {
        if count <= KEEP && bytes <= KEEP_BYTES {
            return;
        }
        if has_ended(&path) && fs::remove_dir_all(&path).is_ok() {
            count -= 1;
            bytes -= size;
        }
    }
}

/// The other runs: when they were last written to, where they are, how large.
fn earlier_runs(parent: &Path, current: &str) -> Vec<(SystemTime, PathBuf, u64)> {
    let Ok(entries) = fs::read_dir(parent) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| {
            is_run(&entry.file_name().to_string_lossy()) && entry.file_name() != current
        })
        .filter_map(|entry| {
            Some((
                entry.metadata().ok()?.modified().ok()?,
                entry.path(),
                size(&entry.path()),
            ))
        })
        .collect()
}

fn has_ended(run: &Path) -> bool {
    match File::options().append(true).open(run.join(LOCK)) {
        Ok(lock) => lock.try_lock().is_ok(),
        // Made by somebody who died before the lock was there, or being made at this moment: then it is among the
        // newest and not removed anyway.
        Err(_) => true,
    }
}

/// Bytes of all files below a directory; what cannot be read counts nothing.
fn size(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else {
        return 0;
    };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

fn is_run(name: &str) -> bool {
    let id = name.strip_prefix(NEXTEST).unwrap_or(name);
    id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_runs_go_but_none_that_still_goes_on() {
        let parent = tempfile::tempdir().unwrap();
        let make = |number: usize| make(parent.path(), &format!("{number:08x}")).unwrap();
        let going_on = make(0);
        for number in 1..=KEEP + 3 {
            drop(make(number));
        }
        assert!(going_on.path.is_dir());
        let left = earlier_runs(parent.path(), "");
        assert_eq!(left.len(), KEEP);
        let newest = fs::read_link(parent.path().join(LATEST)).unwrap();
        assert_eq!(newest, Path::new(&format!("{:08x}", KEEP + 3)));
    }
}
