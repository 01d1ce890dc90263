//! Giving a server another program or other options.

use armadillo_orchestrator::{Program, ServerKey};
use serde::{Deserialize, Serialize};

/// From its next start on, the server is started otherwise. Only leases on a deployment of one's own may.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChangeServer {
    /// The server.
    pub server: ServerKey,
    /// The program, which the test's process has found and asked for its version; `None`: the one it ran.
    pub program: Option<Program>,
    /// Options of its command line, in the place of those of the same name.
    pub options: Vec<(String, String)>,
}
