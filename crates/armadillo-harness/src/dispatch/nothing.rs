//! A run for which nothing was selected.

use super::environment;
use crate::event::{Event, EventKind, VERSION};
use crate::exit_code::Exit;
use crate::group;
use crate::options::{NoTests, Options};
use crate::report::{Reporter, Screen, console};
use crate::select::Selected;

/// An empty selection: `--no-tests` says what it is.
pub(super) fn selected(options: &Options, selected: &Selected) -> Exit {
    let under_nextest = environment::is_nextest();
    let rule = match options.running.no_tests {
        // Under cargo, other targets may have matched; nextest has listed this very test before.
        NoTests::Auto if options.selection.exact && under_nextest => NoTests::Fail,
        NoTests::Auto => NoTests::Warn,
        rule => rule,
    };
    if selected.shard.is_none() && group::together().is_none() {
        print_lines(options, selected.filtered_out);
    }
    let what = match &selected.shard {
        // More machines than tests, or than topologies that are worth their starts.
        Some(shard) if shard.tests > 0 => {
            format!("shard {} of {} has no tests", shard.number, shard.of)
        }
        _ => "no tests were selected".to_owned(),
    };
    let text = format!(
        "{what}; {} were filtered out (set --no-tests to change whether this is an error)",
        selected.filtered_out
    );
    match rule {
        NoTests::Fail => {
            console::error(text);
            Exit::NothingSelected
        }
        NoTests::Warn => {
            console::warning(text);
            Exit::Passed
        }
        NoTests::Pass | NoTests::Auto => Exit::Passed,
    }
}

/// Prints what libtest prints for a run without tests.
fn print_lines(options: &Options, filtered_out: u32) {
    let Ok(screen) = Screen::of_process(&options.showing) else {
        return;
    };
    let mut reporter = Reporter::new(options, screen);
    let started = super::prepare::nothing_started(filtered_out);
    for kind in [
        EventKind::RunStarted(started),
        EventKind::RunFinished {
            exit_code: 0,
            ended_early: None,
        },
    ] {
        // A closed pipe is not an error.
        let _ = reporter.on(&Event {
            v: VERSION,
            us: 0,
            kind,
        });
    }
}
