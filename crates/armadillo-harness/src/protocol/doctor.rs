//! What `--doctor` asks the daemon.

use serde::{Deserialize, Serialize};

/// Try out one assumption, on the deployment of its stage.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TryOut {
    /// The system.
    pub system: String,
    /// The assumption's name.
    pub assumption: String,
}

/// What became of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TriedOut {
    /// What was seen, if it holds; what was seen instead, if it does not.
    pub outcome: Result<String, String>,
}
