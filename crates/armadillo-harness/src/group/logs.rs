//! The event logs of the runs of a group, while they are written.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::daemon::EVENTS_FILE;
use crate::event::{Event, VERSION};

/// Takes in what is new in them.
pub(crate) struct Logs {
    /// The file of the group.
    group: PathBuf,
    logs: BTreeMap<PathBuf, Tail>,
}

impl Logs {
    /// Those of the group of this file.
    pub(crate) fn new(group: PathBuf) -> Self {
        Self {
            group,
            logs: BTreeMap::new(),
        }
    }

    /// Looks for more logs and takes in what is new in all of them; whether there is something.
    pub(crate) fn read(&mut self) -> bool {
        let directories = super::directories(&self.group).into_iter();
        for path in directories.flat_map(|directory| parts(&directory)) {
            self.logs.entry(path).or_default();
        }
        let read = self
            .logs
            .iter_mut()
            .map(|(path, tail)| match tail.read(path) {
                Ok(is_new) => is_new,
                // It may not be there any more.
                Err(error) => {
                    tracing::debug!(%error, path = %path.display(), "cannot read an event log");
                    false
                }
            });
        read.fold(false, |any, is_new| any | is_new)
    }

    /// The directory that the reports of the whole will be in; `None` before there is a log. If there are several, the first.
    pub(crate) fn directory(&self) -> Option<&Path> {
        self.logs.keys().next()?.parent()?.parent()
    }

    /// The events of each log so far, in the order in which they were written.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Path, &[Event])> {
        let logs = self.logs.iter();
        logs.map(|(path, tail)| (path.as_path(), tail.events.as_slice()))
    }
}

/// The logs in the directories below that of a group.
fn parts(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let logs = entries.map(|entry| entry.path().join(EVENTS_FILE));
    logs.filter(|log| log.is_file()).collect()
}

/// A log that grows.
#[derive(Default)]
struct Tail {
    /// Up to where it was read.
    offset: u64,
    /// The beginning of its last line, which was not whole yet.
    rest: Vec<u8>,
    events: Vec<Event>,
}

impl Tail {
    /// Reads what is new; whether there is something.
    fn read(&mut self, path: &Path) -> io::Result<bool> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(self.offset))?;
        let read = file.read_to_end(&mut self.rest)?;
        self.offset += read as u64;
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else {
            return Ok(false);
        };
        let rest = self.rest.split_off(end + 1);
        let whole = std::mem::replace(&mut self.rest, rest);
        let before = self.events.len();
        for line in whole
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            match serde_json::from_slice::<Event>(line) {
                Ok(event) if event.v <= VERSION => self.events.push(event),
                Ok(_) => tracing::warn!("an event of a later version is left out"),
                Err(error) => tracing::warn!(%error, "a line that is no event is left out"),
            }
        }
        Ok(self.events.len() > before)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::event::EventKind;

    #[test]
    fn a_line_counts_when_it_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(EVENTS_FILE);
        let warning = |us: u64| {
            let event = Event {
                v: VERSION,
                us,
                kind: EventKind::Warning {
                    text: us.to_string(),
                },
            };
            serde_json::to_string(&event).unwrap() + "\n"
        };
        let (first, second) = (warning(1), warning(2));
        let (begin, rest) = second.split_at(9);
        let mut log = File::create(&path).unwrap();
        let mut tail = Tail::default();
        assert!(!tail.read(&path).unwrap());
        log.write_all(format!("{first}no event\n{begin}").as_bytes())
            .unwrap();
        let times = |tail: &Tail| tail.events.iter().map(|event| event.us).collect::<Vec<_>>();
        assert!(tail.read(&path).unwrap());
        assert_eq!(times(&tail), [1]);
        assert!(!tail.read(&path).unwrap());
        log.write_all(rest.as_bytes()).unwrap();
        assert!(tail.read(&path).unwrap());
        assert_eq!(times(&tail), [1, 2]);
    }
}
