//! `--report-from`: the reports of an earlier run, made again from its event log.

use std::io::BufReader;
use std::path::Path;

use super::RunnerError;
use crate::exit_code::Exit;
use crate::options::Options;
use crate::report::{self, RebuildError, Reporter, Screen, console};

/// Why there are no reports.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReportFromError {
    #[error("--report-from: {path}: {source}")]
    Log { path: String, source: RebuildError },
    #[error("--report-from: cannot write the reports: {0}")]
    Write(std::io::Error),
}

impl ReportFromError {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Log { .. } => Exit::Usage,
            Self::Write(_) => Exit::Harness,
        }
    }
}

/// Writes the report files beside the log and says what the run would have said.
pub(super) fn report_from(options: &Options, path: &Path) -> Result<Exit, RunnerError> {
    let log = if path.is_dir() {
        path.join(crate::daemon::EVENTS_FILE)
    } else {
        path.to_owned()
    };
    let events = crate::regular::open(&log)
        .map_err(RebuildError::from)
        .and_then(|file| report::events(BufReader::new(file)));
    let events = events.map_err(|source| ReportFromError::Log {
        path: log.display().to_string(),
        source,
    })?;
    let screen = Screen::of_process(&options.showing).map_err(|source| RunnerError::Os {
        action: "write the log file",
        source,
    })?;
    let mut reporter = Reporter::new(options, screen.without_display());
    // Whoever closed stdout wants to see no more of it; the files are still to be written.
    for event in &events {
        _ = reporter.on(event);
    }
    if reporter.model().ending.is_none() {
        _ = reporter.cut_off();
    }
    let directory = log.parent().unwrap_or(Path::new("."));
    report::write_files(directory, reporter.model()).map_err(ReportFromError::Write)?;
    let beside = log.display();
    console::note(format_args!(
        "wrote junit.xml and results.json next to {beside}"
    ));
    Ok(Exit::Passed)
}
