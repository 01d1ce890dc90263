//! The run that a command is about.

use std::ffi::OsString;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::{Record, RecordError};
use crate::daemon::EVENTS_FILE;
use crate::dispatch::run_directory;
use crate::report::{self, RebuildError};
use crate::settings::{Input, Resolved, UsageError, resolve};

/// Among how many of the newest runs one is looked for that has just ended; others may have begun since.
const NEWEST: usize = 10;

/// Why there is no run to repeat.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The environment or `armadillo.toml` make no sense.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// A directory is gone.
    #[error("cannot find the directory of the run: {0}")]
    Directory(std::io::Error),
    /// There is none of that name.
    #[error(
        "there is no run `{name}` in {}\nhelp: name its directory, or one of: {}",
        parent.display(),
        known.join(", ")
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// Where runs are.
        parent: PathBuf,
        /// The runs that there are.
        known: Vec<String>,
    },
    /// Its event log cannot be read.
    #[error("{}: {source}", path.display())]
    Log {
        /// The log.
        path: PathBuf,
        /// Why.
        source: RebuildError,
    },
    /// It cannot be repeated.
    #[error("run {run} cannot be repeated: {why}")]
    Record {
        /// The run.
        run: String,
        /// Why.
        why: RecordError,
    },
}

/// The directory in which runs of this directory lie.
///
/// # Errors
/// When the settings make no sense.
fn parent() -> Result<PathBuf, OpenError> {
    let resolved = resolve(&Input {
        args: Vec::<OsString>::new(),
        ..Input::of_process()
    })?;
    let named = match resolved {
        Resolved::Options { options, .. } => options.running.output_directory,
        // Nobody has asked for one.
        Resolved::Text(_) => None,
    };
    let parent = run_directory::parent(named.as_deref());
    std::path::absolute(parent).map_err(OpenError::Directory)
}

/// The names of the runs of this directory, the newest first; `latest` is one of them.
///
/// # Errors
/// When the settings make no sense.
pub fn names() -> Result<Vec<String>, OpenError> {
    Ok(names_in(&parent()?))
}

fn names_in(parent: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let mut runs: Vec<_> = entries
        .filter(|entry| entry.path().join(EVENTS_FILE).is_file())
        .filter_map(|entry| {
            let written = entry.path().metadata().ok()?.modified().ok()?;
            Some((
                std::cmp::Reverse(written),
                entry.file_name().into_string().ok()?,
            ))
        })
        .collect();
    runs.sort();
    runs.into_iter().map(|(_, name)| name).collect()
}

/// The directory of a run: `named` is one, or its event log, or the name of a run of this directory.
///
/// # Errors
/// When there is none.
pub fn find(named: &Path) -> Result<PathBuf, OpenError> {
    // The link to the last run leads to another one once this is repeated.
    let real = |path: &Path| path.canonicalize().map_err(OpenError::Directory);
    if named.join(EVENTS_FILE).is_file() {
        return real(named);
    }
    if named.is_file()
        && let Some(around) = real(named)?.parent()
    {
        return Ok(around.to_owned());
    }
    let parent = parent()?;
    let run = parent.join(named);
    match run.join(EVENTS_FILE).is_file() {
        true => real(&run),
        false => Err(OpenError::Unknown {
            name: named.display().to_string(),
            known: names_in(&parent),
            parent,
        }),
    }
}

/// The run of this script among those in `parent`, if there is one.
#[must_use]
pub fn of_script(parent: &Path, script: &Path) -> Option<Record> {
    let named = script.to_string_lossy();
    let newest = names_in(parent).into_iter().take(NEWEST);
    // Another one may be incomplete at this moment.
    let mut records = newest.filter_map(|name| read(&parent.join(name)).ok());
    records.find(|record| {
        let mut args = record.started.args.iter();
        args.any(|arg| arg.ends_with(&*named))
    })
}

/// What is known of the run in this directory. If it has several executables, of the one that has the test.
///
/// # Errors
/// When its events cannot be read, or it cannot be repeated.
pub fn open(directory: &Path, test: Option<&str>) -> Result<Record, OpenError> {
    let whole = read(directory)?;
    let mut parts = Vec::new();
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.path().join(EVENTS_FILE).is_file()) {
        // The daemon that they share has a log, too, which is not that of a run.
        if let Ok(part) = read(&entry.path())
            && part.started.part.is_some()
        {
            parts.push((entry.path(), part));
        }
    }
    let record = match parts.len() {
        0 => Ok(whole),
        _ => of_parts(parts, test),
    };
    let checked = record.and_then(|record| record.check().map(|()| record));
    checked.map_err(|why| OpenError::Record {
        run: directory.display().to_string(),
        why,
    })
}

/// The part that has the test, whose name may begin with that of its executable.
fn of_parts(parts: Vec<(PathBuf, Record)>, test: Option<&str>) -> Result<Record, RecordError> {
    for (_, part) in &parts {
        part.check()?;
    }
    let has_it = |part: &Record| {
        test.is_some_and(|test| match test.split_once('$') {
            Some((of, name)) => part.started.executable() == of && part.place(name).is_some(),
            None => part.place(test).is_some(),
        })
    };
    let several = RecordError::Several {
        parts: (parts.iter())
            .map(|(path, part)| format!("{} ({})", path.display(), part.started.executable()))
            .collect(),
    };
    let is_only = parts.len() == 1;
    let mut found = parts.into_iter().map(|(_, part)| part);
    let mut found = found.by_ref().filter(|part| is_only || has_it(part));
    match (found.next(), found.next()) {
        (Some(part), None) => Ok(part),
        _ => Err(several),
    }
}

fn read(directory: &Path) -> Result<Record, OpenError> {
    let path = directory.join(EVENTS_FILE);
    let events = File::open(&path).map_err(RebuildError::from);
    let events = events.and_then(|log| report::events(BufReader::new(log)));
    let events = events.map_err(|source| OpenError::Log { path, source })?;
    Record::of(&events).map_err(|why| OpenError::Record {
        run: directory.display().to_string(),
        why,
    })
}
