//! Which tests, and what to do instead of running them.

use std::path::PathBuf;

use crate::options::{Action, IgnoredTests};
use crate::select::{Expression, Language};
use crate::settings::error::Wrong;
use crate::settings::setting::{Group, Setting};
use crate::settings::value::{last, switch};

const WHICH: Group = Group::Selecting;

pub(super) const TABLE: &[Setting] = &[
    Setting::valued(
        "markers",
        "EXPR",
        WHICH,
        "Only tests whose markers make the expression true: `slow`, `not slow`, `regression and not (slow or flaky)`. \
         A marker with this argument is written as in the test: `NAME(\"auth\")`. A marker that nobody declared is an error. `-m slow` alone does not run the slow tests, it \
         shows them as ignored: add --runslow.",
    )
    .short('m')
    .apply(|options, values| {
        options.selection.markers = Some(Expression::parse(last(values), Language::Markers)?);
        Ok(())
    }),
    Setting::valued(
        "keywords",
        "EXPR",
        WHICH,
        "Only tests whose names make the expression true. A word holds for every name that contains it, whatever the case \
         of its letters: `auth::login`, `leader and not restart`.",
    )
    .short('k')
    .apply(|options, values| {
        options.selection.keywords = Some(Expression::parse(last(values), Language::Keywords)?);
        Ok(())
    }),
    Setting::switch(
        "exact",
        WHICH,
        "A FILTER and a --skip must be the whole name of a test, not a part of it.",
    )
    .apply(|options, values| {
        options.selection.exact = switch(values)?;
        Ok(())
    }),
    Setting::valued(
        "skip",
        "FILTER",
        WHICH,
        "No tests whose names contain this (or are this, with --exact). May be given several times.",
    )
    .repeats()
    .apply(|options, values| {
        options.selection.skip = values.to_vec();
        Ok(())
    }),
    Setting::switch(
        "runslow",
        WHICH,
        "Run the tests marked `slow` too. They are ignored otherwise.",
    )
    .apply(|options, values| {
        options.selection.slow = switch(values)?;
        Ok(())
    }),
    Setting::switch(
        "stress",
        WHICH,
        "Run the tests marked `stress_test` too. They are ignored otherwise.",
    )
    .apply(|options, values| {
        options.selection.stress = switch(values)?;
        Ok(())
    }),
    Setting::switch(
        "flaky",
        WHICH,
        "Run the tests marked `flaky` too. They are ignored otherwise.",
    )
    .apply(|options, values| {
        options.selection.flaky = switch(values)?;
        Ok(())
    }),
    Setting::switch(
        "include-ignored",
        WHICH,
        "Run ignored tests like the others, whatever they are ignored for.",
    )
    .apply(|options, values| {
        if switch(values)? {
            options.selection.ignored = IgnoredTests::Include;
        }
        Ok(())
    }),
    Setting::switch(
        "ignored",
        WHICH,
        "Run the ignored tests only, whatever they are ignored for.",
    )
    .apply(|options, values| {
        if switch(values)? {
            options.selection.ignored = IgnoredTests::Only;
        }
        Ok(())
    }),
    Setting::switch(
        "list",
        Group::Acting,
        "List the selected tests, one `NAME: test` a line. With --ignored, the ignored ones.",
    )
    .apply(|options, values| act(options, values, Action::List)),
    Setting::switch(
        "list-markers",
        Group::Acting,
        "List every declared marker with its meaning.",
    )
    .apply(|options, values| act(options, values, Action::ListMarkers)),
    Setting::switch(
        "plan",
        Group::Acting,
        "Say which tests would run on which deployments, with which programs; start nothing.",
    )
    .apply(|options, values| act(options, values, Action::Plan)),
    Setting::valued(
        "report-from",
        "FILE",
        Group::Acting,
        "Make the reports of an earlier run again from its `events.jsonl` (or from the directory with it): `junit.xml` and \
         `results.json` beside it, and what the run would have said at its end. For a run that was killed: its tests that \
         had not finished are reported as interrupted.",
    )
    .apply(|options, values| {
        let file = last(values);
        if file.is_empty() {
            return Err(Wrong::new(
                "there is no file",
                "name the `events.jsonl` of a run, or its directory",
            ));
        }
        if options.action == Action::Run {
            options.action = Action::ReportFrom(PathBuf::from(file));
        }
        Ok(())
    }),
];

/// The first of several actions is done.
fn act(
    options: &mut crate::options::Options,
    values: &[String],
    action: Action,
) -> Result<(), Wrong> {
    if switch(values)? && options.action == Action::Run {
        options.action = action;
    }
    Ok(())
}
