//! Everything there is to say about a failed test, in one block.

use super::model::{Attempt, Model, TestRecord};
use super::paint::one_line;
use super::retries;
use crate::event::Captured;
use crate::outcome::{FailureKind, Verdict};

/// Output, verdict, deployment, co-tenants, files, the command line that runs it again, the servers' logs. Ends with a
/// line break.
pub(super) fn failure_block(model: &Model, test: &TestRecord) -> String {
    let Some(last) = test.last() else {
        return String::new();
    };
    let finished = &last.finished;
    let mut text = output(&finished.output);
    text.push_str(&format!(
        "{}\n",
        verdict(&finished.verdict, &finished.output.text)
    ));
    text.push_str(&earlier(test));
    if let Some(told) = retries::told(test) {
        text.push_str(&format!("  retries: {told}\n"));
    }
    for deployment in &finished.deployments {
        let topology = model
            .deployments
            .get(deployment)
            .map(|d| format!(" ({})", d.topology));
        text.push_str(&format!(
            "  deployment: {deployment}{}\n",
            topology.unwrap_or_default()
        ));
    }
    let company = &finished.company;
    for (title, names) in [
        ("shared with", &company.shared_with),
        ("used before by", &company.before),
    ] {
        if !names.is_empty() {
            text.push_str(&format!("  {title}: {names}\n"));
        }
    }
    if let Some(artifacts) = &finished.artifacts {
        text.push_str(&format!("  files: {artifacts}\n"));
    }
    if let Some(command) = command_line(model, &test.name) {
        text.push_str(&format!("  again: {command}\n"));
    }
    for (server, log) in finished.server_logs.values().flatten() {
        text.push_str(&format!("  log of {server} while the test ran:\n"));
        for line in log.lines() {
            text.push_str(&format!("    {line}\n"));
        }
    }
    text
}

/// The output of a test, ending with a line break if there is any.
fn output(captured: &Captured) -> String {
    let mut text = captured.text.clone();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    if captured.omitted > 0 {
        text.push_str(&format!(
            "({} of its {} bytes of output are left out of the middle)\n",
            captured.omitted, captured.bytes
        ));
    }
    text
}

/// `failed: MESSAGE`, `timed out: MESSAGE`. Of a panic whose message is in the output already, only the place.
fn verdict(verdict: &Verdict, output: &str) -> String {
    match verdict {
        Verdict::Failed { kind, message } => {
            let message = message.trim_end();
            let shown = match message.split_once(":\n") {
                Some((place, said)) if output.contains(said) => place,
                _ => message,
            };
            format!("{}: {shown}", kind_name(*kind))
        }
        Verdict::Skipped { reason } => format!("skipped: {reason}"),
        Verdict::Passed => "passed".to_owned(),
    }
}

/// What each kind of failure is called.
pub(super) const fn kind_name(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Failed => "failed",
        FailureKind::SetUp => "set-up failed",
        FailureKind::TearDown => "tear-down failed",
        FailureKind::TimedOut => "timed out",
        FailureKind::Interrupted => "interrupted",
        FailureKind::Crashed => "crashed",
        FailureKind::TooMuchOutput => "printed too much",
        FailureKind::Leaked => "leaked",
        FailureKind::ServerCrashed => "server crashed",
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
        let verdict = one_line(&verdict(&attempt.finished.verdict, ""));
        let shown: String = verdict.chars().take(200).collect();
        format!("  attempt {}: {shown}\n", attempt.finished.attempt)
    };
    before.iter().map(line).collect()
}

/// The command line that runs this test alone, as it ran.
fn command_line(model: &Model, name: &str) -> Option<String> {
    let started = model.started.as_ref()?;
    let name = name.split('#').next().unwrap_or(name);
    let mut words = vec![
        "cargo test".to_owned(),
        format!("-p {}", started.package),
        format!("--test {}", started.binary),
        "--".to_owned(),
        format!("--exact {}", in_shell(name)),
        format!("--seed {}", started.seed),
    ];
    let reserved = |marker: &String| ["slow", "stress_test", "flaky"].contains(&marker.as_str());
    let asked_for = started.args.iter().any(|arg| arg.ends_with("ignored"));
    if asked_for
        || model
            .planned(name)
            .is_some_and(|test| test.markers.iter().any(reserved))
    {
        words.push("--include-ignored".to_owned());
    }
    words.extend(model.again().iter().map(|word| in_shell(word)));
    Some(words.join(" "))
}

/// A word as a shell reads it.
fn in_shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
