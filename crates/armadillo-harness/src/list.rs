//! `--list`, `--list-markers`, `--plan`.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::event::{PlannedTest, ProgramInfo};
use crate::markers::Markers;
use crate::options::{Format, IgnoredTests, Selection};
use crate::select::Selected;

/// The list of selected tests in libtest's format. Ignored tests are in it, as they are in libtest's; with `--ignored`,
/// they alone.
#[must_use]
pub fn list(selected: &Selected, selection: &Selection, format: Format) -> String {
    let ignored = selected.ignored.iter().map(|(test, _)| test);
    let mut tests: Vec<_> = selected.run.iter().chain(ignored).collect();
    // `select` keeps the order within each list; together they are sorted again as they were collected.
    if !selected.ignored.is_empty() && !selected.run.is_empty() {
        tests.sort_by_key(|test| (test.def.module, test.def.line, test.def.case));
    }
    let names: usize = tests.iter().map(|test| test.name.len() + 8).sum();
    let mut text = String::with_capacity(names + 64);
    for test in &tests {
        // Writing to a String cannot fail.
        _ = match format {
            Format::Pretty | Format::Terse => writeln!(text, "{}: test", test.name),
            Format::Json => {
                let name = serde_json::Value::from(test.name.as_str());
                let path = serde_json::Value::from(test.def.file);
                let is_ignored = selection.ignored == IgnoredTests::Only
                    || selected
                        .ignored
                        .iter()
                        .any(|(other, _)| other.name == test.name);
                writeln!(
                    text,
                    "{{ \"type\": \"test\", \"event\": \"discovered\", \"name\": {name}, \"ignore\": {is_ignored}, \
                     \"source_path\": {path}, \"start_line\": {} }}",
                    test.def.line
                )
            }
        };
    }
    match format {
        Format::Terse => {}
        Format::Pretty => {
            let ending = if tests.len() == 1 { "" } else { "s" };
            if !tests.is_empty() {
                text.push('\n');
            }
            _ = writeln!(text, "{} test{ending}, 0 benchmarks", tests.len());
        }
        Format::Json => {
            _ = writeln!(
                text,
                "{{ \"type\": \"suite\", \"event\": \"completed\", \"tests\": {}, \"benchmarks\": 0, \"total\": {}, \
                 \"ignored\": {} }}",
                tests.len(),
                tests.len(),
                selected.ignored.len()
            );
        }
    }
    text
}

/// The declared markers with their meanings.
#[must_use]
pub fn list_markers(markers: &Markers) -> String {
    let width = markers
        .names()
        .iter()
        .map(|name| name.len())
        .max()
        .unwrap_or(0);
    let lines = markers
        .iter()
        .map(|(name, meaning)| format!("{name:width$}  {meaning}\n"));
    lines.collect()
}

/// What would run where.
#[must_use]
pub fn plan_text(
    tests: &[PlannedTest],
    ignored: &[(String, String)],
    programs: &BTreeMap<String, ProgramInfo>,
) -> String {
    let mut text = String::new();
    for (system, program) in programs {
        let stand_in = program.stand_in.as_ref().map(|title| format!(", {title}"));
        _ = writeln!(
            text,
            "{system}: {} {}{}",
            program.program,
            program.version,
            stand_in.unwrap_or_default()
        );
    }
    let mut groups: Vec<(String, Vec<&PlannedTest>)> = Vec::new();
    for test in tests {
        let topology = test.topology.as_ref().map(ToString::to_string);
        let title = topology.unwrap_or_else(|| "no deployment".to_owned());
        match groups.iter_mut().find(|(name, _)| *name == title) {
            Some((_, group)) => group.push(test),
            None => groups.push((title, vec![test])),
        }
    }
    for (topology, group) in &groups {
        let ending = if group.len() == 1 { "" } else { "s" };
        _ = writeln!(text, "\n{topology}: {} test{ending}", group.len());
        for test in group {
            _ = writeln!(text, "  {}{}", test.test, details(test));
        }
    }
    if !ignored.is_empty() {
        _ = writeln!(text, "\nignored: {}", ignored.len());
        for (test, reason) in ignored {
            _ = writeln!(text, "  {test}: {reason}");
        }
    }
    text
}

/// `  [exclusive; slow, rta_suite("auth")]`.
fn details(test: &PlannedTest) -> String {
    use crate::needs::LeaseMode;
    let lease = match test.lease {
        Some(LeaseMode::Exclusive) => Some("exclusive".to_owned()),
        Some(LeaseMode::Fresh) => Some("fresh".to_owned()),
        Some(LeaseMode::Shared) | None => None,
    };
    let markers = (!test.markers.is_empty()).then(|| test.markers.join(", "));
    let parts: Vec<String> = lease.into_iter().chain(markers).collect();
    if parts.is_empty() {
        String::new()
    } else {
        format!("  [{}]", parts.join("; "))
    }
}
