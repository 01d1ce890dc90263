//! What tells the processes of a run from all others, however they left their parents.
//!
//! There are two marks, both inherited: a variable in the environment, and a limit that programs have no use for. A program
//! may clear its environment; nothing but a call that asks for it changes the limit.

use super::proc_fs;
use crate::random;

/// The name of the environment variable that everything a run starts carries, with the run's id as its value.
pub const RUN_MARKER: &str = "ARMADILLO_RUN";

/// The marks of one run.
#[derive(Clone, Debug)]
pub struct Mark {
    entry: String,
    limit: u64,
}

impl Mark {
    /// The marks of the run with this id.
    #[must_use]
    pub fn of(run_id: &str) -> Self {
        Self {
            entry: format!("{RUN_MARKER}={run_id}"),
            limit: limit_of(run_id),
        }
    }

    /// Whether the process of that id has one of them.
    #[must_use]
    pub fn is_on(&self, pid: u32) -> bool {
        proc_fs::has_environment(pid, &self.entry)
            || proc_fs::real_time_limit(pid) == Some(self.limit)
    }
}

/// How long a thread with real-time priority may run without a pause, in microseconds: at least 2^62, which are 146,000 years.
fn limit_of(run_id: &str) -> u64 {
    1 << 62 | random::seed_of(0, run_id) >> 2
}

/// In a child, before `exec`: sets the limit. It allocates nothing and takes no lock.
#[cfg(target_os = "linux")]
pub(super) fn set_limit(run: LimitOfRun) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = Rlimit {
        current: Some(run.0),
        maximum: getrlimit(Resource::Rttime).maximum,
    };
    // Refused only below a lower hard limit; the environment still has its mark.
    let _ = setrlimit(Resource::Rttime, limit);
}

/// Elsewhere there is no such limit.
#[cfg(not(target_os = "linux"))]
pub(super) fn set_limit(_run: LimitOfRun) {}

/// What [`set_limit`] sets.
#[derive(Clone, Copy)]
pub(super) struct LimitOfRun(u64);

impl LimitOfRun {
    pub(super) fn new(run_id: &str) -> Self {
        Self(limit_of(run_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_have_limits_of_their_own_that_stop_nobody() {
        let (one, other) = (limit_of("0123abcd"), limit_of("0123abce"));
        assert_ne!(one, other);
        assert!(
            [one, other]
                .iter()
                .all(|limit| (1 << 62..1 << 63).contains(limit))
        );
    }
}
