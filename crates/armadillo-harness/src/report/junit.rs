//! `junit.xml`, for CI systems.
//!
//! Attempts of a test that passed later are `flakyFailure`, those of one that failed are `rerunFailure`. What belongs to
//! the harness or a deployment rather than to the test is an `error`. Characters that XML cannot carry are removed.

use std::time::Duration;

use quick_junit::{
    NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestRerun, TestSuite,
};

use super::block::{failure_block, kind_name};
use super::model::{Attempt, Model, TestRecord};
use crate::outcome::{FailureKind, Verdict};

/// The report as text.
///
/// # Errors
/// When it cannot be written as XML.
pub fn junit(model: &Model) -> Result<String, quick_junit::SerializeError> {
    let Some(run) = &model.started else {
        return Report::new("armadillo").to_string();
    };
    let name = format!("{}::{}", run.package, run.binary);
    let mut suite = TestSuite::new(name.as_str());
    suite.set_time(Duration::from_micros(model.now_us));
    suite
        .extra
        .insert("timestamp".into(), timestamp(run.unix_time).into());
    for (key, value) in [
        ("run", run.run.clone()),
        ("seed", run.seed.to_string()),
        ("armadillo", run.armadillo.clone()),
        ("isolation", run.isolation.clone()),
    ] {
        suite.add_property(Property::new(key, value));
    }
    for (system, program) in &run.programs {
        let text = format!("{} {}", program.program, program.version);
        suite.add_property(Property::new(format!("program.{system}"), text));
        if let Some(stand_in) = &program.stand_in {
            suite.add_property(Property::new(
                format!("stand-in.{system}"),
                stand_in.as_str(),
            ));
        }
    }
    for test in &model.tests {
        let mut case = case(model, test);
        case.set_classname(name.as_str());
        suite.add_test_case(case);
    }
    for (test, reason) in &model.ignored {
        suite.add_test_case(skipped(&name, test, "ignored", reason));
    }
    for test in super::results::not_run(model, &run.tests) {
        let reason = model.ended_early().unwrap_or("the run ended before it");
        suite.add_test_case(skipped(&name, &test, "not run", reason));
    }
    let mut report = Report::new(name);
    report.set_time(Duration::from_micros(model.now_us));
    report.add_test_suite(suite);
    report.to_string()
}

fn skipped(class: &str, test: &str, ty: &str, reason: &str) -> TestCase {
    let mut status = TestCaseStatus::skipped();
    status.set_type(ty).set_message(reason);
    let mut case = TestCase::new(test, status);
    case.set_classname(class);
    case
}

fn case(model: &Model, test: &TestRecord) -> TestCase {
    let mut status = match test.verdict() {
        Verdict::Passed => TestCaseStatus::success(),
        Verdict::Skipped { reason } => {
            let mut status = TestCaseStatus::skipped();
            status.set_type("skipped").set_message(reason.as_str());
            status
        }
        Verdict::Failed { kind, message } => {
            let mut status = TestCaseStatus::non_success(non_success(*kind));
            status
                .set_type(kind_name(*kind))
                .set_message(first_line(message))
                .set_description(message.as_str());
            status
        }
    };
    if let Some((_, before)) = test.attempts.split_last() {
        status.add_reruns(before.iter().filter_map(rerun));
    }
    let mut case = TestCase::new(test.name.as_str(), status);
    if let Some(last) = test.last() {
        case.set_time(Duration::from_micros(last.finished.times.total));
        for deployment in &last.finished.deployments {
            case.add_property(Property::new("deployment", deployment.as_str()));
        }
    }
    if let Some(planned) = model.planned(&test.name) {
        case.extra
            .insert("file".into(), planned.place.as_str().into());
        for marker in &planned.markers {
            case.add_property(Property::new("marker", marker.as_str()));
        }
    }
    if test.verdict().is_failure() {
        case.set_system_out(failure_block(model, test));
    }
    case
}

fn rerun(attempt: &Attempt) -> Option<TestRerun> {
    let Verdict::Failed { kind, message } = &attempt.finished.verdict else {
        return None;
    };
    let mut rerun = TestRerun::new(non_success(*kind));
    rerun
        .set_type(kind_name(*kind))
        .set_message(first_line(message))
        .set_description(message.as_str())
        .set_time(Duration::from_micros(attempt.finished.times.total));
    if !attempt.finished.output.text.is_empty() {
        rerun.set_system_out(attempt.finished.output.text.as_str());
    }
    Some(rerun)
}

const fn non_success(kind: FailureKind) -> NonSuccessKind {
    match kind {
        FailureKind::Failed
        | FailureKind::TimedOut
        | FailureKind::Leaked
        | FailureKind::Inconclusive => NonSuccessKind::Failure,
        FailureKind::SetUp
        | FailureKind::TearDown
        | FailureKind::Interrupted
        | FailureKind::Crashed
        | FailureKind::TooMuchOutput
        | FailureKind::ServerCrashed
        | FailureKind::Error => NonSuccessKind::Error,
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Seconds since 1970 as `2025-11-22T13:05:00Z` (days to a date after Howard Hinnant's `civil_from_days`).
fn timestamp(unix_time: u64) -> String {
    let (days, second) = (unix_time / 86_400 + 719_468, unix_time % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z",
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_dates() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00Z");
        assert_eq!(timestamp(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(timestamp(1_763_816_700), "2025-11-22T13:05:00Z");
    }
}
