//! The decision for each test: it runs, it is filtered out, or it is ignored for a reason.
//!
//! As in pytest, `-m slow` alone does not run the slow tests: it selects them, and each is shown as ignored with the flag
//! that runs it. What costs minutes is asked for by its own flag, never by accident.

use std::borrow::Cow;

use crate::collect::{Test, registered};
use crate::event::{ShardOf, TopologyOf};
use crate::options::{IgnoredTests, Selection};
use crate::script::Script;
use crate::select::Marked;

/// The tests after selection, each list in the order they were given in.
#[derive(Debug, Default)]
pub struct Selected {
    /// Those that run.
    pub run: Vec<Test>,
    /// Those that are shown as ignored, and why.
    pub ignored: Vec<(Test, String)>,
    /// How many were filtered out, those of other shards included.
    pub filtered_out: u32,
    /// Which shard of the selected tests these are; `None`: all of them.
    pub shard: Option<ShardOf>,
    /// Which topology they are of, if one was selected.
    pub topology: Option<Box<TopologyOf>>,
    /// When they begin, and where.
    pub script: Option<Script>,
}

impl Selected {
    /// Whether nothing at all was selected, not even an ignored test.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.run.is_empty() && self.ignored.is_empty()
    }
}

/// A marker whose tests are ignored unless a flag asks for them.
struct Reserved {
    marker: &'static str,
    flag: &'static str,
    asked_for: fn(&Selection) -> bool,
}

const RESERVED: [Reserved; 3] = [
    Reserved {
        marker: "slow",
        flag: "--runslow",
        asked_for: |selection| selection.slow,
    },
    Reserved {
        marker: "stress_test",
        flag: "--stress",
        asked_for: |selection| selection.stress,
    },
    Reserved {
        marker: "flaky",
        flag: "--flaky",
        asked_for: |selection| selection.flaky,
    },
];

/// Decides for every test.
#[must_use]
pub fn select(tests: Vec<Test>, selection: &Selection) -> Selected {
    let mut selected = Selected::default();
    if selection.only().is_some() {
        // The others were never collected.
        let looked_at = u32::try_from(tests.len()).unwrap_or(u32::MAX);
        selected.filtered_out = registered().saturating_sub(looked_at);
    }
    for test in tests {
        if !is_wanted(&test, selection) {
            selected.filtered_out += 1;
            continue;
        }
        match (why_ignored(&test, selection), selection.ignored) {
            (None, IgnoredTests::Only) => selected.filtered_out += 1,
            (None, _) | (Some(_), IgnoredTests::Only | IgnoredTests::Include) => {
                selected.run.push(test);
            }
            (Some(reason), IgnoredTests::Ignore) => {
                selected.ignored.push((test, reason.into_owned()));
            }
        }
    }
    selected
}

/// Filters, skips and expressions.
fn is_wanted(test: &Test, selection: &Selection) -> bool {
    let names = |filter: &String| {
        if selection.exact {
            test.name == *filter
        } else {
            test.name.contains(filter.as_str())
        }
    };
    (selection.filters.is_empty() || selection.filters.iter().any(names))
        && !selection.skip.iter().any(names)
        && (selection.keywords.as_ref()).is_none_or(|wanted| wanted.matches_name(&test.name))
        && (selection.markers.as_ref()).is_none_or(|wanted| wanted.matches_markers(test))
}

/// Why a test does not run unless it is asked for.
fn why_ignored(test: &Test, selection: &Selection) -> Option<Cow<'static, str>> {
    if let Some(reason) = test.def.ignore {
        return Some(Cow::Borrowed(reason));
    }
    if let Some(reason) = &test.skipped {
        return Some(Cow::Owned(reason.clone()));
    }
    let mut held_back = RESERVED
        .iter()
        .filter(|reserved| !(reserved.asked_for)(selection) && test.carries(reserved.marker, &[]));
    let first = held_back.next()?;
    let (mut markers, mut flags) = (first.marker.to_owned(), first.flag.to_owned());
    let mut runs = "runs";
    for other in held_back {
        markers = format!("{markers}, {}", other.marker);
        flags = format!("{flags} {}", other.flag);
        runs = "run";
    }
    Some(Cow::Owned(format!("{markers}; {flags} {runs} it")))
}
