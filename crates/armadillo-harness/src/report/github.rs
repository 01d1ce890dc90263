//! What GitHub Actions shows of a run: annotations at the lines of failed tests, and the summary of the step.
//!
//! The format of workflow commands, and that a step shows at most ten errors and ten warnings:
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>.

use std::fmt::Write;

use super::block::{command_line, kind_name};
use super::model::{Model, TestRecord};
use super::paint::many;
use super::retries;
use crate::outcome::Verdict;

/// How many annotations of a kind a step shows.
const MOST_SHOWN: usize = 10;

/// How many tests are listed in the summary of a step, which may have a megabyte.
const MOST_LISTED: usize = 100;

/// How much of a message is shown, in characters.
const MOST_OF_A_MESSAGE: usize = 2_000;

/// One line for each failed test, as an error, and for each flaky one, as a warning. `in_repository` makes the path of a source
/// file one from the root of the repository.
#[must_use]
pub fn annotations(model: &Model, in_repository: &dyn Fn(&str) -> String) -> String {
    let annotate = |level: &str, test: &TestRecord, message: &str| {
        let mut properties = String::new();
        if let Some((file, line)) = place(model, test) {
            let file = property(&in_repository(&file));
            properties = format!("file={file},line={line},");
        }
        let title = property(&test.name);
        format!("::{level} {properties}title={title}::{}\n", data(message))
    };
    let failed = model.tests.iter().filter_map(|test| {
        let mut message = failure(test)?;
        if let Some(command) = command_line(model, &test.name) {
            _ = write!(message, "\nrerun: {command}");
        }
        Some(annotate("error", test, &message))
    });
    let flaky = model.tests.iter().filter(|test| test.is_flaky());
    let flaky = flaky.map(|test| annotate("warning", test, &flakiness(test)));
    failed
        .take(MOST_SHOWN)
        .chain(flaky.take(MOST_SHOWN))
        .collect()
}

/// The run in Markdown: counts, failed tests, flaky ones.
#[must_use]
pub fn step_summary(model: &Model) -> String {
    let Some(run) = &model.started else {
        return String::new();
    };
    // An empty shard has nothing to say.
    if run.tests.is_empty() && model.ignored.is_empty() {
        return String::new();
    }
    let counts = model.counts();
    let mut text = format!("### {}: {} passed", run.executable(), counts.passed);
    let mut add = |count: usize, what: &str| {
        if count > 0 {
            _ = write!(text, ", {count} {what}");
        }
    };
    add(counts.failed, "failed");
    add(counts.inconclusive, "inconclusive");
    add(counts.flaky, "flaky");
    add(counts.ignored, "ignored");
    add(counts.skipped, "skipped");
    if let Some(shard) = &run.shard {
        _ = write!(text, " (shard {} of {})", shard.number, shard.of);
    }
    text.push_str("\n\n");
    if let Some(early) = model.ended_early() {
        _ = writeln!(text, "Stopped early: {}\n", cell(early));
    }
    let failed: Vec<(&TestRecord, String)> = (model.tests.iter())
        .filter_map(|test| Some((test, failure(test)?)))
        .collect();
    if !failed.is_empty() {
        text.push_str("| failed test | where | what |\n| --- | --- | --- |\n");
    }
    for (test, message) in failed.iter().take(MOST_LISTED) {
        let place = place(model, test);
        let place = place.map_or_else(String::new, |(file, line)| format!("{file}:{line}"));
        let (name, place) = (cell(&test.name), cell(&place));
        _ = writeln!(text, "| `{name}` | `{place}` | {} |", cell(message));
    }
    if failed.len() > MOST_LISTED {
        _ = writeln!(text, "\nAnd {} more.", failed.len() - MOST_LISTED);
    }
    let flaky: Vec<&TestRecord> = model.tests.iter().filter(|test| test.is_flaky()).collect();
    if !flaky.is_empty() {
        text.push_str("\n| flaky test | |\n| --- | --- |\n");
    }
    for test in flaky.iter().take(MOST_LISTED) {
        _ = writeln!(
            text,
            "| `{}` | {} |",
            cell(&test.name),
            cell(&flakiness(test))
        );
    }
    for stand_in in model.stand_ins() {
        _ = writeln!(text, "\nTests ran on {}.", cell(stand_in));
    }
    text.push('\n');
    text
}

/// `failed: MESSAGE`, `timed out: MESSAGE`; `None` of a test that did not fail.
fn failure(test: &TestRecord) -> Option<String> {
    match test.verdict() {
        Verdict::Failed { kind, message, .. } => {
            let message: String = message.chars().take(MOST_OF_A_MESSAGE).collect();
            Some(format!("{}: {message}", kind_name(*kind)))
        }
        Verdict::Passed | Verdict::Skipped { .. } => None,
    }
}

fn flakiness(test: &TestRecord) -> String {
    let told = retries::told(test).map_or(String::new(), |told| format!("; {told}"));
    format!(
        "passed after {}{told}",
        many(test.attempts.len(), "attempt")
    )
}

/// File and line of the failure, as far as they are known; otherwise those of the test.
fn place(model: &Model, test: &TestRecord) -> Option<(String, u32)> {
    let failed = match test.verdict() {
        Verdict::Failed { traces, .. } => traces.iter().find_map(|trace| trace.place.clone()),
        Verdict::Passed | Verdict::Skipped { .. } => None,
    };
    let place = failed.or_else(|| Some(model.planned(&test.name)?.place.clone()))?;
    // `file:line` or `file:line:column`.
    let mut parts: Vec<&str> = place.rsplitn(3, ':').collect();
    if parts.get(1).is_some_and(|line| line.parse::<u32>().is_ok()) {
        parts.remove(0);
    }
    let line = parts.first()?.parse().ok()?;
    let file: Vec<&str> = parts[1..].iter().rev().copied().collect();
    Some((file.join(":"), line))
}

/// The value after the second `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// The value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Text in a cell of a table: one line, and nothing of it is Markdown or HTML that would do harm.
fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' | '\r' => cell.push(' '),
            '|' => cell.push_str("\\|"),
            '<' => cell.push_str("&lt;"),
            '`' => cell.push('\''),
            letter if letter.is_control() => {}
            letter => cell.push(letter),
        }
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn model() -> Model {
        let mut model = Model::default();
        for event in sample::run() {
            model.on(&event);
        }
        model
    }

    #[test]
    fn failures_are_errors_and_flaky_tests_warnings() {
        let text = annotations(&model(), &|file| format!("sub/{file}"));
        insta::assert_snapshot!(text);
        for line in text.lines() {
            assert!(
                line.starts_with("::error file=sub/") || line.starts_with("::warning file=sub/")
            );
        }
    }

    #[test]
    fn a_step_has_a_summary() {
        insta::assert_snapshot!(step_summary(&model()));
    }

    #[test]
    fn what_a_message_has_in_it_stays_in_its_line() {
        assert_eq!(data("50 %\n::error::x"), "50 %25%0A::error::x");
        assert_eq!(property("a::b, c"), "a%3A%3Ab%2C c");
        assert_eq!(cell("a|b\n<img> `x`\u{1b}[0m"), "a\\|b &lt;img> 'x'[0m");
    }
}
