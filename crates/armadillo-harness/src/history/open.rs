//! The history that a command is about.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{FILE, History, file};
use crate::dispatch::run_directory;
use crate::settings::{Input, Resolved, UsageError, resolve};

/// Why there is no history.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The environment or `armadillo.toml` make no sense.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The working directory is gone.
    #[error("cannot tell the working directory: {0}")]
    Directory(std::io::Error),
    /// There is no such file.
    #[error("there is no history at {}\nhelp: runs of tests write it; --history FILE names another", .0.display())]
    Missing(PathBuf),
}

/// A history, and where it is from.
#[derive(Debug)]
pub struct Opened {
    /// What it says.
    pub history: History,
    /// The file.
    pub path: PathBuf,
    /// What is wrong with the file.
    pub problem: Option<String>,
}

/// Reads the whole history: from `named`, or from where runs of this directory write it.
///
/// # Errors
/// When there is none.
pub fn open(named: Option<&Path>) -> Result<Opened, OpenError> {
    let flag = named.map(|path| ["--history".into(), path.into()]);
    let args: Vec<OsString> = flag.into_iter().flatten().collect();
    let resolved = resolve(&Input {
        args,
        ..Input::of_process()
    })?;
    let (history, output_directory) = match resolved {
        Resolved::Options { options, .. } => {
            (options.running.history, options.running.output_directory)
        }
        // Nobody has asked for one.
        Resolved::Text(_) => (None, None),
    };
    let parent = || run_directory::parent(output_directory.as_deref());
    let path = history.unwrap_or_else(|| parent().join(FILE));
    let path = std::path::absolute(path).map_err(OpenError::Directory)?;
    if !path.exists() {
        return Err(OpenError::Missing(path));
    }
    let found = file::read(&path, &|_| true);
    Ok(Opened {
        history: found.history,
        path,
        problem: found.problem,
    })
}
