//! The events of a run as they are written.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Source;
use crate::daemon::EVENTS_FILE;
use crate::event::{Event, EventKind, VERSION};
use crate::group;
use crate::report::{Log, Model, gather};

/// Takes in what is new of a run.
pub(super) struct Follower {
    source: Source,
    /// What the run has told.
    told: Vec<Arc<Event>>,
    /// The logs of a group.
    logs: BTreeMap<PathBuf, Tail>,
}

impl Follower {
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            told: Vec::new(),
            logs: BTreeMap::new(),
        }
    }

    /// Takes in what is new; whether there is something.
    pub(super) fn read(&mut self) -> bool {
        match &self.source {
            Source::Run(receiver) => {
                let before = self.told.len();
                self.told.extend(receiver.try_iter());
                self.told.len() > before
            }
            Source::Group(file) => {
                let directories = group::directories(file).into_iter();
                for path in directories.flat_map(|directory| parts(&directory)) {
                    self.logs.entry(path).or_default();
                }
                self.read_logs()
            }
        }
    }

    fn read_logs(&mut self) -> bool {
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

    /// What is known of the run, which goes on if it is `live`; `None` before it has started.
    pub(super) fn model(&self, live: bool) -> Option<Model> {
        let mut model = Model::default();
        match &self.source {
            Source::Run(_) => {
                for event in &self.told {
                    model.on(event);
                }
            }
            Source::Group(_) => {
                for event in self.whole(live)? {
                    model.on(&event);
                }
            }
        }
        model.started.is_some().then_some(model)
    }

    /// The events of all runs of the group as those of one.
    fn whole(&self, live: bool) -> Option<Vec<Event>> {
        let directory = self.logs.keys().next()?.parent()?.parent()?;
        let logs = self.logs.values().map(|tail| {
            let mut events = tail.events.clone();
            // What the daemon and the runner had to say lies in it in the order in which it was written.
            events.sort_by_key(|event| event.us);
            Log(events)
        });
        let name = directory.file_name().unwrap_or_default().to_string_lossy();
        let mut events = gather(
            logs.collect(),
            &name,
            &directory.display().to_string(),
            live,
        )?;
        events.retain(|event| !live || !matches!(event.kind, EventKind::RunFinished { .. }));
        Some(events)
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
