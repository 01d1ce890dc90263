//! Everything there is to say about a failed test, in one block.

use std::fmt::Write;

use super::model::{Attempt, Model, TestRecord};
use super::odds;
use super::paint::one_line;
use super::panic_output;
use super::retries;
use crate::event::{LogExcerpt, TestFinished};
use crate::outcome::{FailureKind, Verdict};
use crate::settings::{Linked, again};
use crate::trace::Trace;

/// What went wrong and where, then what helps to find out why: deployment, co-tenants, files, the command line that runs it
/// again, what the test printed, what the servers logged. Ends with a line break.
pub(super) fn failure_block(model: &Model, test: &TestRecord) -> String {
    let Some(last) = test.last() else {
        return String::new();
    };
    let finished = &last.finished;
    let mut text = what_and_where(&finished.verdict);
    if let (true, Some(planned)) = (
        is_placeless(model, &finished.verdict),
        model.planned(&test.name),
    ) {
        _ = writeln!(text, "    the test is defined at {}", planned.place);
    }
    if let Some(number) = finished.repetition.filter(|number| *number > 1) {
        _ = writeln!(text, "  repetition: {number}; those before it passed");
    }
    text.push_str(&earlier(test));
    if let Some(told) = retries::told(test) {
        _ = writeln!(text, "  retries: {told}");
    }
    if let Some(earlier) = model
        .planned(&test.name)
        .and_then(|test| test.earlier.as_ref())
    {
        _ = writeln!(text, "  before: {earlier}");
    }
    if let Some(odds) = odds::of(model, test) {
        _ = writeln!(text, "  odds: {}", odds.in_words());
    }
    for deployment in &finished.deployments {
        let topology = model
            .deployments
            .get(deployment)
            .map(|d| format!(" ({})", d.topology));
        let topology = topology.unwrap_or_default();
        _ = writeln!(text, "  deployment: {deployment}{topology}");
    }
    let company = &finished.company;
    for (title, names) in [
        ("shared with", &company.shared_with),
        ("previously used by", &company.before),
    ] {
        if !names.is_empty() {
            _ = writeln!(text, "  {title}: {names}");
        }
    }
    if let Some(artifacts) = &finished.artifacts {
        _ = writeln!(text, "  files: {artifacts}");
    }
    if let Some(command) = command_line(model, &test.name) {
        _ = writeln!(text, "  rerun: {command}");
    }
    text.push_str(&output(finished));
    for (server, log) in finished.server_logs.values().flatten() {
        text.push_str(&server_log(server.as_str(), log, finished));
    }
    text
}

/// `failed: MESSAGE`, `timed out: MESSAGE`, and the places below it.
pub(super) fn what_and_where(verdict: &Verdict) -> String {
    let mut text = match verdict {
        Verdict::Failed { kind, message, .. } => {
            format!("{}: {}\n", kind_name(*kind), message.trim_end())
        }
        Verdict::Skipped { reason } => format!("skipped: {reason}\n"),
        Verdict::Passed => "passed\n".to_owned(),
    };
    if let Verdict::Failed { traces, .. } = verdict {
        for line in traces.iter().flat_map(Trace::lines) {
            _ = writeln!(text, "    {line}");
        }
    }
    text
}

/// Whether nothing says where the failure happened, and something can.
fn is_placeless(model: &Model, verdict: &Verdict) -> bool {
    if model.is_of_command() {
        return false;
    }
    let lacks = |traces: &Vec<Trace>| traces.iter().all(|trace| trace.place.is_none());
    matches!(verdict, Verdict::Failed { traces, .. } if lacks(traces))
}

/// What the test printed, without the panic that the verdict has told.
fn output(finished: &TestFinished) -> String {
    let captured = &finished.output;
    let shown = panic_output::without(&captured.text, &finished.verdict);
    if shown.trim().is_empty() && captured.omitted == 0 {
        return String::new();
    }
    let mut text = "  output of the test:\n".to_owned();
    for line in shown.trim_matches('\n').lines() {
        _ = writeln!(text, "    {line}");
    }
    if captured.omitted > 0 {
        _ = writeln!(
            text,
            "    ({} of {} bytes of output omitted from the middle)",
            captured.omitted, captured.bytes
        );
    }
    text
}

/// The chosen lines of a server's log, and where all are.
fn server_log(server: &str, log: &LogExcerpt, finished: &TestFinished) -> String {
    let (shown, of) = (log.lines.len(), log.of);
    let mut text = format!("  log of {server}");
    if let Some(artifacts) = finished.artifacts.as_ref().filter(|_| shown < of) {
        _ = write!(
            text,
            ", {shown} of {of} lines (all: {artifacts}/server-logs/{server})"
        );
    }
    text.push_str(":\n");
    for line in &log.lines {
        _ = writeln!(text, "    {line}");
    }
    text
}

/// What each kind of failure is called.
pub(crate) const fn kind_name(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Failed => "failed",
        FailureKind::SetUp => "set-up failed",
        FailureKind::TearDown => "tear-down failed",
        FailureKind::TimedOut => "timed out",
        FailureKind::Interrupted => "interrupted",
        FailureKind::Crashed => "crashed",
        FailureKind::TooMuchOutput => "too much output",
        FailureKind::Leaked => "leaked",
        FailureKind::ServerCrashed => "server crashed",
        FailureKind::Sanitizer => "sanitizer",
        FailureKind::Error => "error",
        FailureKind::Inconclusive => "inconclusive",
    }
}

/// The attempts before the last, one line each.
fn earlier(test: &TestRecord) -> String {
    let Some((_, before)) = test.attempts.split_last() else {
        return String::new();
    };
    let line = |attempt: &Attempt| {
        let verdict = one_line(&what_and_where(&attempt.finished.verdict));
        let shown: String = verdict.chars().take(200).collect();
        format!("  attempt {}: {shown}\n", attempt.finished.attempt)
    };
    before.iter().map(line).collect()
}

/// The command line that runs this test alone, as it ran.
pub(super) fn command_line(model: &Model, name: &str) -> Option<String> {
    let started = model.started.as_ref()?;
    if let Some(command) = &started.command {
        return Some(command.clone());
    }
    let once = name.split('#').next().unwrap_or(name);
    let planned = model.planned(name).or_else(|| model.planned(once));
    let origin = planned.and_then(|test| test.origin.as_deref());
    let (package, binary, seed) = match origin {
        Some(origin) => (&origin.package, &origin.binary, origin.seed),
        None => (&started.package, &started.binary, started.seed),
    };
    let named = origin.map_or(name, |origin| &origin.test);
    let named = named.split('#').next().unwrap_or(named);
    let args = origin.map_or(&started.args, |origin| &origin.args);
    let mut words = vec![
        "cargo test".to_owned(),
        format!("-p {package}"),
        format!("--test {binary}"),
        "--".to_owned(),
        format!("--exact {}", in_shell(named)),
        format!("--seed {seed}"),
    ];
    let reserved = |marker: &String| ["slow", "stress_test", "flaky"].contains(&marker.as_str());
    let asked_for = args.iter().any(|arg| arg.ends_with("ignored"));
    if asked_for || planned.is_some_and(|test| test.markers.iter().any(reserved)) {
        words.push("--include-ignored".to_owned());
    }
    let flags = match origin {
        Some(origin) => again(&origin.args, &Linked::registered()),
        None => model.again().to_vec(),
    };
    words.extend(flags.iter().map(|word| in_shell(word)));
    Some(words.join(" "))
}

/// A word as a shell reads it.
#[must_use]
pub fn in_shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
