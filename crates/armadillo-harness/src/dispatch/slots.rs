//! How many tests run at once.

use std::num::NonZeroUsize;

use armadillo_orchestrator::process::raise_file_limit;

use crate::options::Options;

/// Files that a slot has open, with room to spare: a worker's pipe and socket, two requests to the daemon.
const FILES_OF_A_SLOT: u64 = 8;

/// Files that a run has open beside them.
const FILES_OF_A_RUN: u64 = 64;

/// So many at once, and what is to be said about it.
pub(super) struct Slots {
    pub(super) number: usize,
    pub(super) note: Option<String>,
}

/// As many as said, or as there are cores; not more than there are tests, nor than this process may have files open for. The
/// limit of open files is raised for that as far as it goes.
pub(super) fn slots(said: Option<NonZeroUsize>, tests: usize) -> Slots {
    within(wanted(said).min(tests.max(1)), raise_file_limit())
}

/// As many as said, or as there are cores: for all runs together that share them.
pub(super) fn of_all(options: &Options) -> u32 {
    u32::try_from(wanted(options.running.parallel)).unwrap_or(u32::MAX)
}

fn wanted(said: Option<NonZeroUsize>) -> usize {
    let said = said.or_else(|| std::thread::available_parallelism().ok());
    said.map_or(1, NonZeroUsize::get)
}

fn within(wanted: usize, files: u64) -> Slots {
    let fit = files.saturating_sub(FILES_OF_A_RUN) / FILES_OF_A_SLOT;
    let fit = usize::try_from(fit).unwrap_or(usize::MAX).max(1);
    if wanted <= fit {
        return Slots {
            number: wanted,
            note: None,
        };
    }
    let needed = (wanted as u64).saturating_mul(FILES_OF_A_SLOT) + FILES_OF_A_RUN;
    let ending = if fit == 1 { "" } else { "s" };
    Slots {
        number: fit,
        note: Some(format!(
            "running {fit} test{ending} at once instead of {wanted}: {wanted} might need {needed} open files, but the limit is {files} \
             (`ulimit -Hn`)"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_more_slots_than_files_for_them() {
        assert_eq!(within(4, 1024).number, 4);
        assert!(within(120, 1024).note.is_none());
        let bounded = within(1000, 1024);
        assert_eq!(bounded.number, 120);
        assert_eq!(
            bounded.note.as_deref(),
            Some(
                "running 120 tests at once instead of 1000: 1000 might need 8064 open files, but the limit is 1024 \
                 (`ulimit -Hn`)"
            )
        );
        assert_eq!(within(3, 10).number, 1);
    }
}
