//! How an executable would run: what a command has to know that runs several of them as one.

use std::collections::BTreeMap;

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
    /// Its systems: of each the package that it comes from, with its version. A daemon with all of them can serve it.
    pub systems: BTreeMap<String, String>,
    /// What its settings say of the daemon: those of all that one serves say the same.
    pub terms: String,
    /// Why it cannot run beside others, if it cannot.
    pub alone: Option<String>,
}
