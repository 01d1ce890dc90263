//! How results are shown, where settings come from, and what is accepted without effect.

use std::path::PathBuf;

use crate::options::{Annotations, Color, FailureOutput, Format};
use crate::settings::setting::{Group, Said, Setting};
use crate::settings::value::{choice, last, number, switch};

const SHOWN: Group = Group::Showing;
const NOTHING: Group = Group::Accepted;

pub(super) const TABLE: &[Setting] = &[
    Setting::valued(
        "format",
        "FORMAT",
        SHOWN,
        "Output format on stdout, as in libtest: `pretty` (one line per test), `terse` (one character per test) or \
         `json`. Everything else goes to stderr.",
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
    Setting::switch(
        "quiet",
        SHOWN,
        "Same as `--format terse`.",
    )
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
        "When to use colors: `auto` (on a terminal), `always` or `never`.",
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
        "Do not capture the output of tests; print it as it is written.",
    )
    .aliases(&["no-capture"])
    .apply(|options, values| {
        options.showing.no_capture = switch(values)?;
        Ok(())
    }),
    Setting::switch(
        "show-output",
        SHOWN,
        "Also show the output of tests that passed.",
    )
    .apply(|options, values| {
        options.showing.show_output = switch(values)?;
        Ok(())
    }),
    Setting::valued(
        "failure-output",
        "WHEN",
        SHOWN,
        "When to show failures: `immediate` (as they happen, on stderr), `final` (at the end, on stdout), \
         `immediate-final` or `never`. The JSON format always includes them in the event of the test.",
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
        "List the N slowest tests at the end; 0 lists all tests.",
    )
    .apply(|options, values| {
        let count: usize = number(values)?;
        options.showing.durations = Some(if count == 0 { usize::MAX } else { count });
        Ok(())
    }),
    Setting::switch(
        "report-time",
        SHOWN,
        "Print the duration of each test on its line.",
    )
    .apply(|options, values| {
        options.showing.report_time = switch(values)?;
        Ok(())
    }),
    Setting::valued(
        "logfile",
        "FILE",
        SHOWN,
        "Write one line per test to FILE: `ok NAME`, `failed NAME` or `ignored NAME`.",
    )
    .apply(|options, values| {
        options.showing.logfile = Some(PathBuf::from(last(values)));
        Ok(())
    }),
    Setting::valued(
        "trace",
        "FILE",
        SHOWN,
        "Also write the run to FILE as a trace (Chrome's JSON format), for Perfetto and similar viewers.",
    )
    .apply(|options, values| {
        options.showing.trace = Some(PathBuf::from(last(values)));
        Ok(())
    }),
    Setting::switch(
        "report-live",
        SHOWN,
        "Show the report while the run goes on: print the address of a page on this machine (127.0.0.1) that is updated as \
         things happen. It is the page of `report.html`.",
    )
    .apply(|options, values| {
        options.showing.report_live = switch(values)?;
        Ok(())
    }),
    Setting::valued(
        "annotations",
        "WHERE",
        SHOWN,
        "Tell the CI system of failed and flaky tests in its own way: `github` prints annotations at their lines and \
         adds a table to the summary of the step, `off` does neither. `auto` finds out where it runs.",
    )
    .default("auto")
    .apply(|options, values| {
        let choices = [
            ("auto", Annotations::Auto),
            ("github", Annotations::Github),
            ("off", Annotations::Off),
        ];
        options.showing.annotations = choice(values, &choices)?;
        Ok(())
    }),
    Setting::valued(
        "profile",
        "NAME",
        Group::Settings,
        "Use the section `[profile.NAME]` of armadillo.toml. Its keys override those outside of profiles.",
    )
    .again()
    .said(Said::NotInFile),
    Setting::valued(
        "config",
        "FILE",
        Group::Settings,
        "Read FILE instead of the nearest armadillo.toml. By default, Armadillo searches from the package directory \
         up to the workspace root.",
    )
    .again()
    .said(Said::NotInFile),
    Setting::switch(
        "test",
        NOTHING,
        "Run tests. This is what always happens; there are no benchmarks.",
    )
        .said(Said::OnCommandLine),
    Setting::switch(
        "bench",
        NOTHING,
        "Run benchmarks. There are none, so tests run.",
    )
        .said(Said::OnCommandLine),
    Setting::switch(
        "ensure-time",
        NOTHING,
        "Use --timeout to set time limits.",
    )
        .said(Said::OnCommandLine),
    Setting::switch(
        "force-run-in-process",
        NOTHING,
        "Use --isolation to choose where tests run.",
    )
    .said(Said::OnCommandLine),
    Setting::switch(
        "exclude-should-panic",
        NOTHING,
        "Tests with `should_panic` run like all others.",
    )
    .said(Said::OnCommandLine),
    Setting::valued(
        "unstable",
        "FLAG",
        NOTHING,
        "libtest's `-Z unstable-options`, which tools pass along with --format=json.",
    )
    .short('Z')
    .repeats()
    .said(Said::OnCommandLine),
];
