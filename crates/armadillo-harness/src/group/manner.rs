//! How an executable would run: what a command has to know that runs several of them as one.

use serde::{Deserialize, Serialize};

use crate::options::Showing;

/// What an executable says of its run, after all its settings were merged.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manner {
    /// How its results are shown. Paths are absolute.
    pub showing: Showing,
    /// Whether the order of its tests is random.
    pub shuffle: bool,
    /// How many tests run at once (`-n`).
    pub slots: u32,
    /// After how many failures it ends (`--maxfail`).
    pub max_fail: Option<u32>,
    /// Whether deployments stay up after the run, for the next (`--reuse`).
    pub reuse: bool,
    /// Why it cannot run beside others, if it cannot.
    pub alone: Option<String>,
}
