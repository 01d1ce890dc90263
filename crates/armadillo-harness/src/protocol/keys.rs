//! Changing the keys of a deployment.

use serde::{Deserialize, Serialize};

/// The next step of a rotation of keys. Only leases on a deployment of one's own may.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AdvanceKeys {
    /// How many steps were taken before, as the test knows.
    pub known: u32,
}

/// A step that was taken.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeysAdvanced {
    /// How many steps have been taken now.
    pub taken: u32,
}
