//! What it takes to run the tests of a run again as they ran.

use std::path::Path;
use std::time::SystemTime;

use armadillo_orchestrator::duration::millis;
use serde::{Deserialize, Serialize};

/// The executable of a run, and what was said to it that tests notice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Again {
    /// The file.
    pub executable: String,
    /// What tells the file from a later build.
    pub file: Option<FileMark>,
    /// The working directory.
    pub working_directory: String,
    /// The directory of the tests' package, if cargo has started the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_directory: Option<String>,
    /// Flags for programs, time limits and the like, wherever they were said; not those that select tests or show results.
    pub flags: Vec<String>,
}

/// What tells a file from another one at its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileMark {
    /// How long it is.
    pub bytes: u64,
    /// When it was last written, in milliseconds since 1970.
    pub modified_ms: u64,
}

impl FileMark {
    /// That of a file; `None` if there is none.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let metadata = path.metadata().ok()?;
        let since = metadata.modified().ok()?;
        let since = since.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(Self {
            bytes: metadata.len(),
            modified_ms: millis(since),
        })
    }
}
