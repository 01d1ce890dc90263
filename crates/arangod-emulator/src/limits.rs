//! The limit of open files, as `FileDescriptorsFeature.cpp` of arangodb/arangodb treats it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::logging::Logger;
use crate::options::Options;

/// The least that `--server.descriptors-minimum` may ask for, unless it is zero.
const LEAST: u64 = 1024;

/// Why there are too few.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LimitError {
    /// The option makes no sense.
    #[error("invalid value for --server.descriptors-minimum. must be between {LEAST} and {MOST}", MOST = u64::MAX)]
    Option,
    /// The limit is below the option.
    #[error(
        "file-descriptors (nofiles) soft limit is too low, currently {have}. please raise to at \
         least {wanted} (e.g. via ulimit -n {wanted}) or adjust the value of the startup option \
         --server.descriptors-minimum"
    )]
    TooLow {
        /// The limit.
        have: String,
        /// The option.
        wanted: u64,
    },
}

fn shown(limit: Option<u64>) -> String {
    limit.map_or_else(|| String::from("unlimited"), |limit| limit.to_string())
}

/// Raises the soft limit as far as needed and allowed, and refuses one that is still too low.
pub(crate) fn check(options: &Options, log: &Logger) -> Result<(), LimitError> {
    let minimum = options.unsigned("--server.descriptors-minimum");
    if minimum > 0 && minimum < LEAST {
        return Err(LimitError::Option);
    }
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|soft| soft < minimum) {
        let raised = Rlimit {
            current: limit
                .maximum
                .map(|hard| hard.min(minimum))
                .or(Some(minimum)),
            maximum: limit.maximum,
        };
        // If it cannot be raised, the check below says so.
        let _ = setrlimit(Resource::Nofile, raised);
    }
    let limit = getrlimit(Resource::Nofile);
    log.info(
        "a1c60",
        "syscall",
        format!(
            "file-descriptors (nofiles) hard limit is {}, soft limit is {}",
            shown(limit.maximum),
            shown(limit.current)
        ),
    );
    let wanted = minimum.max(LEAST);
    if limit.current.is_some_and(|soft| soft < wanted) {
        let error = LimitError::TooLow {
            have: shown(limit.current),
            wanted,
        };
        if minimum > 0 {
            return Err(error);
        }
        log.warning("a33ba", "syscall", error.to_string());
    }
    Ok(())
}
