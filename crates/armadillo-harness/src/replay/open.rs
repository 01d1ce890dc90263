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
    // It is one of the newest, so few logs are read; others may have begun since.
    let newest = names_in(parent).into_iter();
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

/// The only part that has a test of this name, or if none has, the only one with a test whose name contains it. The executable may
/// stand before it.
fn of_parts(parts: Vec<(PathBuf, Record)>, test: Option<&str>) -> Result<Record, RecordError> {
    for (_, part) in &parts {
        part.check()?;
    }
    let has_it = |part: &Record, exactly: bool| {
        test.is_some_and(|test| {
            let (of, name) = match test.split_once('$') {
                Some((of, name)) => (Some(of), name),
                None => (None, test),
            };
            let mut tests = part.tests.iter().map(|known| known.test.as_str());
            of.is_none_or(|of| part.started.executable() == of)
                && tests.any(|known| known == name || !exactly && known.contains(name))
        })
    };
    let several = RecordError::Several {
        parts: (parts.iter())
            .map(|(path, part)| format!("{} ({})", path.display(), part.started.executable()))
            .collect(),
    };
    let mut found: Vec<Record> = parts.into_iter().map(|(_, part)| part).collect();
    if found.len() > 1 {
        let exactly = found.iter().any(|part| has_it(part, true));
        found.retain(|part| has_it(part, exactly));
    }
    match (found.pop(), found.is_empty()) {
        (Some(part), true) => Ok(part),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventKind;
    use crate::replay::record::tests::run;
    use crate::report::sample;

    #[test]
    fn a_part_of_a_name_is_enough_to_find_the_executable() {
        let part = |binary: &str, happened: &str| {
            let mut record = run(happened);
            record.started.binary = binary.to_owned();
            (PathBuf::from(binary), record)
        };
        let found = |test: Option<&str>| {
            let parts = vec![
                part("one", "+net::reads +both +short"),
                part("two", "+net::writes +both +shorter"),
            ];
            let found = of_parts(parts, test);
            found.map_or(String::new(), |record| record.started.binary)
        };
        assert_eq!(found(Some("net::reads")), "one");
        assert_eq!(found(Some("write")), "two");
        assert_eq!(found(Some("short")), "one");
        assert_eq!(found(Some("shop::two$both")), "two");
        assert_eq!(found(Some("shop::two$shor")), "two");
        for none in [
            Some("both"),
            Some("net::"),
            Some("shop::two$reads"),
            Some("gone"),
            None,
        ] {
            assert_eq!(found(none), "", "{none:?}");
        }
        let only = of_parts(vec![part("one", "+a")], None);
        assert_eq!(only.unwrap().started.binary, "one");
    }

    #[test]
    fn the_run_of_a_script_is_found_however_many_have_begun_since() {
        let parent = tempfile::tempdir().unwrap();
        for number in 0..20 {
            let directory = parent.path().join(format!("run-{}", 99 - number));
            std::fs::create_dir(&directory).unwrap();
            let mut started = sample::started(Vec::new(), 0);
            started.args = vec![format!("--script=/tmp/{number}/script.json")];
            let event = sample::event(0, EventKind::RunStarted(started));
            let line = serde_json::to_string(&event).unwrap();
            std::fs::write(directory.join(EVENTS_FILE), line + "\n").unwrap();
        }
        let args = |script: &str| {
            let record = of_script(parent.path(), Path::new(script))?;
            Some(record.started.args.concat())
        };
        let first = "--script=/tmp/0/script.json".to_owned();
        assert_eq!(args("/tmp/0/script.json"), Some(first));
        assert_eq!(args("/tmp/20/script.json"), None);
    }
}
