//! `--list`, `--list-markers`, `--plan`.

mod plan_json;

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::collect::Test;
use crate::event::{PlannedCopies, PlannedTest, ProgramInfo};
use crate::markers::Markers;
use crate::options::{Format, Showing};
use crate::select::Selected;

pub(crate) use plan_json::plan_json;

/// A test and the reason it is ignored for, if it is.
type Listed<'t> = (&'t Test, Option<&'t str>);

/// The list of selected tests in libtest's format. Ignored tests are in it, as they are in libtest's. A verbose list says more
/// of each.
#[must_use]
pub fn list(selected: &Selected, showing: &Showing) -> String {
    let Showing {
        format, verbose, ..
    } = *showing;
    let run = selected.run.iter().map(|test| (test, None));
    let ignored = selected.ignored.iter();
    let ignored = ignored.map(|(test, reason)| (test, Some(reason.as_str())));
    let mut tests: Vec<Listed<'_>> = run.chain(ignored).collect();
    // Each list is in the order of collection; together they are put into it again.
    if !selected.ignored.is_empty() {
        tests.sort_by_key(|(test, _)| test.rank());
    }
    let names: usize = tests.iter().map(|(test, _)| test.name.len() + 8).sum();
    let mut text = String::with_capacity(names + 64);
    if format == Format::Json {
        text.push_str("{ \"type\": \"suite\", \"event\": \"discovery\" }\n");
    }
    for (test, ignored) in &tests {
        match format {
            Format::Pretty | Format::Terse => {
                text.push_str(&test.name);
                text.push_str(": test\n");
                if verbose {
                    more(&mut text, test, *ignored);
                }
            }
            Format::Json => json_line(&mut text, test, *ignored, verbose),
        }
    }
    end(&mut text, &tests, format);
    text
}

/// Where a test is, its markers, and why it is ignored.
fn more(text: &mut String, test: &Test, ignored: Option<&str>) {
    let own = test.markers.iter().map(ToString::to_string);
    let added = (test.added.iter()).map(|added| format!("{} ({})", added.marker, added.by));
    let markers: Vec<String> = own.chain(added).collect();
    let lines = [
        ("at", test.place()),
        ("markers", markers.join(", ")),
        ("ignored", ignored.unwrap_or_default().to_owned()),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        _ = writeln!(text, "    {name}: {value}");
    }
}

/// The markers of a test, each with what added it.
fn markers_json(test: &Test) -> Value {
    let marker = |marker: String, by: Option<&str>| match by {
        None => json!({ "marker": marker }),
        Some(by) => json!({ "marker": marker, "by": by }),
    };
    let own = test.markers.iter().map(|own| marker(own.to_string(), None));
    let added = test.added.iter();
    let added = added.map(|added| marker(added.marker.to_string(), Some(&added.by)));
    own.chain(added).collect()
}

/// An object as libtest's `--list --format json` writes it; a verbose one has the markers, too.
fn json_line(text: &mut String, test: &Test, ignored: Option<&str>, verbose: bool) {
    let name = Value::from(test.name.as_str());
    let file = Value::from(test.def.file);
    let reason = ignored.or(test.def.ignore).or(test.skipped.as_deref());
    let reason = Value::from(reason.unwrap_or_default());
    let ignored = ignored.is_some();
    let markers = match verbose {
        true => format!(", \"markers\": {}", markers_json(test)),
        false => String::new(),
    };
    // Writing to a String cannot fail.
    _ = writeln!(
        text,
        "{{ \"type\": \"test\", \"event\": \"discovered\", \"name\": {name}, \"ignore\": {ignored}, \
         \"ignore_message\": {reason}, \"source_path\": {file}, \"start_line\": {}{markers} }}",
        test.def.line
    );
}

fn end(text: &mut String, tests: &[Listed<'_>], format: Format) {
    let count = tests.len();
    let ignored = tests
        .iter()
        .filter(|(_, ignored)| ignored.is_some())
        .count();
    let ending = if count == 1 { "" } else { "s" };
    let blank = if count == 0 { "" } else { "\n" };
    _ = match format {
        Format::Terse => Ok(()),
        Format::Pretty => writeln!(text, "{blank}{count} test{ending}, 0 benchmarks"),
        Format::Json => writeln!(
            text,
            "{{ \"type\": \"suite\", \"event\": \"completed\", \"tests\": {count}, \"benchmarks\": 0, \
             \"total\": {count}, \"ignored\": {ignored} }}"
        ),
    };
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
    copies: Option<&PlannedCopies>,
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
        if let Some(note) = &program.note {
            _ = writeln!(text, "  {note}");
        }
    }
    if let Some(copies) = copies {
        _ = writeln!(text, "{}", crate::report::copies_line(copies));
    }
    let mut groups: Vec<(String, Vec<&PlannedTest>)> = Vec::new();
    for test in tests {
        let title = test
            .topologies()
            .unwrap_or_else(|| "no deployment".to_owned());
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
            let colon = if reason.is_empty() { "" } else { ": " };
            _ = writeln!(text, "  {test}{colon}{reason}");
        }
    }
    text
}

/// `  [exclusive; slow, suite("auth")]`.
fn details(test: &PlannedTest) -> String {
    let modes = test.special_modes().map(|mode| mode.to_string());
    let markers = (!test.markers.is_empty()).then(|| test.markers.join(", "));
    let parts: Vec<String> = modes.chain(markers).collect();
    if parts.is_empty() {
        String::new()
    } else {
        format!("  [{}]", parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::collect::tests::{definition, marked};
    use crate::options::Selection;
    use crate::report::Model;
    use crate::report::sample::run;
    use crate::select::select;

    fn test(module: &'static str, name: &'static str, ignore: Option<&'static str>) -> Test {
        let def = marked(definition(module, name, 1), &[], ignore);
        Test::new(def, Cow::Borrowed(&[]))
    }

    fn in_format(format: Format) -> Showing {
        Showing {
            format,
            ..Showing::default()
        }
    }

    #[test]
    fn ignored_tests_stand_in_their_turn() {
        let tests = vec![
            test("suite::a", "one", None),
            test("suite::b", "two", Some("broken")),
            test("suite::c", "three", None),
        ];
        let selected = select(tests, &Selection::default());
        assert_eq!(
            list(&selected, &in_format(Format::Terse)),
            "a::one: test\nb::two: test\nc::three: test\n"
        );
        assert_eq!(list(&Selected::default(), &in_format(Format::Terse)), "");
        assert_eq!(
            list(&Selected::default(), &in_format(Format::Pretty)),
            "0 tests, 0 benchmarks\n"
        );
    }

    #[test]
    fn markers_are_listed_with_their_meanings() {
        let in_file = BTreeMap::from([("nightly".to_owned(), "at night only".to_owned())]);
        insta::assert_snapshot!("markers", list_markers(&Markers::declared(&in_file)));
    }

    #[test]
    fn a_plan_says_what_would_run_where() {
        let mut model = Model::default();
        for event in run() {
            model.on(&event);
        }
        let started = model.started.unwrap();
        let text = plan_text(
            &started.tests,
            &model.ignored,
            &started.programs,
            started.copies.as_ref(),
        );
        insta::assert_snapshot!("plan", text);
    }
}
