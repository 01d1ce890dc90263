//! What a test must not change in the process it shares with those that follow it.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use rustix::thread::Pid;

use crate::fixture::ProcessFixtures;

/// Working directory, environment, standard streams and number of threads, looked at before the first test and after each
/// (about 2 µs).
pub(super) struct ProcessState {
    directory: Option<PathBuf>,
    environment: u64,
    streams: [Option<(u64, u64)>; 2],
    /// Those that are not the harness's.
    threads: Option<Threads>,
}

/// A number of threads.
pub(super) type Threads = u64;

impl ProcessState {
    /// How this process is now, except for so many threads of the harness.
    pub(super) fn now(harness: Threads) -> Self {
        Self {
            directory: std::env::current_dir().ok(),
            environment: environment(),
            streams: [
                identity(rustix::stdio::stdout()),
                identity(rustix::stdio::stderr()),
            ],
            threads: threads().map(|all| all.saturating_sub(harness)),
        }
    }

    /// The same after a test whose thread was waited for. The kernel may still count it for a moment.
    pub(super) fn after(before: &Self, harness: Threads, gone: Option<Pid>) -> Self {
        let mut now = Self::now(harness);
        while now.threads > before.threads {
            let is_there = gone.is_some_and(|gone| {
                let task = format!("/proc/self/task/{}", gone.as_raw_nonzero());
                rustix::fs::stat(task).is_ok()
            });
            now.threads = threads().map(|all| all.saturating_sub(harness));
            if !is_there {
                break;
            }
            std::thread::yield_now();
        }
        now
    }

    /// What is different from how it was, as the reason for which the worker is retired. Threads that a worker-scoped fixture keeps
    /// are none of the test's doing, but one more fixture may mean one more thread, so the count is compared only while
    /// there is none.
    pub(super) fn change_since(&self, before: &Self, fixtures: &ProcessFixtures) -> Option<String> {
        if self.directory != before.directory {
            Some("the test changed the working directory".into())
        } else if self.environment != before.environment {
            Some("the test changed the environment".into())
        } else if self.streams != before.streams {
            Some("the test closed or redirected its standard output or error".into())
        } else if self.threads > before.threads && fixtures.is_empty() {
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
fn threads() -> Option<Threads> {
    rustix::fs::stat("/proc/self/task")
        .ok()
        .map(|stat| u64::from(stat.st_nlink as u32))
}
