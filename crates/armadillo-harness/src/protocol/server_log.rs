//! What a server has logged, as the holder of a lease reads it.

use armadillo_orchestrator::ServerKey;
use serde::{Deserialize, Serialize};

/// A request for whole lines of a server's log. It is answered when there is one, or when the limit has passed.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReadLog {
    /// The server.
    pub server: ServerKey,
    /// From this byte on; `None`: from where the log stood when the test began.
    pub from: Option<u64>,
    /// How long to wait for a line, in milliseconds.
    pub limit_ms: u64,
}

/// A part of a log, which begins and ends with whole lines.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogPart {
    /// The byte after its last line.
    pub to: u64,
    /// The lines.
    pub text: String,
}
