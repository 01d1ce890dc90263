//! Several tests as a table.

use std::collections::BTreeSet;

use armadillo_harness::history::{Ended, kind_for_programs, percent};

use super::{Test, executable, name, says};
use crate::table::aligned;

const TITLES: [&str; 6] = ["test", "failed", "of", "rate", "last failure", ""];

/// The tests that did not always pass, the worst first.
pub(super) fn of(tests: &[Test], limit: usize) -> String {
    let mut bad: Vec<&Test> = tests
        .iter()
        .filter(|test| test.known.rate().bad() > 0)
        .collect();
    let runs: BTreeSet<&str> = (tests.iter())
        .flat_map(|test| test.known.runs.iter().map(|run| run.run))
        .collect();
    let all = format!(
        "{} of {}",
        many(tests.len(), "test"),
        many(runs.len(), "run")
    );
    if tests.is_empty() {
        return "no test is known\n".to_owned();
    }
    if bad.is_empty() {
        return format!("{all}: every test always passed\n");
    }
    // Of equal rates, the one that is known better.
    bad.sort_by(|a, b| {
        let (one, other) = (a.known.rate(), b.known.rate());
        (other.rate().total_cmp(&one.rate()))
            .then(other.bad().cmp(&one.bad()))
            .then(a.id.cmp(b.id))
    });
    let executables: BTreeSet<&str> = tests.iter().map(|test| executable(test.id)).collect();
    let rows = bad
        .iter()
        .take(limit)
        .map(|test| row(test, executables.len() > 1));
    let titles = TITLES.map(str::to_owned);
    let rows: Vec<[String; 6]> = std::iter::once(titles).chain(rows).collect();
    let mut text = format!(
        "{all}: {} did not always pass\n{}",
        bad.len(),
        aligned(&rows)
    );
    if bad.len() > limit {
        text.push_str(&format!("  and {} more (--limit)\n", bad.len() - limit));
    }
    text
}

fn row(test: &Test, with_executable: bool) -> [String; 6] {
    let rate = test.known.rate();
    let mut failed = test
        .known
        .runs
        .iter()
        .rev()
        .filter(|run| run.ended != Ended::Passed);
    let last = failed.next().map_or_else(String::new, |run| {
        let kind = run
            .kind
            .map_or("failed", kind_for_programs)
            .replace('_', " ");
        let commit = run
            .commit
            .map_or_else(String::new, |commit| format!(" at {commit}"));
        format!("{} {kind}{commit}", run.at())
    });
    [
        if with_executable {
            test.id
        } else {
            name(test.id)
        }
        .to_owned(),
        rate.bad().to_string(),
        rate.of.to_string(),
        percent(rate.rate()),
        last,
        says(&test.known),
    ]
}

/// `1 test`, `2 tests`.
pub(super) fn many(count: usize, word: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {word}{ending}")
}
