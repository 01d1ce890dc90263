//! What is said where no report prints: before there is one, and instead of one. Whoever closed a stream wants to see no
//! more; that ends nothing.

use std::fmt::Display;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use super::terminal::tamed;

/// Whether notes are left out.
static WITHOUT_NOTES: AtomicBool = AtomicBool::new(false);

/// A text that was asked for, on stdout.
pub(crate) fn text(text: &str) {
    let mut stdout = std::io::stdout();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

/// A text with words of other programs, on stdout.
pub(crate) fn tamed_text(text: &str) {
    self::text(&tamed(text, false));
}

/// Why nothing is done, on stderr.
pub(crate) fn error(why: impl Display) {
    say(format_args!("error: {why}"));
}

/// What should be known before anything is done, on stderr.
pub(crate) fn warning(what: impl Display) {
    say(format_args!("warning: {what}"));
}

/// A line of the harness itself, on stderr.
pub(crate) fn note(line: impl Display) {
    if !WITHOUT_NOTES.load(Ordering::Relaxed) {
        say(format_args!("armadillo: {line}"));
    }
}

/// From now on, nothing is said that is neither an error nor a warning.
pub(crate) fn say_no_notes() {
    WITHOUT_NOTES.store(true, Ordering::Relaxed);
}

fn say(line: impl Display) {
    // In one piece, so that it is not mixed with what others write.
    let line = format!("{line}\n");
    let _ = std::io::stderr().write_all(tamed(&line, false).as_bytes());
}
