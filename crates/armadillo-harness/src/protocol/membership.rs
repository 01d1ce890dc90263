//! A request about who is part of a deployment. Only leases on a deployment of one's own may make it.

use armadillo_orchestrator::{MembershipChange, ServerKey};
use serde::{Deserialize, Serialize};

/// A change of who is part of a deployment, or of what a server that does not run has stored. The answer is the
/// [`Roll`](armadillo_orchestrator::membership::Roll) afterwards.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Enrol {
    /// Changes who is part of it.
    Change(MembershipChange),
    /// Ends a server that has left, and removes its data.
    Dismiss {
        /// The server.
        server: ServerKey,
        /// How long it may take to end by itself, in milliseconds, before it is stopped.
        grace_ms: u64,
        /// How long the whole may take, in milliseconds.
        limit_ms: u64,
    },
    /// Removes what a server has stored that does not run.
    Wipe {
        /// The server.
        server: ServerKey,
        /// How long to wait for another operation on it, in milliseconds.
        limit_ms: u64,
    },
}
