//! What a test must not change in the process it shares with those that follow it.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use crate::fixture::ProcessFixtures;

/// Working directory, environment, standard streams and number of threads, looked at before and after each test (about 2 µs).
pub(super) struct ProcessState {
    directory: Option<PathBuf>,
    environment: u64,
    streams: [Option<(u64, u64)>; 2],
    threads: Option<u64>,
}

impl ProcessState {
    pub(super) fn now() -> Self {
        Self {
            directory: std::env::current_dir().ok(),
            environment: environment(),
            streams: [
                identity(rustix::stdio::stdout()),
                identity(rustix::stdio::stderr()),
            ],
            threads: threads(),
        }
    }

    /// What is different now, as the reason for which the worker is retired. Threads that a worker-scoped fixture keeps
    /// are none of the test's doing, but one more fixture may mean one more thread, so the count is compared only while
    /// there is none.
    pub(super) fn change_since(&self, fixtures: &ProcessFixtures) -> Option<String> {
        let now = Self::now();
        if now.directory != self.directory {
            Some("the test changed the working directory".into())
        } else if now.environment != self.environment {
            Some("the test changed the environment".into())
        } else if now.streams != self.streams {
            Some("the test closed or redirected its standard output or error".into())
        } else if now.threads > self.threads && fixtures.is_empty() {
            Some("the test left threads running".into())
        } else {
            None
        }
    }
}

fn environment() -> u64 {
    let mut hasher = DefaultHasher::new();
    for pair in std::env::vars_os() {
        pair.hash(&mut hasher);
    }
    hasher.finish()
}

/// What an open file is; `None` if it is closed.
fn identity(file: BorrowedFd<'_>) -> Option<(u64, u64)> {
    let stat = rustix::fs::fstat(file).ok()?;
    Some((stat.st_dev, stat.st_ino))
}

/// The number of threads: a directory's link count is its subdirectories and two.
fn threads() -> Option<u64> {
    rustix::fs::stat("/proc/self/task")
        .ok()
        .map(|stat| u64::from(stat.st_nlink as u32))
}
