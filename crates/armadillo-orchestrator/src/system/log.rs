//! Lines of servers' logs, as a system understands them.

use serde::{Deserialize, Serialize};

/// How loud a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Finest.
    Trace,
    /// For developers.
    Debug,
    /// Ordinary.
    Info,
    /// Worth a look.
    Warn,
    /// Something failed.
    Error,
    /// The server gives up.
    Fatal,
}

/// One line of a server's log, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// When it was written, as the log says it, for people: `13:45:01.123`.
    pub time: Option<String>,
    /// How loud it is.
    pub level: Level,
    /// The product's own id of the message, if it has such.
    pub id: Option<String>,
    /// The message.
    pub text: String,
    /// Whether it reports a crash of the server.
    pub crash: bool,
}

impl LogRecord {
    /// `13:45:01.123` of a time as in ISO 8601, `2026-11-28T13:45:01.123456Z`; `None` if it is none.
    #[must_use]
    pub fn time_of_day(time: &str) -> Option<String> {
        let (_, time) = time.split_once('T')?;
        let end = time.find(|c: char| !c.is_ascii_digit() && !":.".contains(c));
        let time = &time[..end.unwrap_or(time.len())];
        Some(time.get(..12).unwrap_or(time).to_owned())
    }
}
