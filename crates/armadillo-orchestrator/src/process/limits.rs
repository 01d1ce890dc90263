//! The limits of open files, and of cores.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// As far as the limit of open files is raised: some containers allow a thousand million, and there are programs that
/// close each of them when they start.
const MOST_OPEN_FILES: u64 = 1 << 20;

/// Raises this process's limit of open files as far as it may, and what it starts inherits that. The limit that holds then;
/// the one before if the operating system refuses. It allocates nothing and takes no lock.
pub fn raise_file_limit() -> u64 {
    let files = getrlimit(Resource::Nofile);
    let current = files.current.unwrap_or(MOST_OPEN_FILES);
    let raised = files
        .maximum
        .unwrap_or(MOST_OPEN_FILES)
        .min(MOST_OPEN_FILES);
    if current >= raised {
        return current;
    }
    let limit = Rlimit {
        current: Some(raised),
        maximum: files.maximum,
    };
    match setrlimit(Resource::Nofile, limit) {
        Ok(()) => raised,
        Err(_) => current,
    }
}

/// How large the core of a process may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CoreLimit {
    /// As of this process.
    #[default]
    Inherited,
    /// So many bytes, and no more than this process may allow.
    AtMost(u64),
}

impl CoreLimit {
    /// Sets it for this process. It allocates nothing and takes no lock.
    pub(super) fn set(self) {
        let Self::AtMost(bytes) = self else {
            return;
        };
        let maximum = getrlimit(Resource::Core).maximum;
        let limit = Rlimit {
            current: Some(maximum.unwrap_or(bytes).min(bytes)),
            maximum,
        };
        // The limit that holds allows less, and a crash without a core is still a crash.
        let _ = setrlimit(Resource::Core, limit);
    }

    /// What follows "there is no core", if it is because of the limit that cannot be raised.
    pub(crate) fn why() -> &'static str {
        match getrlimit(Resource::Core).maximum {
            Some(0) => "; the hard limit of their size is 0 (`ulimit -H -c`)",
            _ => "",
        }
    }
}
