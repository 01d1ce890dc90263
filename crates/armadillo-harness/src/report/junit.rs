//! `junit.xml`, for CI systems.
//!
//! Attempts of a test that passed later are `flakyFailure`, those of one that failed are `rerunFailure`. What belongs to
//! the harness or a deployment rather than to the test is an `error`. Characters that XML cannot carry are replaced.
//!
//! It is as the schemas of Jenkins and of Maven's Surefire have it, with three additions that neither knows, or only one: the
//! `file` of a test, for GitLab and CircleCI, its `properties`, and the `timestamp` of a suite.

use std::collections::BTreeMap;
use std::io;

use super::block::{failure_block, kind_name, what_and_where};
use super::model::{Attempt, Model, TestRecord};
use super::results::not_run;
use super::xml::Xml;
use crate::event::RunStarted;
use crate::outcome::{FailureKind, Verdict};

/// The report as text.
///
/// # Errors
/// When it cannot be written as XML.
pub fn junit(model: &Model) -> io::Result<String> {
    let mut xml = Xml::new()?;
    match &model.started {
        Some(run) => suites(&mut xml, model, run)?,
        None => xml.empty("testsuites", &[("name", "armadillo")])?,
    }
    xml.finish()
}

/// What a suite has: the tests of one executable.
#[derive(Default)]
struct Suite<'a> {
    tests: Vec<&'a TestRecord>,
    ignored: Vec<(&'a str, &'a str)>,
    not_run: Vec<&'a str>,
}

/// Each test binary as a suite.
fn suites(xml: &mut Xml, model: &Model, run: &RunStarted) -> io::Result<()> {
    let not_run = not_run(model, &run.tests);
    let mut suites: BTreeMap<String, Suite<'_>> = BTreeMap::new();
    // One without tests is a suite, too.
    if !run.binary.is_empty() {
        suites.entry(run.executable()).or_default();
    }
    let of = |test: &str| model.place_of(test).0;
    for test in &model.tests {
        let suite = suites.entry(of(&test.name)).or_default();
        suite.tests.push(test);
    }
    for (test, reason) in &model.ignored {
        let suite = suites.entry(of(test)).or_default();
        suite.ignored.push((test, reason));
    }
    for test in &not_run {
        suites.entry(of(test)).or_default().not_run.push(test);
    }
    let [tests, _, failures, errors] = suites
        .values()
        .map(Suite::counts)
        .fold([0; 4], |a, b| {
            [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]]
        })
        .map(|n| n.to_string());
    let (time, timestamp) = (seconds(model.now_us), crate::date::utc(run.unix_time));
    let attributes = [
        ("name", run.executable()),
        ("tests", tests),
        ("failures", failures),
        ("errors", errors),
        ("time", time.clone()),
    ];
    let attributes: Vec<(&str, &str)> = attributes
        .iter()
        .map(|(name, value)| (*name, &**value))
        .collect();
    xml.open("testsuites", &attributes)?;
    for (name, suite) in &suites {
        suite.write(xml, model, (name, &time, &timestamp))?;
    }
    xml.close("testsuites")
}

impl Suite<'_> {
    fn write(
        &self,
        xml: &mut Xml,
        model: &Model,
        (name, time, timestamp): (&str, &str, &str),
    ) -> io::Result<()> {
        let [tests, skipped, failures, errors] = self.counts().map(|n| n.to_string());
        let attributes = [
            ("name", name),
            ("tests", &tests),
            ("skipped", &skipped),
            ("failures", &failures),
            ("errors", &errors),
            ("time", time),
            // The date is the suite's alone.
            ("timestamp", timestamp),
        ];
        xml.open("testsuite", &attributes)?;
        if let Some(run) = &model.started {
            run_properties(xml, run)?;
        }
        for test in &self.tests {
            case(xml, name, model, test)?;
        }
        let own = |test| model.place_of(test).1;
        for (test, reason) in &self.ignored {
            never_begun(xml, name, own(test), reason)?;
        }
        for test in &self.not_run {
            let reason = model
                .ended_early()
                .unwrap_or("the run ended before this test");
            never_begun(xml, name, own(test), reason)?;
        }
        xml.close("testsuite")
    }

    /// How many tests there are, and of them: skipped, failures, errors.
    fn counts(&self) -> [usize; 4] {
        let never_begun = self.ignored.len() + self.not_run.len();
        let mut counts = [self.tests.len() + never_begun, never_begun, 0, 0];
        for test in &self.tests {
            match test.verdict() {
                Verdict::Passed => {}
                Verdict::Skipped { .. } => counts[1] += 1,
                Verdict::Failed { kind, .. } => match kind_of(*kind) {
                    Kind::Failure => counts[2] += 1,
                    Kind::Error => counts[3] += 1,
                },
            }
        }
        counts
    }
}

fn run_properties(xml: &mut Xml, run: &RunStarted) -> io::Result<()> {
    xml.open("properties", &[])?;
    property(xml, "run", &run.run)?;
    property(xml, "seed", &run.seed.to_string())?;
    property(xml, "armadillo", &run.armadillo)?;
    property(xml, "isolation", &run.isolation)?;
    for (system, program) in &run.programs {
        let text = format!("{} {}", program.program, program.version);
        property(xml, &format!("program.{system}"), &text)?;
        if let Some(stand_in) = &program.stand_in {
            property(xml, &format!("stand-in.{system}"), stand_in)?;
        }
    }
    xml.close("properties")
}

fn property(xml: &mut Xml, name: &str, value: &str) -> io::Result<()> {
    xml.empty("property", &[("name", name), ("value", value)])
}

/// A test that did not begin.
fn never_begun(xml: &mut Xml, class: &str, test: &str, reason: &str) -> io::Result<()> {
    let attributes = [("name", test), ("classname", class), ("time", "0.000")];
    xml.open("testcase", &attributes)?;
    xml.empty("skipped", &[("message", reason)])?;
    xml.close("testcase")
}

/// A test that ended.
fn case(xml: &mut Xml, class: &str, model: &Model, test: &TestRecord) -> io::Result<()> {
    let planned = model.planned(&test.name);
    let last = test.last().map(|last| &last.finished);
    let time = seconds(last.map_or(0, |last| last.times.total));
    let own = model.place_of(&test.name).1;
    let mut attributes = vec![("name", own), ("classname", class), ("time", &time)];
    attributes.extend(planned.map(|planned| ("file", planned.place.as_str())));
    let deployments = last.map_or(&[][..], |last| &last.deployments);
    let markers = planned.map_or(&[][..], |planned| &planned.markers);
    let has_properties = !deployments.is_empty() || !markers.is_empty();
    let reruns: Vec<&Attempt> = match test.attempts.split_last() {
        Some((_, before)) if !matches!(test.verdict(), Verdict::Skipped { .. }) => before
            .iter()
            .filter(|attempt| attempt.finished.verdict.is_failure())
            .collect(),
        _ => Vec::new(),
    };
    if !has_properties && reruns.is_empty() && *test.verdict() == Verdict::Passed {
        return xml.empty("testcase", &attributes);
    }
    xml.open("testcase", &attributes)?;
    if has_properties {
        xml.open("properties", &[])?;
        for deployment in deployments {
            property(xml, "deployment", deployment)?;
        }
        for marker in markers {
            property(xml, "marker", marker)?;
        }
        xml.close("properties")?;
    }
    // Surefire's order: failures, skipped, errors, each with its reruns.
    let failed = test.verdict().is_failure();
    let is_error = |verdict: &Verdict| match verdict {
        Verdict::Failed { kind, .. } => matches!(kind_of(*kind), Kind::Error),
        _ => false,
    };
    for errors in [false, true] {
        if is_error(test.verdict()) == errors {
            status(xml, test.verdict())?;
        }
        for attempt in &reruns {
            if is_error(&attempt.finished.verdict) == errors {
                rerun(xml, attempt, failed)?;
            }
        }
    }
    if failed {
        xml.element("system-out", &[], &failure_block(model, test))?;
    }
    xml.close("testcase")
}

fn status(xml: &mut Xml, verdict: &Verdict) -> io::Result<()> {
    match verdict {
        Verdict::Passed => Ok(()),
        Verdict::Skipped { reason } => xml.empty("skipped", &[("message", reason)]),
        Verdict::Failed { kind, message, .. } => {
            let element = match kind_of(*kind) {
                Kind::Failure => "failure",
                Kind::Error => "error",
            };
            let attributes = [("message", first_line(message)), ("type", kind_name(*kind))];
            xml.element(element, &attributes, what_and_where(verdict).trim_end())
        }
    }
}

/// An attempt that failed and was not the last.
fn rerun(xml: &mut Xml, attempt: &Attempt, failed_at_last: bool) -> io::Result<()> {
    let Verdict::Failed { kind, message, .. } = &attempt.finished.verdict else {
        return Ok(());
    };
    let element = match (failed_at_last, kind_of(*kind)) {
        (false, Kind::Failure) => "flakyFailure",
        (false, Kind::Error) => "flakyError",
        (true, Kind::Failure) => "rerunFailure",
        (true, Kind::Error) => "rerunError",
    };
    let attributes = [("message", first_line(message)), ("type", kind_name(*kind))];
    xml.open(element, &attributes)?;
    let what = what_and_where(&attempt.finished.verdict);
    xml.element("stackTrace", &[], what.trim_end())?;
    if !attempt.finished.output.text.is_empty() {
        xml.element("system-out", &[], &attempt.finished.output.text)?;
    }
    xml.close(element)
}

/// Whose a failure is: the test's, or the harness's or a deployment's.
enum Kind {
    Failure,
    Error,
}

const fn kind_of(kind: FailureKind) -> Kind {
    match kind {
        FailureKind::Failed
        | FailureKind::TimedOut
        | FailureKind::Leaked
        | FailureKind::Inconclusive => Kind::Failure,
        FailureKind::SetUp
        | FailureKind::TearDown
        | FailureKind::Interrupted
        | FailureKind::Crashed
        | FailureKind::TooMuchOutput
        | FailureKind::ServerCrashed
        | FailureKind::Sanitizer
        | FailureKind::Error => Kind::Error,
    }
}

/// Microseconds as seconds.
fn seconds(us: u64) -> String {
    format!("{:.3}", std::time::Duration::from_micros(us).as_secs_f64())
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
