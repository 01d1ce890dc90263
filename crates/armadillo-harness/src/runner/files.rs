//! Where the files of a run lie: below cargo's target directory, the last runs kept.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use armadillo_orchestrator::ServerKey;

use super::journal::Journal;
use super::slot::Ground;
use crate::plan::Planned;

/// How many runs are kept.
const KEEP: usize = 10;

/// The name of the link to the newest run.
const LATEST: &str = "latest";

/// Why there is no directory for the run's files.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot make the directory for the run's files, {path}: {source}; --output-dir names another place"
)]
pub(crate) struct FilesError {
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

/// Makes the directory of this run, moves the link `latest` and removes the oldest runs.
pub(crate) fn make(parent: &Path, run: &str) -> Result<PathBuf, FilesError> {
    let directory = parent.join(run);
    let made = std::fs::create_dir_all(&directory).and_then(|()| std::path::absolute(&directory));
    let directory = made.map_err(|source| FilesError {
        path: directory.clone(),
        source,
    })?;
    let canonical = directory.canonicalize().map_err(|source| FilesError {
        path: directory.clone(),
        source,
    })?;
    // The link and the clean-up are conveniences: two runs at once may get in each other's way here.
    let link = parent.join(format!("{LATEST}.{run}"));
    let _ = std::os::unix::fs::symlink(run, &link)
        .and_then(|()| std::fs::rename(&link, parent.join(LATEST)));
    remove_oldest(parent, run);
    Ok(canonical)
}

fn remove_oldest(parent: &Path, current: &str) {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return;
    };
    let mut runs: Vec<(std::time::SystemTime, PathBuf)> = entries
        .flatten()
        .filter(|entry| {
            is_run(&entry.file_name().to_string_lossy()) && entry.file_name() != current
        })
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    runs.sort();
    let surplus = (runs.len() + 1).saturating_sub(KEEP);
    for (_, path) in runs.into_iter().take(surplus) {
        let _ = std::fs::remove_dir_all(path);
    }
}

fn is_run(name: &str) -> bool {
    name.len() == 8 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The files of one attempt of a test. The directory is made only when there is something to put into it.
pub(super) struct TestFiles {
    pub(super) directory: PathBuf,
}

impl TestFiles {
    pub(super) fn of(ground: &Ground, planned: &Planned, attempt: u32) -> Self {
        Self {
            directory: directory(&ground.directory, &planned.name, attempt),
        }
    }

    pub(super) fn attachments(&self) -> PathBuf {
        self.directory.join("attachments")
    }

    /// Keeps the whole of what the test printed.
    pub(super) fn keep_output(&self, output: &[u8], journal: &Journal) {
        self.keep(&self.directory.join("output"), output, journal);
    }

    /// Keeps the servers' log lines of the test's time.
    pub(super) fn keep_server_logs(&self, logs: &BTreeMap<ServerKey, String>, journal: &Journal) {
        for (server, text) in logs {
            self.keep(
                &self.directory.join("server-logs").join(server.as_str()),
                text.as_bytes(),
                journal,
            );
        }
    }

    fn keep(&self, path: &Path, bytes: &[u8], journal: &Journal) {
        let directory = path.parent().unwrap_or(&self.directory);
        if let Err(error) =
            std::fs::create_dir_all(directory).and_then(|()| std::fs::write(path, bytes))
        {
            journal.warn(format!("cannot write {}: {error}", path.display()));
        }
    }
}

/// The directory of one attempt of a test.
pub(crate) fn directory(run: &Path, test: &str, attempt: u32) -> PathBuf {
    let name: String = test
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-_.".contains(c) {
                c
            } else {
                '.'
            }
        })
        .collect();
    let name = name.replace("..", ".");
    let name = if attempt == 1 {
        name
    } else {
        format!("{name}.attempt-{attempt}")
    };
    run.join("tests").join(name)
}
