//! What the runner itself writes to stdout: texts that were asked for, and the lines of a run without tests.

use std::io::Write;

use crate::event::{Event, EventKind, VERSION};
use crate::options::Options;
use crate::report::{Reporter, Screen};

/// Prints a text; a closed pipe is not an error.
pub(super) fn print(text: &str) {
    let mut stdout = std::io::stdout();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

/// Prints what libtest prints for a run without tests.
pub(super) fn print_empty_run(options: &Options, filtered_out: u32) {
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
