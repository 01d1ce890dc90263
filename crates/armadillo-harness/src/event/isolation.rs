//! What retries have for themselves.

use serde::{Deserialize, Serialize};

/// What an attempt of a test has for itself. Each retry has more than the attempt before, so that the attempts together tell
/// whether a test fails alone or only in company.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TestIsolation {
    /// What the test declares.
    #[default]
    AsDeclared,
    /// Another process than the attempt before.
    OtherProcess,
    /// Its deployments for itself; and another process, where tests run in workers.
    Alone,
    /// Deployments that nobody used before; and another process, where tests run in workers.
    Fresh,
}
