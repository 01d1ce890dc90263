//! The end of a run: its last lines, its reports, what the history is to know of it.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::RunnerError;
use super::annotations::annotations;
use super::journal::Journal;
use super::printer::Printer;
use super::run::Ran;
use super::run_directory::RunDirectory;
use crate::exit_code::Exit;
use crate::group;
use crate::history::{self, History};
use crate::live_page::{Events, LivePage};
use crate::options::Annotations;
use crate::report::{self, Model};

/// What a run leaves to be done at its end.
pub(super) struct Ending {
    pub(super) printer: Printer,
    pub(super) journal: Arc<Journal>,
    /// Held until everything is written: other runs take a directory that nobody holds for that of a run that has ended.
    pub(super) directory: RunDirectory,
    pub(super) history_file: PathBuf,
    /// What is to become of that file.
    pub(super) old_history: history::Old,
    /// Where the run is to be written for viewers of traces.
    pub(super) trace: Option<PathBuf>,
    /// Which CI system is told of failed tests.
    pub(super) annotations: Annotations,
    /// The report that is shown while the run goes on.
    pub(super) page: Option<LivePage>,
}

/// The report that is shown while the run goes on, if it is wanted, and the way by which events come to it.
pub(super) fn live_page(wanted: bool) -> Result<Option<(Events, LivePage)>, RunnerError> {
    let page = wanted.then(LivePage::of_run).transpose();
    page.map_err(|source| RunnerError::Os {
        action: "start the live report",
        source,
    })
}

/// Writes what is written at the end and waits until everything is printed; for a moment only, if the run is interrupted.
pub(super) fn finish(ending: Ending, ran: Ran) -> Result<Exit, RunnerError> {
    let Ending {
        printer,
        journal,
        mut directory,
        history_file,
        old_history,
        trace,
        annotations: wanted,
        page,
    } = ending;
    let Ran { exit, interrupts } = ran;
    directory.ended(exit == Exit::Passed);
    let path = &directory.path;
    let last_lines = printer.last_lines(interrupts, exit == Exit::Interrupted);
    let mut last_lines = last_lines.map_err(|source| RunnerError::Os {
        action: "make a runtime",
        source,
    })?;
    let printed = last_lines.model();
    // Whoever stalls the printing thread keeps nobody else from the reports: the log has everything.
    let model = printed.or_else(|| from_log(path));
    if let Some(model) = &model {
        write(model, path, (&history_file, old_history), &journal);
        if let Some(Err(error)) = trace.map(|trace| report::write_trace(&trace, model)) {
            journal.note(format!("warning: cannot write the trace: {error}\n"));
        }
        journal.note(match annotations(model, wanted) {
            Ok(lines) => lines,
            Err(error) => format!("warning: cannot write the summary of the step: {error}\n"),
        });
    }
    if let Some(group) = &directory.group {
        journal.note(match group::so_far(group) {
            Ok(None) => String::new(),
            Ok(Some(totals)) => format!("all executables so far: {totals}\n"),
            Err(error) => {
                format!("warning: cannot write the reports of all executables: {error}\n")
            }
        });
    }
    drop(journal);
    if let Some(page) = page {
        page.finish();
    }
    let interrupted = last_lines.end();
    Ok(exit.and(if interrupted {
        Exit::Interrupted
    } else {
        Exit::Passed
    }))
}

fn from_log(directory: &Path) -> Option<Model> {
    let log = File::open(directory.join(crate::daemon::EVENTS_FILE)).ok()?;
    report::rebuild(BufReader::new(log)).ok()
}

/// A run is not made to fail by what cannot be written, but it is said.
fn write(
    model: &Model,
    directory: &Path,
    (history_file, old_history): (&Path, history::Old),
    journal: &Journal,
) {
    let outcomes = || match History::of(model) {
        // Commands, and runs that have found out nothing, leave no file either.
        nothing if nothing.is_empty() => Ok(()),
        history => {
            let appended = history::append(history_file, &history, old_history);
            appended.map_err(std::io::Error::other)
        }
    };
    let files = || {
        // It may have been removed meanwhile.
        std::fs::create_dir_all(directory)?;
        report::write_files(directory, model)
    };
    let [outcomes, files] = report::side_by_side(outcomes, files);
    if let Err(error) = files {
        journal.note(format!(
            "warning: cannot write the reports of the run: {error}\n"
        ));
    }
    if let Err(error) = outcomes {
        journal.note(format!(
            "warning: cannot record the outcomes of this run: {error}\n"
        ));
    }
}
