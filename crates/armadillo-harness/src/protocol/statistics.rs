//! The statistics of a deployment, as the holder of a lease reads them.

use serde::{Deserialize, Serialize};

/// A request for the figures of every server.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReadStatistics {
    /// How long the servers may take to say them, in milliseconds.
    pub limit_ms: u64,
}
