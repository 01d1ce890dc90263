//! Programs that a recipe runs: each is said, and shows what it printed only if it fails.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::GetError;

/// How many of the last lines of a program that failed are shown.
const SHOWN: usize = 15;

/// A program that did not do what it was run for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    #[error("cannot run {program}: {source}")]
    Start { program: String, source: io::Error },
    #[error("{line} failed ({status}):\n{output}")]
    Failed {
        line: String,
        status: String,
        output: String,
    },
}

/// Runs a program in a directory and returns what it printed to stdout.
pub(super) fn run<S: AsRef<OsStr>>(
    directory: &Path,
    program: &str,
    args: impl IntoIterator<Item = S>,
) -> Result<String, StepError> {
    run_with(directory, program, args, &[])
}

/// The same with some variables more in its environment.
pub(super) fn run_with<S: AsRef<OsStr>>(
    directory: &Path,
    program: &str,
    args: impl IntoIterator<Item = S>,
    environment: &[(&str, &Path)],
) -> Result<String, StepError> {
    let mut command = Command::new(program);
    command
        .args(args)
        .envs(environment.iter().copied())
        .current_dir(directory)
        .stdin(Stdio::null());
    let output = command.output().map_err(|source| StepError::Start {
        program: program.to_owned(),
        source,
    })?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let said = format!("{stdout}{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = said.lines().collect();
    let args = command.get_args().map(OsStr::to_string_lossy);
    let args: Vec<_> = args.collect();
    Err(StepError::Failed {
        line: format!("{program} {}", args.join(" ")),
        status: output.status.to_string(),
        output: lines[lines.len().saturating_sub(SHOWN)..].join("\n"),
    })
}

/// Whether a program of this name can be run.
pub(super) fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let can_run = |path: PathBuf| {
        let metadata = path.metadata();
        metadata.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(&path).any(|directory| can_run(directory.join(program)))
}

/// Removes a directory, also one in which directories are read-only, as those of Go's modules.
pub(super) fn remove(directory: &Path) -> Result<(), GetError> {
    make_writable(directory);
    std::fs::remove_dir_all(directory).map_err(GetError::file("remove", directory))
}

/// Makes a directory and everything in it writable for its owner. What cannot be changed is found out by who writes.
pub(super) fn make_writable(path: &Path) {
    let Ok(metadata) = path.symlink_metadata() else {
        return;
    };
    if metadata.is_symlink() {
        return;
    }
    let mut permissions = metadata.permissions();
    permissions.set_mode(permissions.mode() | 0o200);
    let _ = std::fs::set_permissions(path, permissions);
    if metadata.is_dir() {
        for entry in entries(path) {
            make_writable(&entry);
        }
    }
}

/// What is in a directory.
pub(super) fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}
