//! How results are shown, where settings come from, and what is accepted without effect.

use std::path::PathBuf;

use crate::options::{Color, FailureOutput, Format};
use crate::settings::setting::{Group, Said, Setting};
use crate::settings::value::{choice, last, number, switch};

const SHOWN: Group = Group::Showing;
const NOTHING: Group = Group::Accepted;

pub(super) const TABLE: &[Setting] = &[
    Setting::valued(
        "format",
        "FORMAT",
        SHOWN,
        "The format of stdout, libtest's: `pretty` (a line for each test), `terse` (a character for each test) or `json`. \
         Everything else goes to stderr.",
    )
    .default("pretty")
    .apply(|options, values| {
        let choices = [
            ("pretty", Format::Pretty),
            ("terse", Format::Terse),
            ("json", Format::Json),
        ];
        options.showing.format = choice(values, &choices)?;
        Ok(())
    }),
    Setting::switch("quiet", SHOWN, "The same as `--format terse`.")
        .short('q')
        .apply(|options, values| {
            if switch(values)? {
                options.showing.format = Format::Terse;
            }
            Ok(())
        }),
    Setting::valued(
        "color",
        "WHEN",
        SHOWN,
        "Colours: `auto` (on a terminal), `always` or `never`.",
    )
    .default("auto")
    .apply(|options, values| {
        let choices = [
            ("auto", Color::Auto),
            ("always", Color::Always),
            ("never", Color::Never),
        ];
        options.showing.color = choice(values, &choices)?;
        Ok(())
    }),
    Setting::switch(
        "nocapture",
        SHOWN,
        "Show what tests print while they print it, as it is.",
    )
    .aliases(&["no-capture"])
    .apply(|options, values| {
        options.showing.no_capture = switch(values)?;
        Ok(())
    }),
    Setting::switch(
        "show-output",
        SHOWN,
        "Show what tests printed that passed, too.",
    )
    .apply(|options, values| {
        options.showing.show_output = switch(values)?;
        Ok(())
    }),
    Setting::valued(
        "failure-output",
        "WHEN",
        SHOWN,
        "When to show a failure: `immediate` (when it happens, on stderr), `final` (at the end, on stdout), \
         `immediate-final` or `never`. JSON has it in the test's event, whatever this says.",
    )
    .default("immediate-final")
    .apply(|options, values| {
        let choices = [
            ("immediate", FailureOutput::Immediate),
            ("final", FailureOutput::Final),
            ("immediate-final", FailureOutput::ImmediateFinal),
            ("never", FailureOutput::Never),
        ];
        options.showing.failure_output = choice(values, &choices)?;
        Ok(())
    }),
    Setting::valued(
        "durations",
        "N",
        SHOWN,
        "List the N slowest tests at the end; 0 lists all of them.",
    )
    .apply(|options, values| {
        let count: usize = number(values)?;
        options.showing.durations = Some(if count == 0 { usize::MAX } else { count });
        Ok(())
    }),
    Setting::switch(
        "report-time",
        SHOWN,
        "Say in each test's line how long it took.",
    )
    .apply(|options, values| {
        options.showing.report_time = switch(values)?;
        Ok(())
    }),
    Setting::valued(
        "logfile",
        "FILE",
        SHOWN,
        "Write a line `ok NAME`, `failed NAME` or `ignored NAME` for each test to this file.",
    )
    .apply(|options, values| {
        options.showing.logfile = Some(PathBuf::from(last(values)));
        Ok(())
    }),
    Setting::valued(
        "profile",
        "NAME",
        Group::Settings,
        "Use the section `[profile.NAME]` of armadillo.toml before its other keys.",
    )
    .again()
    .said(Said::NotInFile),
    Setting::valued(
        "config",
        "FILE",
        Group::Settings,
        "Read this file instead of the nearest armadillo.toml, which is looked for from the package's directory upwards to \
         the root of the workspace.",
    )
    .again()
    .said(Said::NotInFile),
    Setting::switch("test", NOTHING, "Run tests; there are no benchmarks to leave out.")
        .said(Said::OnCommandLine),
    Setting::switch("bench", NOTHING, "Run benchmarks; there are none, tests run.")
        .said(Said::OnCommandLine),
    Setting::switch("ensure-time", NOTHING, "Time limits are set by --timeout.")
        .said(Said::OnCommandLine),
    Setting::switch(
        "force-run-in-process",
        NOTHING,
        "Where tests run is set by --isolation.",
    )
    .said(Said::OnCommandLine),
    Setting::switch(
        "exclude-should-panic",
        NOTHING,
        "Tests that must panic run like the others.",
    )
    .said(Said::OnCommandLine),
    Setting::valued(
        "unstable",
        "FLAG",
        NOTHING,
        "libtest's `-Z unstable-options`, which tools pass before --format=json.",
    )
    .short('Z')
    .repeats()
    .said(Said::OnCommandLine),
];
