//! This run as a part of another: of nextest's, or of a command that runs several executables.

use std::path::Path;

use super::daemons::Daemons;
use super::{environment, slots};
use crate::clock::Origin;
use crate::event::Part;
use crate::group;
use crate::options::{Annotations, Options, Showing};

/// Which part it is of the run in this directory.
pub(super) fn of(
    whole: &Path,
    origin: Origin,
    daemons: &Daemons,
    options: &Options,
    ignored: usize,
) -> Part {
    Part {
        clock: origin,
        of: whole
            .file_name()
            .map(|name| name.to_string_lossy().into_owned()),
        may_follow: environment::number("NEXTEST_ATTEMPT")
            < environment::number("NEXTEST_TOTAL_ATTEMPTS"),
        repetition: environment::number("NEXTEST_STRESS_CURRENT"),
        threads: environment::number("NEXTEST_TEST_THREADS"),
        shares_daemon: daemons.shares_log_below(whole),
        slots: group::together().map(|_| slots::of_all(options)),
        ignored: u32::try_from(ignored).unwrap_or(u32::MAX),
    }
}

/// What is left to be shown if the command shows the run.
pub(super) fn left_to_show(showing: &Showing) -> Showing {
    Showing {
        logfile: None,
        trace: None,
        annotations: Annotations::Off,
        report_live: false,
        ..showing.clone()
    }
}
