//! The exit codes of arangod, by the names of its own list.
//!
//! Source: `site/data/3.12/exitcodes.yaml` of arangodb/docs-hugo, page "Exit codes".

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// No error has occurred.
    Success = 0,
    /// A general error.
    Failed = 1,
    /// An unknown start-up option was used.
    InvalidOptionName = 3,
    /// An invalid value was given to a start-up option.
    InvalidOptionValue = 4,
    /// The configuration file was not found.
    ConfigNotFound = 6,
    /// The database must be upgraded first.
    UpgradeRequired = 11,
    /// The database was written by a newer version.
    DowngradeRequired = 12,
    /// The version of the database could not be determined.
    VersionCheckFailed = 13,
    /// Another process of this pid file is running.
    AlreadyRunning = 20,
    /// The endpoint is taken by another process.
    CouldNotBindPort = 21,
    /// Another process holds the lock on the database directory.
    CouldNotLock = 22,
    /// The recovery failed.
    Recovery = 23,
    /// The database directory is not empty, but should be initialised.
    DbNotEmpty = 24,
    /// A resource limit, as that of open files, is too low.
    ResourcesTooLow = 28,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
