//! `--report-from`: the reports of an earlier run, made again from its event log, or those of a whole run from its shards.

use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::{RunnerError, prepare, run_directory};
use crate::daemon::EVENTS_FILE;
use crate::event::{Event, EventKind};
use crate::exit_code::Exit;
use crate::history::{self, History, Old};
use crate::options::Options;
use crate::report::{self, MergeError, RebuildError, Reporter, Screen, ShardEvents, console};

/// The directory of merged reports, below that of all runs.
const MERGED: &str = "merged";

/// Why there are no reports.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReportFromError {
    #[error("--report-from: {path}: {source}")]
    Log { path: String, source: RebuildError },
    #[error("--report-from: {0}")]
    Merge(#[from] MergeError),
    #[error("--report-from: cannot write the reports: {0}")]
    Write(io::Error),
}

impl ReportFromError {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Log { .. } | Self::Merge(_) => Exit::Usage,
            Self::Write(_) => Exit::Harness,
        }
    }
}

/// Writes the report files and says what the run would have said.
pub(super) fn report_from(options: &Options, paths: &[PathBuf]) -> Result<Exit, RunnerError> {
    match paths {
        [path] if is_whole_without_log(path) => {
            crate::daemon::reports::write(path, None).map_err(ReportFromError::Write)?;
            let events = read(&log_of(path))?;
            write(options, &events, path).map(drop)?;
        }
        [path] => {
            let log = log_of(path);
            let events = read(&log)?;
            let directory = log.parent().unwrap_or(Path::new("."));
            let model = write(options, &events, directory)?;
            // A run that was killed has recorded nothing.
            let was_killed = !events.iter().any(is_end);
            if was_killed {
                remember(options, &parent(options)?, &[History::of(&model)])?;
            }
        }
        shards => merge(options, shards)?,
    }
    Ok(Exit::Passed)
}

/// Whether this is the directory of a run of several processes, of which nobody has made reports yet.
fn is_whole_without_log(path: &Path) -> bool {
    let parts = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut logs = parts.map(|part| part.path().join(EVENTS_FILE));
    path.is_dir() && !path.join(EVENTS_FILE).exists() && logs.any(|log| log.is_file())
}

fn log_of(path: &Path) -> PathBuf {
    if path.is_dir() {
        path.join(EVENTS_FILE)
    } else {
        path.to_owned()
    }
}

fn read(log: &Path) -> Result<Vec<Event>, ReportFromError> {
    let events = crate::regular::open(log)
        .map_err(RebuildError::from)
        .and_then(|file| report::events(BufReader::new(file)));
    events.map_err(|source| ReportFromError::Log {
        path: log.display().to_string(),
        source,
    })
}

/// The reports of the whole, with an event log of its own, and what its tests came to in the history.
fn merge(options: &Options, shards: &[PathBuf]) -> Result<(), RunnerError> {
    let shards = shards.iter().map(|path| {
        Ok(ShardEvents {
            name: path.display().to_string(),
            events: read(&log_of(path))?,
        })
    });
    let shards: Vec<ShardEvents> = shards.collect::<Result<_, ReportFromError>>()?;
    // Each by itself: the history names the run of each.
    let histories: Vec<History> = shards.iter().map(history_of).collect();
    let events = report::merge(shards).map_err(ReportFromError::from)?;
    let parent = parent(options)?;
    let directory = parent.join(MERGED);
    std::fs::create_dir_all(&directory).map_err(ReportFromError::Write)?;
    report::write_events(&directory.join(EVENTS_FILE), &events).map_err(ReportFromError::Write)?;
    write(options, &events, &directory)?;
    remember(options, &parent, &histories)
}

/// Where runs lie.
fn parent(options: &Options) -> Result<PathBuf, RunnerError> {
    let named = options.running.output_directory.as_deref();
    prepare::absolute(run_directory::parent(named))
}

fn is_end(event: &Event) -> bool {
    matches!(event.kind, EventKind::RunFinished { .. })
}

fn history_of(shard: &ShardEvents) -> History {
    let mut model = report::Model::default();
    for event in &shard.events {
        model.on(event);
    }
    History::of(&model)
}

/// Adds what these runs have found out. Whoever has added it before has done so in the same words: it counts once.
fn remember(options: &Options, parent: &Path, histories: &[History]) -> Result<(), RunnerError> {
    let file = run_directory::history_file(options, parent)?;
    let mut known = histories.iter().filter(|history| !history.is_empty());
    // The reports are there: as in a run, this is no reason to fail.
    if let Err(error) = known.try_for_each(|history| history::append(&file, history, Old::Stays)) {
        console::warning(format_args!("cannot record the outcomes: {error}"));
    }
    Ok(())
}

fn write(
    options: &Options,
    events: &[Event],
    directory: &Path,
) -> Result<report::Model, RunnerError> {
    let screen = Screen::of_process(&options.showing).map_err(|source| RunnerError::Os {
        action: "write the log file",
        source,
    })?;
    let mut reporter = Reporter::new(options, screen.without_display());
    // Whoever closed stdout wants to see no more of it; the files are still to be written.
    for event in events {
        _ = reporter.on(event);
    }
    if reporter.model().ending.is_none() {
        _ = reporter.cut_off();
    }
    report::write_files(directory, reporter.model()).map_err(ReportFromError::Write)?;
    if let Some(trace) = &options.showing.trace {
        report::write_trace(trace, reporter.model()).map_err(ReportFromError::Write)?;
    }
    console::note(format_args!(
        "wrote junit.xml, results.json and report.html to {}",
        directory.display()
    ));
    Ok(reporter.model().clone())
}
