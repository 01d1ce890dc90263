//! The reports of several runs that shared a daemon: the tests of a nextest run, each of which was a process, or the executables
//! that one command has run. They are written when all is over, by whoever knows that.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::Path;

use crate::event::EventKind;
use crate::group::Verdict;
use crate::report::{self, Log, Model};

/// The file that is locked while the reports are written: a run may have several daemons.
const LOCK: &str = "reports.lock";

/// Makes one log and one report of those in the directories below `group`. The whole ends as its parts say, if it is not said how.
pub(crate) fn write(group: &Path, ending: Option<&Verdict>) -> io::Result<()> {
    let lock = File::create(group.join(LOCK))?;
    lock.lock()?;
    let logs = logs(group)?;
    let name = group.file_name().unwrap_or_default().to_string_lossy();
    let Some(mut events) = report::gather(logs, &name, &group.display().to_string(), false) else {
        return Ok(());
    };
    if let (Some(verdict), Some(last)) = (ending, events.last_mut()) {
        last.kind = EventKind::RunFinished {
            exit_code: verdict.exit_code,
            ended_early: verdict.ended_early.clone(),
        };
    }
    report::write_events(&group.join(super::EVENTS_FILE), &events)?;
    let mut model = Model::default();
    for event in &events {
        model.on(event);
    }
    report::write_files(group, &model)
}

/// The logs of all processes. One that cannot be read is left out: whoever wrote it was killed before it said anything.
fn logs(group: &Path) -> io::Result<Vec<Log>> {
    let mut logs = Vec::new();
    for entry in fs::read_dir(group)? {
        let path = entry?.path().join(super::EVENTS_FILE);
        let Ok(file) = File::open(&path) else {
            continue;
        };
        match report::events_of_part(BufReader::new(file)) {
            Ok(events) => logs.push(Log(events)),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "an event log is left out")
            }
        }
    }
    Ok(logs)
}
