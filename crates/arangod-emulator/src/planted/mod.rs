//! Defects that are planted on purpose, so that whoever claims to find such defects can be tested.
//!
//! Each has one place in the code that asks [`has`]. Without the cargo feature `planted` there is
//! none, and the compiler removes the question.

/// A defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// A leader acknowledges what its followers do not have yet.
    AckBeforeReplicating,
    /// A leader goes on without a follower that the agency still takes for one in sync.
    DropWithoutAgency,
    /// Supervision promotes servers that are not in sync.
    PromoteAnybody,
    /// A follower applies what a former leader sends.
    NoEpochCheck,
    /// A leader that stood still answers reads without asking whether it still leads.
    StaleReadAfterPause,
    /// A server answers reads from its own copy, without knowing that it leads, and without waiting
    /// for what is not acknowledged yet.
    DirtyReads,
    /// A copy that was away keeps what it has.
    ReplayOwnLog,
    /// A restart finds no documents.
    ForgetOnRestart,
    /// A new leader takes the followers in `Current` to have what it has.
    NoHandshake,
}

#[cfg(not(feature = "planted"))]
mod switch {
    use super::Bug;

    /// Whether this defect is there.
    pub(crate) const fn has(_: Bug) -> bool {
        false
    }
}

#[cfg(feature = "planted")]
mod switch {
    use std::ffi::OsString;
    use std::process::ExitCode;
    use std::sync::OnceLock;

    use super::Bug;

    static CHOSEN: OnceLock<Bug> = OnceLock::new();

    /// Whether this defect is there.
    pub(crate) fn has(bug: Bug) -> bool {
        CHOSEN.get() == Some(&bug)
    }

    fn named(name: &str) -> Option<Bug> {
        Some(match name {
            "ack-before-replicating" => Bug::AckBeforeReplicating,
            "drop-without-agency" => Bug::DropWithoutAgency,
            "promote-anybody" => Bug::PromoteAnybody,
            "no-epoch-check" => Bug::NoEpochCheck,
            "stale-read-after-pause" => Bug::StaleReadAfterPause,
            "dirty-reads" => Bug::DirtyReads,
            "replay-own-log" => Bug::ReplayOwnLog,
            "forget-on-restart" => Bug::ForgetOnRestart,
            "no-handshake" => Bug::NoHandshake,
            _ => return None,
        })
    }

    /// Runs the emulator with the defect of this name; a name that means none ends with 4.
    pub fn main(bug: &str, args: Vec<OsString>) -> ExitCode {
        let Some(bug) = named(bug) else {
            return ExitCode::from(4);
        };
        let bug = CHOSEN.get_or_init(|| bug);
        debug_assert!(has(*bug));
        crate::main(args)
    }
}

pub(crate) use switch::has;
#[cfg(feature = "planted")]
pub use switch::main;
