//! What the end of a lease brings to light on one deployment.

use std::collections::BTreeMap;

use armadillo_orchestrator::{LeadershipLog, PostMortem, ServerKey};
use serde::{Deserialize, Serialize};

/// What was found on one deployment when a lease ended.
#[derive(Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Findings {
    /// What the test left behind, by checker; a test that passed fails for it.
    pub leaks: Vec<String>,
    /// The same of checkers whose finds are only said.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Servers that ended by themselves between the test's start and end.
    pub crashes: Vec<String>,
    /// What was found out about those.
    #[serde(default)]
    pub post_mortems: Vec<PostMortem>,
    /// What the sanitizers of servers have reported meanwhile, a sentence each; a test that passed fails for it.
    #[serde(default)]
    pub sanitizers: Vec<String>,
    /// Exits that the test had declared and that did not happen; a test that passed fails for it.
    #[serde(default)]
    pub unmet: Vec<String>,
    /// The servers' log lines of the test's time; filled for a failed test, a leak or a crash.
    pub server_logs: BTreeMap<ServerKey, String>,
    /// Who led when, since the deployment was started; filled likewise.
    #[serde(default)]
    pub leaders: LeadershipLog,
}
