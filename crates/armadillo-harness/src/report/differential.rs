//! Our printers against the real ones: libtest, as rustc builds it in, and libtest-mimic.

use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use super::sample::{begins, ends, event, failed, started};
use super::tests::{options, shown};
use crate::collect::tests::{definition, marked};
use crate::event::{Event, EventKind, PlannedTest, RunStarted};
use crate::options::{Format, IgnoredTests, Selection, Showing};
use crate::outcome::{FailureKind, Verdict};
use crate::select::select;

/// The same tests for everybody, in libtest's order.
const SOURCE: &str = r#"
    #[test] fn a_passes() {}
    #[test] fn b_passes_and_prints() { println!("hello"); }
    #[test] fn c_fails() { println!("before"); panic!("boom"); }
    #[test] #[ignore] fn d_is_ignored() {}
    #[test] #[ignore = "takes long"] fn e_is_ignored_for_a_reason() {}
    #[test] fn f_fails_too() { panic!("again"); }
    mod inner { #[test] fn g_passes() {} }
"#;

/// What happens to them here: output and verdict, or the reason for which it is ignored.
fn ours() -> Vec<Event> {
    let passed = || Verdict::Passed;
    let panicked = |message| failed(FailureKind::Failed, message);
    let outcomes = [
        ("a_passes", Ok(("", passed()))),
        ("b_passes_and_prints", Ok(("hello\n", passed()))),
        ("c_fails", Ok(("before\n", panicked("boom")))),
        ("d_is_ignored", Err("")),
        ("e_is_ignored_for_a_reason", Err("takes long")),
        ("f_fails_too", Ok(("", panicked("again")))),
        ("inner::g_passes", Ok(("", passed()))),
    ];
    let tests = outcomes.iter().filter(|(_, outcome)| outcome.is_ok());
    let tests = tests.map(|(name, _)| PlannedTest {
        test: (*name).to_owned(),
        place: String::new(),
        markers: Vec::new(),
        needs: Vec::new(),
        earlier: None,
        recorded: None,
        expected_us: None,
        origin: None,
    });
    let started: RunStarted = started(tests.collect(), 0);
    let ignored = outcomes.iter().filter_map(|(name, outcome)| {
        let test = (*name).to_owned();
        let reason = outcome.as_ref().err()?.to_string();
        Some(event(0, EventKind::TestIgnored { test, reason }))
    });
    let mut events = vec![event(0, EventKind::RunStarted(started))];
    events.extend(ignored);
    for (name, outcome) in &outcomes {
        if let Ok((output, verdict)) = outcome {
            events.push(begins(1, name, 1));
            let finished = ends(1, name, verdict.clone(), output);
            events.push(event(2, EventKind::TestFinished(finished)));
        }
    }
    let (exit_code, ended_early) = (101, None);
    events.push(event(
        3,
        EventKind::RunFinished {
            exit_code,
            ended_early,
        },
    ));
    events
}

/// Builds the tests with the real libtest.
fn build(directory: &Path) -> PathBuf {
    let (source, binary) = (directory.join("suite.rs"), directory.join("suite"));
    std::fs::write(&source, SOURCE).unwrap();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(["--test", "--edition=2024", "-o"])
        .args([&binary, &source])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    binary
}

fn libtest(binary: &Path, args: &[&str]) -> String {
    let output = Command::new(binary)
        .args(args)
        .arg("--test-threads=1")
        .env("RUSTC_BOOTSTRAP", "1")
        .env_remove("RUST_TEST_SHUFFLE")
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The lines without times and without the inside of failure blocks, which is ours to fill. The lines of tests are
/// sorted: ours do not come in any order.
fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        if matches!(line, "failures:" | "successes:") || line.starts_with("---- ") {
            in_block = line.starts_with("---- ");
        } else if in_block {
            continue;
        }
        let line = line.split("; finished in ").next().unwrap_or(line);
        lines.push(line.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    let is_test = |line: &String| line.starts_with("test ") && line.contains(" ... ");
    let first = lines.iter().position(is_test).unwrap_or(0);
    let count = lines[first..]
        .iter()
        .take_while(|line| is_test(line))
        .count();
    lines[first..first + count].sort();
    lines
}

/// The objects without times and texts, sorted as [`lines`] are; with the names of their fields in order.
fn objects(text: &str) -> Vec<String> {
    let mut objects: Vec<String> = text
        .lines()
        .map(|line| {
            let mut object: serde_json::Value = serde_json::from_str(line).unwrap();
            let fields = object.as_object_mut().unwrap();
            for (key, value) in fields.iter_mut() {
                let is_ours = ["exec_time", "stdout", "source_path", "start_line"];
                if is_ours.contains(&key.as_str()) {
                    *value = serde_json::Value::Null;
                }
            }
            if fields.get("event").is_some_and(|event| event == "failed") {
                // libtest has a message only where a panic was expected.
                fields.remove("message");
            }
            object.to_string()
        })
        .collect();
    objects.sort();
    objects
}

#[test]
fn our_lines_are_those_of_the_real_libtest() {
    let directory = tempfile::tempdir().unwrap();
    let binary = build(directory.path());

    let (pretty, _) = shown(&options(Format::Pretty), &ours(), false);
    assert_eq!(lines(&pretty), lines(&libtest(&binary, &[])));

    let mut show_output = options(Format::Pretty);
    show_output.showing.show_output = true;
    let (with_output, _) = shown(&show_output, &ours(), false);
    assert_eq!(
        lines(&with_output),
        lines(&libtest(&binary, &["--show-output"]))
    );

    let json_args = ["-Zunstable-options", "--format=json", "--report-time"];
    let (json, _) = shown(&options(Format::Json), &ours(), false);
    assert_eq!(objects(&json), objects(&libtest(&binary, &json_args)));
}

/// Without the ignored tests: libtest shows them in their turn, we show them first.
#[test]
fn our_characters_are_those_of_the_real_libtest() {
    let directory = tempfile::tempdir().unwrap();
    let binary = build(directory.path());
    let theirs = libtest(&binary, &["-q", "--skip", "_is_ignored"]);
    let events: Vec<Event> = ours()
        .into_iter()
        .filter(|event| !matches!(event.kind, EventKind::TestIgnored { .. }))
        .map(|mut event| {
            if let EventKind::RunStarted(started) = &mut event.kind {
                started.filtered_out = 2;
            }
            event
        })
        .collect();
    let (terse, _) = shown(&options(Format::Terse), &events, false);
    assert_eq!(lines(&terse), lines(&theirs));
}

#[test]
fn our_lists_are_those_of_the_real_libtest() {
    let directory = tempfile::tempdir().unwrap();
    let binary = build(directory.path());
    let tests = [
        ("suite", "a_passes", None),
        ("suite", "b_passes_and_prints", None),
        ("suite", "c_fails", None),
        ("suite", "d_is_ignored", Some("")),
        ("suite", "e_is_ignored_for_a_reason", Some("takes long")),
        ("suite", "f_fails_too", None),
        ("suite::inner", "g_passes", None),
    ];
    for (ignored, args) in [
        (IgnoredTests::Ignore, &["--list"][..]),
        (IgnoredTests::Only, &["--list", "--ignored"]),
    ] {
        let selection = Selection {
            ignored,
            ..Selection::default()
        };
        let collected = tests
            .iter()
            .zip(1..)
            .map(|(&(module, name, ignore), line)| {
                let def = marked(definition(module, name, line), &[], ignore);
                crate::collect::Test::new(def, std::borrow::Cow::Borrowed(&[]))
            });
        let selected = select(collected.collect(), &selection);
        let ours = |format| {
            crate::list::list(
                &selected,
                &Showing {
                    format,
                    ..Showing::default()
                },
            )
        };
        let theirs = |more: &[&str]| libtest(&binary, &[args, more].concat());
        assert_eq!(ours(Format::Pretty), theirs(&[]));
        assert_eq!(ours(Format::Terse), theirs(&["--format=terse"]));
        let json = theirs(&["-Zunstable-options", "--format=json"]);
        let names = |text: &str| -> Vec<String> {
            let of = |line: &str| {
                let object: serde_json::Value = serde_json::from_str(line).unwrap();
                [
                    "event",
                    "name",
                    "ignore",
                    "ignore_message",
                    "tests",
                    "total",
                    "ignored",
                ]
                .map(|key| object.get(key).map(ToString::to_string).unwrap_or_default())
                .join(" ")
            };
            text.lines().map(of).collect()
        };
        assert_eq!(names(&ours(Format::Json)), names(&json));
    }
}

#[test]
fn our_lines_are_those_of_libtest_mimic() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let pass = || Ok(());
    let fail = |message: &'static str| move || Err(Failed::from(message));
    let trials = vec![
        Trial::test("a_passes", pass),
        Trial::test("b_passes_and_prints", pass),
        Trial::test("c_fails", fail("boom")),
        Trial::test("d_is_ignored", pass).with_ignored_flag(true),
        Trial::ignorable_test("e_is_ignored_for_a_reason", || {
            Ok(Completion::ignored_with("takes long"))
        }),
        Trial::test("f_fails_too", fail("again")),
        Trial::test("inner::g_passes", pass),
    ];
    let arguments = Arguments {
        test_threads: Some(1),
        logfile: Some(log.display().to_string()),
        ..Arguments::default()
    };
    let conclusion = libtest_mimic::run(&arguments, trials);
    assert_eq!((conclusion.num_passed, conclusion.num_failed), (3, 2));
    // It writes a reason in parentheses and calls a block by the test's name alone; libtest does neither.
    let theirs = std::fs::read_to_string(&log).unwrap();
    let theirs: Vec<String> = lines(&theirs)
        .into_iter()
        .map(|line| match line.split_once(" (") {
            Some((head, reason)) => format!("{head}, {}", reason.trim_end_matches(')')),
            None => line,
        })
        .collect();
    let (pretty, _) = shown(&options(Format::Pretty), &ours(), false);
    assert_eq!(lines(&pretty.replace(" stdout ----", " ----")), theirs);
}
