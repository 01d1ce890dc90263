//! Which tests, and what to do instead of running them.

use std::path::PathBuf;

use crate::options::{Action, IgnoredTests};
use crate::select::{Expression, Language};
use crate::settings::error::Wrong;
use crate::settings::setting::{Group, Setting};
use crate::settings::value::{last, shard, switch};

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
        "last-failed",
        WHICH,
        "Run only the selected tests that failed when they last ran, as the file of --history remembers it; if none \
         did, all of them.",
    )
    .aliases(&["lf"])
    .apply(|options, values| {
        options.selection.last_failed = switch(values)?;
        Ok(())
    }),
    Setting::valued(
        "topology",
        "TEXT|none",
        WHICH,
        "Run only the tests that need exactly these deployments, written as --plan shows them. `none` selects the tests without deployments.",
    )
    .apply(|options, values| {
        options.selection.topology = Some(last(values).to_owned());
        Ok(())
    }),
    Setting::valued(
        "shard",
        "[BY:]I/N|auto",
        WHICH,
        "Run the I-th of N parts of the selected tests; other machines run the others. BY is `topology` (the default: \
         tests of one topology stay together as far as the parts stay equally large), `duration` (the same with the \
         durations in the file of --history, which every machine must have), `hash` (of each name) or `count` (in \
         turn). `auto` takes I and N from the variables of Bazel, Buildkite, CircleCI or GitLab.",
    )
    .aliases(&["partition"])
    .apply(|options, values| {
        options.selection.shard = Some(shard(values)?);
        Ok(())
    }),
    Setting::switch(
        "list",
        Group::Acting,
        "List the selected tests, one `NAME: test` per line. With --ignored, list the ignored tests.",
    )
    .apply(|options, values| act(options, values, Action::List)),
    Setting::switch(
        "verbose",
        Group::Acting,
        "With --list, also show the place and the markers of each test, and which rule or hook has added a marker.",
    )
    .apply(|options, values| {
        options.showing.verbose = switch(values)?;
        Ok(())
    }),
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
         `junit.xml`, `results.json` and `report.html` next to it and print the summary. For a run that was killed, \
         unfinished tests are reported as interrupted. Given for every shard of a run, or for the run of every \
         --topology, merge them: write the reports of the whole to `merged` in the output directory. A part that is missing \
         or ran twice is an error.",
    )
    .repeats()
    .apply(|options, values| {
        if values.iter().any(|file| file.trim().is_empty()) {
            return Err(Wrong::new(
                "the file name is empty",
                "pass the `events.jsonl` of a run or its directory",
            ));
        }
        if options.action == Action::Run {
            let files = values.iter().map(|file| PathBuf::from(file.trim()));
            options.action = Action::ReportFrom(files.collect());
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
