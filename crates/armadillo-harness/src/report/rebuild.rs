//! A run, rebuilt from its event log alone.

use std::io::{self, BufRead};

use super::model::Model;
use crate::event::{Event, VERSION};

/// Why an event log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// It cannot be read at all.
    #[error("the event log cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A line is no event.
    #[error("line {line} of the event log is no event: {error}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// Why.
        error: serde_json::Error,
    },
    /// It is of a later version.
    #[error(
        "line {line} of the event log is of version {version}; this program reads versions up to {VERSION}"
    )]
    Version {
        /// The line, from 1.
        line: usize,
        /// The version.
        version: u32,
    },
}

/// Folds an event log. A last line that was cut off (its writer was killed) is left out.
///
/// # Errors
/// When a line is no event of a known version.
pub fn rebuild(log: impl BufRead) -> Result<Model, RebuildError> {
    let mut model = Model::default();
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
        model.on(&event);
    }
    Ok(model)
}
