//! Everything that is known of one test.

use std::fmt::Write;
use std::time::Duration;

use armadillo_harness::history::{Company, Ended, Part, TestRun, kind_for_programs, percent};

use super::overview::many;
use super::{Test, says};

/// How many runs are shown as a line of signs.
const SHOWN: usize = 60;

/// How many failures are shown.
const FAILURES: usize = 5;

pub(super) fn of(test: &Test) -> String {
    let known = &test.known;
    let mut text = format!("{}\n", test.id);
    // Writing to a String cannot fail.
    let mut row = |title: &str, value: String| _ = writeln!(text, "  {title:<9}  {value}");
    let verdict = says(known);
    if !verdict.is_empty() {
        row("verdict", verdict);
    }
    row("runs", part(&known.rate(), "run"));
    for (topology, of) in known.by_topology() {
        let topology = if topology.is_empty() {
            "no deployment"
        } else {
            topology
        };
        row("on", format!("{topology}: {}", part(&of, "run")));
    }
    for (company, of) in known.by_company() {
        let title = match company {
            Company::Alone => "alone",
            Company::Shared => "shared",
        };
        row(title, part(&of, "attempt"));
    }
    if let Some((median, most)) = known.durations() {
        row(
            "took",
            format!(
                "{} (median), {} (95th percentile)",
                time(median),
                time(most)
            ),
        );
    }
    row("last runs", signs(&known.runs));
    let failures = known
        .runs
        .iter()
        .rev()
        .filter(|run| run.ended != Ended::Passed);
    for run in failures.take(FAILURES) {
        row("failure", failure(run));
    }
    text
}

/// `3 of 120 runs failed, 1 passed on a retry: 3.3 %`.
fn part(part: &Part, word: &str) -> String {
    if part.bad() == 0 {
        return match part.of {
            1 => format!("the only {word} passed"),
            of => format!("all {} passed", many(of, word)),
        };
    }
    let retried = match part.flaky {
        0 => String::new(),
        flaky => format!(", {flaky} passed on a retry"),
    };
    let (failed, of) = (part.failed, many(part.of, word));
    format!("{failed} of {of} failed{retried}: {}", percent(part.rate()))
}

/// A sign for each of the last runs.
fn signs(runs: &[TestRun]) -> String {
    let last = runs.iter().skip(runs.len().saturating_sub(SHOWN));
    let signs = last.map(|run| match run.ended {
        Ended::Passed => '.',
        Ended::Flaky => 'r',
        Ended::Failed => 'F',
    });
    let signs: String = signs.collect();
    format!("{signs}  (the newest last; . passed, r passed on a retry, F failed)")
}

/// `2025-11-22T13:05:00Z, run 4c0243f9 at 0123456789: timed out, then passed`.
fn failure(run: &TestRun) -> String {
    let commit = run
        .commit
        .map_or_else(String::new, |commit| format!(" at {commit}"));
    let kind = run
        .kind
        .map_or("failed", kind_for_programs)
        .replace('_', " ");
    let then = match run.ended {
        Ended::Flaky => ", then passed",
        _ => "",
    };
    format!("{}, run {}{commit}: {kind}{then}", run.at(), run.run)
}

fn time(us: u64) -> String {
    let took = Duration::from_micros(us);
    match took.as_secs() {
        0 => format!("{} ms", took.as_millis()),
        _ => format!("{:.2} s", took.as_secs_f64()),
    }
}
