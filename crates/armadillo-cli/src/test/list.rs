//! `armadillo test list`.

use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

use super::plan::{self, Planned, Test};
use super::{Selection, TestError};
use crate::session::say;

/// Prints the tests of each executable.
pub(super) fn list(selection: &Selection, verbose: bool) -> Result<ExitCode, TestError> {
    let planned = plan::plan(&selection.build, &selection.arguments)?;
    let text: String = planned.iter().map(|one| executable(one, verbose)).collect();
    say(&text);
    Ok(ExitCode::SUCCESS)
}

fn executable(one: &Planned, verbose: bool) -> String {
    let plan = &one.plan;
    if plan.tests.is_empty() && plan.ignored.is_empty() {
        return String::new();
    }
    let mut text = format!("{}::{}\n", plan.package, plan.binary);
    let mut tests: Vec<&Test> = plan.tests.iter().collect();
    tests.sort_by(|a, b| a.test.cmp(&b.test));
    for test in tests {
        // Writing to a String cannot fail.
        _ = writeln!(text, "  {}", test.test);
        if verbose {
            details(&mut text, test);
        }
    }
    for ignored in &plan.ignored {
        let reason = match ignored.reason.as_str() {
            "" => String::new(),
            reason => format!(": {reason}"),
        };
        _ = writeln!(text, "  {} (ignored{reason})", ignored.test);
    }
    text
}

/// The markers of a test. Those that it does not have of itself are shown with what added them.
fn markers(test: &Test) -> Vec<String> {
    let written = test.markers.iter().map(|marker| {
        let mut added = test.added_markers.iter();
        match added.find(|added| added.marker == *marker) {
            Some(added) => format!("{marker} ({})", added.by),
            None => marker.clone(),
        }
    });
    written.collect()
}

fn details(text: &mut String, test: &Test) {
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            _ = writeln!(text, "      {name}: {value}");
        }
    };
    line("at", &test.place);
    line("needs", &test.topologies.join(" + "));
    line("markers", &markers(test).join(", "));
    let took = test.expected_ms.map(Duration::from_millis);
    line(
        "took",
        &took.map_or(String::new(), |took| format!("{took:?}")),
    );
    line("before", test.earlier.as_deref().unwrap_or_default());
}
