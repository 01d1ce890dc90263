//! Every exit code of a run, and which one wins when several apply.

use std::process::ExitCode;

use crate::outcome::{FailureKind, Verdict};

/// How a run ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Every test passed, was skipped or was ignored.
    #[default]
    Passed = 0,
    /// A wrong command line, variable, file, expression or registration.
    Usage = 2,
    /// The harness or a deployment could not do its part.
    Harness = 3,
    /// Nothing was selected, where that is an error.
    NothingSelected = 4,
    /// Some test failed; libtest's code.
    Failed = 101,
    /// The run's time limit.
    Deadline = 124,
    /// Ctrl-C, or SIGTERM.
    Interrupted = 130,
}

impl Exit {
    /// All of them, the strongest first: when two apply, the earlier one is the run's.
    pub const BY_PRECEDENCE: [Self; 7] = [
        Self::Interrupted,
        Self::Deadline,
        Self::Usage,
        Self::Harness,
        Self::Failed,
        Self::NothingSelected,
        Self::Passed,
    ];

    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// What it means, for `--help` and the manual.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Passed => "all tests passed, or were skipped or ignored",
            Self::Usage => {
                "usage error: invalid command line, variable, file, expression or marker"
            }
            Self::Harness => "an error of the harness, or a deployment failed to start",
            Self::NothingSelected => "no tests were selected, and --no-tests makes that an error",
            Self::Failed => "at least one test failed",
            Self::Deadline => "the run reached its time limit (--run-timeout)",
            Self::Interrupted => "interrupted by Ctrl-C or SIGTERM",
        }
    }

    /// The one that counts when both apply.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let wins = |exit: &&Self| **exit == self || **exit == other;
        Self::BY_PRECEDENCE
            .iter()
            .find(wins)
            .copied()
            .unwrap_or(self)
    }

    /// What the final verdict over a test means for the run.
    #[must_use]
    pub fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Passed | Verdict::Skipped { .. } => Self::Passed,
            Verdict::Failed {
                kind: FailureKind::Error,
                ..
            } => Self::Harness,
            Verdict::Failed { .. } => Self::Failed,
        }
    }
}

/// Of two exit codes of runs the one that counts. One that no run has is stronger than all of them.
#[must_use]
pub fn strongest(a: u8, b: u8) -> u8 {
    let rank = |code: u8| {
        let mut known = Exit::BY_PRECEDENCE.iter();
        known.position(|exit| exit.code() == code)
    };
    if rank(b) < rank(a) { b } else { a }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stronger_one_wins_in_either_order() {
        for (strong, weak) in [
            (Exit::Interrupted, Exit::Deadline),
            (Exit::Deadline, Exit::Harness),
            (Exit::Harness, Exit::Failed),
            (Exit::Failed, Exit::Passed),
        ] {
            assert_eq!(strong.and(weak), strong);
            assert_eq!(weak.and(strong), strong);
            assert_eq!(strong.and(strong), strong);
        }
    }

    #[test]
    fn the_stronger_code_is_that_of_the_stronger_exit() {
        let codes = |a: Exit, b: Exit| strongest(a.code(), b.code());
        assert_eq!(codes(Exit::Failed, Exit::Passed), 101);
        assert_eq!(codes(Exit::Failed, Exit::Harness), 3);
        assert_eq!(strongest(Exit::Interrupted.code(), 77), 77);
    }

    #[test]
    fn the_numbers_are_those_of_the_manual() {
        let codes: Vec<u8> = Exit::BY_PRECEDENCE.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes, [130, 124, 2, 3, 101, 4, 0]);
    }
}
