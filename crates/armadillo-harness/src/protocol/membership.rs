//! A request about what a server has stored. Only leases on a deployment of one's own may make it.

use armadillo_orchestrator::ServerKey;
use serde::{Deserialize, Serialize};

/// What a server has stored that does not run is removed. The answer is the
/// [`Roll`](armadillo_orchestrator::membership::Roll) afterwards.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Wipe {
    /// The server.
    pub server: ServerKey,
    /// How long to wait for another operation on it, in milliseconds.
    pub limit_ms: u64,
}
