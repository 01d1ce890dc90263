//! What is left of a run: processes, found by the markers in their environment, and its private directory.

use std::path::PathBuf;
use std::time::Duration;

use crate::wait;

/// The variable that a [`crate::Suite`] gives to everything below it that keeps its environment.
pub(crate) const TOKEN: &str = "SELFTEST_TOKEN";

/// A living process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its id.
    pub pid: u32,
    /// Its command line.
    pub command: String,
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
}

/// The living processes whose environment has one of these entries (`NAME=value`).
#[must_use]
pub fn processes(entries: &[String]) -> Vec<Found> {
    pids()
        .filter(|pid| {
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let mut variables = environment.split(|byte| *byte == 0);
            variables.any(|variable| entries.iter().any(|entry| entry.as_bytes() == variable))
        })
        // A zombie has no environment, so it is not among these.
        .map(|pid| Found {
            pid,
            command: command(pid),
        })
        .collect()
}

/// How long a `sleep` is to take that has no environment: it is known by that.
///
/// # Errors
/// When this process was not started by a [`crate::Suite`].
pub fn nameless_seconds() -> Result<String, std::env::VarError> {
    Ok(seconds(&std::env::var(TOKEN)?))
}

/// The same for this token.
#[must_use]
pub fn seconds(token: &str) -> String {
    let digits = token.chars().filter(char::is_ascii_digit);
    format!("600.{}", digits.collect::<String>())
}

/// The living processes that were started with [`nameless_seconds`].
fn nameless(token: &str) -> Vec<Found> {
    let wanted = format!("sleep {} ", seconds(token));
    let pids = pids().map(|pid| Found {
        pid,
        command: command(pid),
    });
    pids.filter(|found| found.command == wanted).collect()
}

/// A process's command line, its words apart by spaces; empty if it is gone.
#[must_use]
pub fn command(pid: u32) -> String {
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).replace('\0', " ")
}

/// Whether a process lives that has this token.
#[must_use]
pub fn carries(pid: u32, token: &str) -> bool {
    let entry = format!("{TOKEN}={token}");
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let mut variables = environment.split(|byte| *byte == 0);
    variables.any(|variable| variable == entry.as_bytes())
}

/// The parent of a process, if both are there.
#[must_use]
pub fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the name, which may contain anything, come the state and the parent.
    let (_, behind) = stat.rsplit_once(')')?;
    behind.split_whitespace().nth(1)?.parse().ok()
}

/// The children of a process.
#[must_use]
pub fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task"));
    let tasks = tasks.into_iter().flatten().flatten();
    let of_task = |task: std::fs::DirEntry| {
        let list = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        let pids = list.split_whitespace().filter_map(|pid| pid.parse().ok());
        pids.collect::<Vec<u32>>()
    };
    tasks.flat_map(of_task).collect()
}

/// The directory with sockets, pipes and secrets of the run with this id.
#[must_use]
pub fn private_directory(run: &str) -> PathBuf {
    let user = rustix::process::getuid().as_raw();
    PathBuf::from(format!("/tmp/armadillo-{user}")).join(run)
}

/// What there is of the runs with these ids and of what was started with this token, in words.
#[must_use]
pub fn of(token: &str, runs: &[String]) -> Vec<String> {
    let mut entries = vec![format!("{TOKEN}={token}")];
    entries.extend(runs.iter().map(|run| format!("ARMADILLO_RUN={run}")));
    let mut alive = processes(&entries);
    alive.extend(nameless(token));
    let alive = alive
        .iter()
        .map(|found| format!("process {}: {}", found.pid, found.command));
    let directories = runs.iter().map(|run| private_directory(run));
    let directories = directories.filter(|path| path.exists());
    alive
        .chain(directories.map(|path| path.display().to_string()))
        .collect()
}

/// Waits until nothing is left; what is left after `limit`.
#[must_use]
pub fn after(limit: Duration, token: &str, runs: &[String]) -> Vec<String> {
    let gone = wait::until(limit, || of(token, runs).is_empty().then_some(()));
    gone.map_or_else(|| of(token, runs), |()| Vec::new())
}
