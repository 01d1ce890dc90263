//! Reports from the log of a run that did not come to its end, and from what is no such log.

use armadillo_selftest::wait::{LIMIT, until};
use armadillo_selftest::{Ran, Suite};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus};
use rustix::process::Signal;

use super::suite;

/// A run whose runner was killed when five tests had passed and one went on.
fn killed() -> Ran {
    let mut running = suite(&[
        "pass::one",
        "endless::on_a_server",
        "fail::one::a",
        "-n",
        "2",
    ])
    .start();
    let far_enough = until(LIMIT, || {
        let log = running.file("events.jsonl");
        let finished = log.matches(r#"{"test_finished":"#).count();
        let started = log.contains(r#"{"test_started":{"test":"endless::on_a_server""#);
        (running.has_ended() || (finished >= 6 && started)).then_some(())
    });
    assert!(far_enough.is_some() && !running.has_ended());
    running.signal(Signal::KILL);
    let ran = running.wait();
    assert_eq!(ran.signal, Some(9), "{}", ran.said());
    assert_eq!(ran.remains(), [""; 0]);
    let junit = ran.directory().join("junit.xml");
    assert!(!junit.exists(), "it was killed before it wrote reports");
    ran
}

fn report_from(ran: &Ran) -> Ran {
    Suite::new(env!("CARGO_BIN_EXE_commands"))
        .args(["--report-from".as_ref(), ran.directory().as_os_str()])
        .run()
}

fn case<'j>(junit: &'j quick_junit::Report, name: &str) -> &'j TestCase {
    let mut cases = junit.test_suites.iter().flat_map(|suite| &suite.test_cases);
    let case = cases.find(|case| case.name.as_str() == name);
    case.unwrap_or_else(|| panic!("no {name} in {junit:?}"))
}

#[test]
fn a_run_that_was_killed_has_reports_all_the_same() {
    let ran = killed();
    let said = report_from(&ran);
    assert_eq!(said.code, Some(0), "{}", said.said());
    assert!(
        said.stdout
            .contains("test result: FAILED. 5 passed; 2 failed;"),
        "{}",
        said.said()
    );
    assert!(
        said.stderr.contains("the event log is incomplete"),
        "{}",
        said.said()
    );

    let junit = ran.junit();
    let is_success =
        |name: &str| matches!(case(&junit, name).status, TestCaseStatus::Success { .. });
    assert!(is_success("pass::one::a") && is_success("pass::one::e"));
    for (name, expected) in [
        ("fail::one::a", NonSuccessKind::Failure),
        ("endless::on_a_server", NonSuccessKind::Error),
    ] {
        match &case(&junit, name).status {
            TestCaseStatus::NonSuccess { kind, .. } => assert_eq!(*kind, expected, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(ran.verdict("endless::on_a_server"), "interrupted");
    let message = ran.message("endless::on_a_server");
    assert_eq!(
        message,
        "the test had not finished when the event log ended"
    );
    assert_eq!(ran.results()["exit_code"], serde_json::Value::Null);
}

#[test]
fn a_log_that_ends_in_the_middle_of_a_line_is_read_up_to_there() {
    let ran = suite(&["pass::one", "fail::one::a", "-n", "1"]).run();
    let log = ran.directory().join("events.jsonl");
    let whole = ran.file("events.jsonl");
    std::fs::write(&log, &whole[..whole.len() - 9]).expect("a file");
    let said = report_from(&ran);
    assert_eq!(said.code, Some(0), "{}", said.said());
    assert_eq!(ran.results()["exit_code"], serde_json::Value::Null);
    assert_eq!(ran.results()["totals"]["passed"], 5);
}

#[test]
fn what_is_no_log_of_a_run_is_refused() {
    let not_started = "has no start of a run";
    let line = "line 1 of the event log is not a valid event";
    for (text, why) in [
        (None, "No such file or directory"),
        (Some(""), not_started),
        (Some("[package]\nname = \"suite\"\n"), line),
        (Some("{\"version\": 1}\n"), line),
    ] {
        let suite = Suite::new(env!("CARGO_BIN_EXE_commands")).args(["--report-from", "log"]);
        let suite = match text {
            Some(text) => suite.file("log", text),
            None => suite,
        };
        let ran = suite.run();
        assert_eq!(ran.code, Some(2), "{text:?}\n{}", ran.said());
        assert!(
            ran.stderr.starts_with("error: --report-from: log: "),
            "{}",
            ran.said()
        );
        assert!(ran.stderr.contains(why), "{}", ran.said());
        assert!(!ran.home().join("junit.xml").exists());
    }
}
