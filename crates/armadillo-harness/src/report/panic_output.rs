//! What a test printed without the lines that the standard library printed of the panics that the verdict tells: there are
//! message, place and calls.

use crate::outcome::Verdict;
use crate::trace::What;

/// The output without the report of the verdict's panic. A backtrace that was asked for in full (`RUST_BACKTRACE=full`), or
/// that somebody else's hook has printed, stays.
pub(super) fn without(output: &str, verdict: &Verdict) -> String {
    let mut output = output.to_owned();
    let Verdict::Failed {
        message, traces, ..
    } = verdict
    else {
        return output;
    };
    for trace in traces {
        let message = match &trace.what {
            What::Panicked { message } => message,
            What::Failed => message,
            What::Waits | What::Blocks | What::NeverWoken | What::NoLineNumbers => continue,
        };
        let place = trace.place.as_deref();
        if let Some((from, to)) = place.and_then(|place| report_in(&output, message, place)) {
            output.replace_range(from..to, "");
        }
    }
    output
}

/// Where the last report of a panic with this message at this place begins and ends.
fn report_in(output: &str, message: &str, place: &str) -> Option<(usize, usize)> {
    let message = message.trim_end();
    let report = [
        format!("panicked at {place}:\n{message}\n"),
        // Of a fixture the verdict says more than the panic.
        format!("panicked at {place}:\n"),
    ];
    let (at, report) = report
        .iter()
        .find_map(|report| Some((output.rfind(report)?, report)))?;
    let line = output[..at].rfind('\n').map_or(0, |end| end + 1);
    // The standard library begins with an empty line.
    let from = match output[..line].strip_suffix('\n') {
        Some(before) if before.is_empty() || before.ends_with('\n') => line - 1,
        _ => line,
    };
    if !output[line..at].starts_with("thread ") {
        return None;
    }
    let mut to = at + report.len();
    if !report.ends_with(&format!("{message}\n")) {
        // The message is another one, up to what the standard library says after it.
        let rest = &output[to..];
        to += [
            rest.find("\nnote: run with"),
            rest.find("\nstack backtrace:"),
        ]
        .into_iter()
        .flatten()
        .min()?
            + 1;
    }
    Some((from, to + after_message(&output[to..])?))
}

/// How long what follows the message is: a hint, or a short backtrace. `None` for a full one.
fn after_message(rest: &str) -> Option<usize> {
    let mut length = 0;
    let mut lines = rest.split_inclusive('\n').peekable();
    if lines
        .peek()
        .is_some_and(|line| line.starts_with("note: run with `RUST_BACKTRACE="))
    {
        return lines.next().map(str::len);
    }
    if lines
        .peek()
        .is_none_or(|line| line.trim_end() != "stack backtrace:")
    {
        return Some(0);
    }
    length += lines.next().map_or(0, str::len);
    for line in lines {
        let trimmed = line.trim_start();
        let digits = trimmed.trim_start_matches(|c: char| c.is_ascii_digit());
        let is_call = digits.len() < trimmed.len() && digits.starts_with(": ");
        // In full, an address comes before the name.
        if is_call && digits.trim_start_matches([':', ' ']).starts_with("0x") {
            return None;
        }
        if !is_call && !trimmed.starts_with("at ") && !line.starts_with("note: ") {
            break;
        }
        length += line.len();
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;
    use crate::outcome::FailureKind;
    use crate::trace::Trace;

    fn verdict(message: &str) -> Verdict {
        let trace = Trace {
            place: Some("tests/suite.rs:12:5".into()),
            ..Trace::default()
        };
        let failure = Failure {
            message: message.into(),
            traces: vec![trace],
        };
        Verdict::failed(FailureKind::Failed, failure)
    }

    const HINT: &str =
        "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n";

    #[test]
    fn the_panic_that_failed_the_test_is_taken_out() {
        let verdict = verdict("left\n  right");
        let report = "\nthread 'pays' (77) panicked at tests/suite.rs:12:5:\nleft\n  right\n";
        let calls = "stack backtrace:\n   0: std::panicking\n             at /rustc/1.rs:1:1\n  10: suite::pays\n             \
                     at ./tests/suite.rs:12:5\nnote: Some details are omitted\n";
        for after in ["", HINT, calls] {
            let output = format!("before\n{report}{after}after\n");
            assert_eq!(without(&output, &verdict), "before\nafter\n");
        }
    }

    #[test]
    fn everything_else_stays() {
        let verdict = verdict("boom");
        for output in [
            "\nthread 'pays' (77) panicked at tests/suite.rs:13:5:\nboom\n",
            "it panicked at tests/suite.rs:12:5:\nboom\n",
            "\nthread 'pays' (77) panicked at tests/suite.rs:12:5:\nboom\nstack backtrace:\n   0:     0x5566 - suite::pays\n",
        ] {
            assert_eq!(without(output, &verdict), output);
        }
    }
}
