//! The events of a run as they are written.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use super::Source;
use crate::event::{Event, EventKind};
use crate::group::Logs;
use crate::report::{Log, Model, gather};

/// Takes in what is new of a run.
pub(super) enum Follower {
    /// What the run tells.
    Run {
        told: Vec<Arc<Event>>,
        receiver: Receiver<Arc<Event>>,
    },
    /// The logs of a group.
    Group(Logs),
}

impl Follower {
    pub(super) fn new(source: Source) -> Self {
        match source {
            Source::Run(receiver) => Self::Run {
                told: Vec::new(),
                receiver,
            },
            Source::Group(file) => Self::Group(Logs::new(file)),
        }
    }

    /// Takes in what is new; whether there is something.
    pub(super) fn read(&mut self) -> bool {
        match self {
            Self::Run { told, receiver } => {
                let before = told.len();
                told.extend(receiver.try_iter());
                told.len() > before
            }
            Self::Group(logs) => logs.read(),
        }
    }

    /// What is known of the run, which goes on if it is `live`; `None` before it has started.
    pub(super) fn model(&self, live: bool) -> Option<Model> {
        let mut model = Model::default();
        match self {
            Self::Run { told, .. } => {
                for event in told {
                    model.on(event);
                }
            }
            Self::Group(logs) => {
                for event in whole(logs, live)? {
                    model.on(&event);
                }
            }
        }
        model.started.is_some().then_some(model)
    }
}

/// The events of all runs of a group as those of one.
fn whole(logs: &Logs, live: bool) -> Option<Vec<Event>> {
    let directory = logs.directory()?;
    let each = logs.all().map(|(_, events)| {
        let mut events = events.to_vec();
        // What the daemon and the runner had to say lies in it in the order in which it was written.
        events.sort_by_key(|event| event.us);
        Log(events)
    });
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    let mut events = gather(
        each.collect(),
        &name,
        &directory.display().to_string(),
        live,
    )?;
    events.retain(|event| !live || !matches!(event.kind, EventKind::RunFinished { .. }));
    Some(events)
}
