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
        "Run only tests whose markers match the expression: `slow`, `not slow`, `regression and not (slow or \
         flaky)`. To match an argument, write the marker as in the test: `NAME(\"auth\")`. Undeclared markers are an \
         error. Selecting slow tests does not enable them: `-m slow` shows them as ignored unless --runslow is \
         given.",
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
        "Run only tests whose names match the expression. A word matches every name that contains it, ignoring case: \
         `auth::login`, `leader and not restart`.",
    )
    .short('k')
    .apply(|options, values| {
        options.selection.keywords = Some(Expression::parse(last(values), Language::Keywords)?);
        Ok(())
    }),
    Setting::switch(
        "exact",
        WHICH,
        "Match FILTER and --skip against the whole test name instead of a part of it.",
    )
    .apply(|options, values| {
        options.selection.exact = switch(values)?;
        Ok(())
    }),
    Setting::valued(
        "skip",
        "FILTER",
        WHICH,
        "Skip tests whose names contain FILTER (or equal it, with --exact). May be given several times.",
    )
    .repeats()
    .apply(|options, values| {
        options.selection.skip = values.to_vec();
        Ok(())
    }),
    Setting::switch(
        "runslow",
        WHICH,
        "Also run tests marked `slow`, which are ignored by default.",
    )
    .apply(|options, values| {
        options.selection.slow = switch(values)?;
        Ok(())
    }),
    Setting::switch(
        "stress",
        WHICH,
        "Also run tests marked `stress_test`, which are ignored by default.",
    )
    .apply(|options, values| {
        options.selection.stress = switch(values)?;
        Ok(())
    }),
    Setting::switch(
        "flaky",
        WHICH,
        "Also run tests marked `flaky`, which are ignored by default.",
    )
    .apply(|options, values| {
        options.selection.flaky = switch(values)?;
        Ok(())
    }),
    Setting::switch(
        "include-ignored",
        WHICH,
        "Run ignored tests too, except those that cannot run with the programs or servers of this run.",
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
        "Run only ignored tests, with the same exception as --include-ignored.",
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
        "List the selected tests, one `NAME: test` per line. With --ignored, list the ignored tests.",
    )
    .apply(|options, values| act(options, values, Action::List)),
    Setting::switch(
        "list-markers",
        Group::Acting,
        "List all declared markers and their descriptions.",
    )
    .apply(|options, values| act(options, values, Action::ListMarkers)),
    Setting::switch(
        "plan",
        Group::Acting,
        "Show which tests would run on which deployments and programs, without starting anything.",
    )
    .apply(|options, values| act(options, values, Action::Plan)),
    Setting::switch(
        "doctor",
        Group::Acting,
        "Check everything that Armadillo assumes about this machine and about the programs, on deployments started \
         for this purpose. Report what does not hold, what that breaks and what to do. Runs no tests.",
    )
    .apply(|options, values| act(options, values, Action::Doctor)),
    Setting::valued(
        "json",
        "FILE",
        Group::Acting,
        "Write the findings of `--doctor` to this file.",
    )
    .apply(|options, values| {
        options.doctor_file = Some(last(values).into());
        Ok(())
    }),
    Setting::valued(
        "report-from",
        "FILE",
        Group::Acting,
        "Recreate the reports of an earlier run from its `events.jsonl` (or the directory that contains it): write \
         `junit.xml` and `results.json` next to it and print the summary. For a run that was killed, unfinished \
         tests are reported as interrupted.",
    )
    .apply(|options, values| {
        let file = last(values);
        if file.is_empty() {
            return Err(Wrong::new(
                "the file name is empty",
                "pass the `events.jsonl` of a run or its directory",
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
