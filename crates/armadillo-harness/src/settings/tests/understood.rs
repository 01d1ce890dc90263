//! What command lines are understood, and as what.

use std::num::NonZeroU32;
use std::time::Duration;

use super::{Scene, line};
use crate::options::{Action, Copies, Format, IgnoredTests, Isolation, Missing, NoTests};

#[test]
fn everything_libtest_understands_is_understood() {
    let options = line(&[
        "one",
        "two",
        "--exact",
        "--skip",
        "three",
        "--format",
        "json",
        "--ignored",
        "--test-threads",
        "3",
        "--nocapture",
        "--show-output",
        "--fail-fast",
        "--shuffle",
        "--shuffle-seed",
        "7",
        "--color",
        "never",
        "--logfile",
        "log",
        "-Z",
        "unstable-options",
        "--report-time",
        "--ensure-time",
        "--test",
        "--bench",
        "--force-run-in-process",
        "--exclude-should-panic",
    ]);
    assert_eq!(options.selection.filters, ["one", "two"]);
    assert!(options.selection.exact && options.running.shuffle && options.showing.no_capture);
    assert_eq!(options.selection.ignored, IgnoredTests::Only);
    assert_eq!(options.running.max_fail, Some(1));
    assert_eq!(options.running.seed, Some(7));
    assert_eq!(options.showing.format, Format::Json);
    assert!(line(&["--no-capture"]).showing.no_capture);
    assert_eq!(line(&["-q"]).showing.format, Format::Terse);
    assert_eq!(line(&["-Zunstable-options", "--list"]).action, Action::List);
    assert_eq!(
        line(&["--include-ignored"]).selection.ignored,
        IgnoredTests::Include
    );
    let scene = Scene::without_file();
    let options = scene.options(
        &[],
        &[
            ("RUST_TEST_NOCAPTURE", "1"),
            ("RUST_TEST_SHUFFLE_SEED", "5"),
        ],
    );
    assert!(options.showing.no_capture && options.running.shuffle);
    assert_eq!(options.running.seed, Some(5));
    assert!(
        !scene
            .options(&[], &[("RUST_TEST_NOCAPTURE", "0")])
            .showing
            .no_capture
    );
}

/// The command lines of cargo nextest and of rust-analyzer.
#[test]
fn what_other_tools_pass_is_understood() {
    assert_eq!(line(&["--list", "--format", "terse"]).action, Action::List);
    assert_eq!(
        line(&["--list", "--format", "terse", "--ignored"])
            .selection
            .ignored,
        IgnoredTests::Only
    );
    let run = line(&["--exact", "a::b", "--nocapture", "--ignored"]);
    assert_eq!(run.selection.only(), Some(&["a::b".to_owned()][..]));
    let run = line(&[
        "a::b",
        "--exact",
        "--nocapture",
        "-Z",
        "unstable-options",
        "--format=json",
    ]);
    assert_eq!(run.selection.filters, ["a::b"]);
}

#[test]
fn ours_are_understood() {
    let options = line(&[
        "-m",
        "not slow",
        "-k",
        "a or b",
        "--runslow",
        "--stress",
        "--flaky",
        "--isolation",
        "process",
        "--timeout",
        "3m",
        "--run-timeout",
        "1h30m",
        "--timeout-factor",
        "2.5",
        "--retries",
        "2",
        "--repeat",
        "3",
        "--seed",
        "0x10",
        "--rounds",
        "200",
        "--durations",
        "5",
        "--no-tests",
        "fail",
        "--keep-on-failure",
        "--thread-per-test",
        "false",
        "--output-dir",
        "out",
        "--memory",
        "2G",
        "--copies",
        "auto",
        "--history",
        "h.json",
        "--maxfail",
        "4",
        "--missing",
        "tally=ignore",
        "--tally",
        "/bin/tally",
        "--tally-verbose",
        "--plan",
    ]);
    assert_eq!(options.action, Action::Plan);
    assert_eq!(
        options.selection.markers.as_ref().map(|m| m.text()),
        Some("not slow")
    );
    let selection = &options.selection;
    assert!(selection.slow && selection.stress && selection.flaky && selection.keywords.is_some());
    let running = &options.running;
    assert_eq!(running.isolation, Isolation::Process);
    assert_eq!(running.timeout, Duration::from_secs(180));
    assert_eq!(running.run_timeout, Some(Duration::from_secs(5400)));
    assert_eq!(
        (running.timeout_factor, running.retries, running.repeat),
        (2.5, 2, 3)
    );
    assert_eq!((running.seed, running.max_fail), (Some(16), Some(4)));
    assert_eq!(running.rounds, Some(200));
    assert_eq!(
        (running.memory_mib, running.no_tests),
        (Some(2048), NoTests::Fail)
    );
    assert_eq!(running.copies, Copies::Auto);
    let three = NonZeroU32::new(3).map(Copies::Exactly);
    assert_eq!(Some(line(&["--copies=3"]).running.copies), three);
    assert_eq!(line(&[]).running.copies, Copies::default());
    assert!(running.keep_on_failure && !running.thread_per_test);
    assert_eq!(options.showing.durations, Some(5));
    assert_eq!(options.missing("tally"), Missing::Ignore);
    assert_eq!(options.missing("other"), Missing::Error);
    assert_eq!(options.settings.get("tally"), Some("/bin/tally"));
    assert!(options.settings.is_on("tally-verbose"));
    assert_eq!(line(&["-x", "--maxfail", "4"]).running.max_fail, Some(1));
    assert_eq!(line(&["--durations=0"]).showing.durations, Some(usize::MAX));
}

#[test]
fn a_system_may_have_a_short_name_that_nobody_else_has() {
    let options = line(&["-t", "/opt/tally", "-n", "3"]);
    assert_eq!(options.settings.get("tally"), Some("/opt/tally"));
    assert_eq!(options.settings.get("tally-verbose"), None);
    assert_eq!(options.settings.get("parallel"), Some("3"));
}
