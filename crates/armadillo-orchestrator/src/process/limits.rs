//! The limit of open files.

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
