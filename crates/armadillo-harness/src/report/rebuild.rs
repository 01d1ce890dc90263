//! A run, rebuilt from its event log alone.

use std::io::{self, BufRead};

use super::model::{Begun, Model};
use crate::event::{
    Captured, Company, Event, EventKind, Shown, TestFinished, TestIsolation, Times, VERSION,
};
use crate::outcome::{FailureKind, Verdict};

/// Why an event log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// It cannot be read at all.
    #[error("cannot read the event log: {0}")]
    Io(#[from] io::Error),
    /// A line is no event.
    #[error("line {line} of the event log is not a valid event: {error}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// Why.
        error: serde_json::Error,
    },
    /// It is of a later version.
    #[error(
        "line {line} of the event log has version {version}, but this program reads versions up to {VERSION}"
    )]
    Version {
        /// The line, from 1.
        line: usize,
        /// The version.
        version: u32,
    },
    /// The first event of every run is missing.
    #[error("the event log has no start of a run: the run ended before it wrote one")]
    NeverStarted,
}

/// What a run was, as its event log tells.
///
/// # Errors
/// As of [`events`].
pub fn rebuild(log: impl BufRead) -> Result<Model, RebuildError> {
    let mut model = Model::default();
    for event in events(log)? {
        model.on(&event);
    }
    Ok(model)
}

/// The events of a run in the order of time. A last line that was cut off (its writer was killed) is left out. If the log
/// ends before the run did, the tests that had not finished end with it, as interrupted.
///
/// # Errors
/// When a line is no event of a known version, or there is no run in it.
pub fn events(log: impl BufRead) -> Result<Vec<Event>, RebuildError> {
    let events = events_of_part(log)?;
    let starts = |event: &Event| matches!(event.kind, EventKind::RunStarted(_));
    if events.iter().any(starts) {
        Ok(events)
    } else {
        Err(RebuildError::NeverStarted)
    }
}

/// The same of a log that need not be that of a run: of a daemon that several processes shared.
pub(crate) fn events_of_part(log: impl BufRead) -> Result<Vec<Event>, RebuildError> {
    let mut events = read(log)?;
    // What the daemon and the runner had to say lies in it in the order in which it was written.
    events.sort_by_key(|event| event.us);
    let mut model = Model::default();
    for event in &events {
        model.on(event);
    }
    if model.ending.is_none() {
        events.extend(unfinished(&model));
    }
    Ok(events)
}

fn read(log: impl BufRead) -> Result<Vec<Event>, RebuildError> {
    let mut events = Vec::new();
    let mut lines = log.split(b'\n').enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let line_text = line?;
        if line_text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let line = index + 1;
        let event: Event = match serde_json::from_slice(&line_text) {
            Ok(event) => event,
            Err(error) if error.is_eof() && lines.peek().is_none() => break,
            Err(error) => return Err(RebuildError::Line { line, error }),
        };
        if event.v > VERSION {
            return Err(RebuildError::Version {
                line,
                version: event.v,
            });
        }
        events.push(event);
    }
    Ok(events)
}

/// The ends of the tests that had begun and not finished.
fn unfinished(model: &Model) -> Vec<Event> {
    let running = model.running.iter().map(|(test, begun)| {
        let message = "the test had not finished when the event log ended";
        ended(model.now_us, test, begun, message)
    });
    let waiting = model
        .pending
        .iter()
        .filter(|(test, _)| !model.running.contains_key(*test));
    let waiting = waiting.map(|(test, attempts)| {
        let begun = Begun {
            attempt: u32::try_from(attempts.len()).map_or(u32::MAX, |count| count + 1),
            worker: None,
            deployments: Vec::new(),
            at_us: model.now_us,
        };
        let message = "the test was waiting for a retry when the event log ended";
        ended(model.now_us, test, &begun, message)
    });
    running.chain(waiting).collect()
}

/// The end of a test whose process ended before the test did.
pub(super) fn ended_with_its_process(test: &str, attempt: u32, us: u64) -> Event {
    let begun = Begun {
        attempt,
        worker: None,
        deployments: Vec::new(),
        at_us: us,
    };
    ended(
        us,
        test,
        &begun,
        "the process of the test ended before the test did",
    )
}

fn ended(now_us: u64, test: &str, begun: &Begun, message: &str) -> Event {
    let finished = TestFinished {
        test: test.to_owned(),
        attempt: begun.attempt,
        repetition: None,
        retried: false,
        isolation: TestIsolation::default(),
        verdict: Verdict::failed(FailureKind::Interrupted, message),
        times: Times {
            total: now_us.saturating_sub(begun.at_us),
            ..Times::default()
        },
        output: Captured::default(),
        worker: begun.worker,
        deployments: begun.deployments.clone(),
        company: Company::default(),
        server_logs: std::collections::BTreeMap::new(),
        artifacts: None,
        shown: Shown::default(),
    };
    Event {
        v: VERSION,
        us: now_us,
        kind: EventKind::TestFinished(finished),
    }
}
