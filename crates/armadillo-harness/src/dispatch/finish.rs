//! The end of a run: its last lines, its reports, the durations of its tests.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use super::RunnerError;
use super::journal::Journal;
use super::prepare::Ending;
use super::run::Ran;
use crate::exit_code::Exit;
use crate::history::History;
use crate::report::{self, Model};

/// Writes what is written at the end and waits until everything is printed; for a moment only, if the run is interrupted.
pub(super) fn finish(ending: Ending, ran: Ran) -> Result<Exit, RunnerError> {
    let Ending {
        printer,
        journal,
        directory,
        history,
        history_file,
    } = ending;
    let Ran { exit, interrupts } = ran;
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
        write(model, path, history, &history_file, &journal);
    }
    drop(journal);
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
    mut history: History,
    history_file: &Path,
    journal: &Journal,
) {
    // It may have been removed meanwhile.
    let made = std::fs::create_dir_all(directory);
    if let Err(error) = made.and_then(|()| report::write_files(directory, model)) {
        journal.note(format!(
            "warning: cannot write the reports of the run: {error}\n"
        ));
    }
    history.add(model);
    if let Err(error) = history.write(history_file) {
        journal.note(format!(
            "warning: cannot record the durations of this run: {error}\n"
        ));
    }
}
