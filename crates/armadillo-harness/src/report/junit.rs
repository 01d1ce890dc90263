//! `junit.xml`, for CI systems.
//!
//! Attempts of a test that passed later are `flakyFailure`, those of one that failed are `rerunFailure`. What belongs to
//! the harness or a deployment rather than to the test is an `error`. Characters that XML cannot carry are replaced.

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

/// The test binary as the only suite.
fn suites(xml: &mut Xml, model: &Model, run: &RunStarted) -> io::Result<()> {
    let name = format!("{}::{}", run.package, run.binary);
    let not_run = not_run(model, &run.tests);
    let [tests, skipped, failures, errors] = counts(model, not_run.len()).map(|n| n.to_string());
    let (time, timestamp) = (seconds(model.now_us), crate::date::utc(run.unix_time));
    let attributes = [
        ("name", name.as_str()),
        ("tests", &tests),
        ("skipped", &skipped),
        ("failures", &failures),
        ("errors", &errors),
        ("time", &time),
        ("timestamp", &timestamp),
    ];
    // The date is the suite's alone.
    xml.open("testsuites", &attributes[..6])?;
    xml.open("testsuite", &attributes)?;
    run_properties(xml, run)?;
    for test in &model.tests {
        case(xml, &name, model, test)?;
    }
    for (test, reason) in &model.ignored {
        never_begun(xml, &name, test, "ignored", reason)?;
    }
    for test in &not_run {
        let reason = model
            .ended_early()
            .unwrap_or("the run ended before this test");
        never_begun(xml, &name, test, "not run", reason)?;
    }
    xml.close("testsuite")?;
    xml.close("testsuites")
}

/// How many tests there are, and of them: skipped, failures, errors.
fn counts(model: &Model, not_run: usize) -> [usize; 4] {
    let never_begun = model.ignored.len() + not_run;
    let mut counts = [model.tests.len() + never_begun, never_begun, 0, 0];
    for test in &model.tests {
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
fn never_begun(xml: &mut Xml, class: &str, test: &str, ty: &str, reason: &str) -> io::Result<()> {
    xml.open("testcase", &[("name", test), ("classname", class)])?;
    xml.empty("skipped", &[("message", reason), ("type", ty)])?;
    xml.close("testcase")
}

/// A test that ended.
fn case(xml: &mut Xml, class: &str, model: &Model, test: &TestRecord) -> io::Result<()> {
    let planned = model.planned(&test.name);
    let last = test.last().map(|last| &last.finished);
    let time = last.map(|last| seconds(last.times.total));
    let mut attributes = vec![("name", test.name.as_str()), ("classname", class)];
    attributes.extend(time.as_deref().map(|time| ("time", time)));
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
    status(xml, test.verdict())?;
    for attempt in reruns {
        rerun(xml, attempt, test.verdict().is_failure())?;
    }
    if test.verdict().is_failure() {
        xml.element("system-out", &[], &failure_block(model, test))?;
    }
    xml.close("testcase")
}

fn status(xml: &mut Xml, verdict: &Verdict) -> io::Result<()> {
    match verdict {
        Verdict::Passed => Ok(()),
        Verdict::Skipped { reason } => {
            xml.empty("skipped", &[("message", reason), ("type", "skipped")])
        }
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
    let time = seconds(attempt.finished.times.total);
    let attributes = [
        ("time", time.as_str()),
        ("message", first_line(message)),
        ("type", kind_name(*kind)),
    ];
    xml.open(element, &attributes)?;
    xml.text(what_and_where(&attempt.finished.verdict).trim_end())?;
    if !attempt.finished.output.text.is_empty() {
        xml.break_line()?;
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
