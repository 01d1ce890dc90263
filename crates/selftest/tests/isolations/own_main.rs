//! A main function of one's own, with `armadillo::init()` as its first line: our tests are trials among others.

use armadillo_selftest::wait::{LIMIT, until};
use armadillo_selftest::{Ran, Suite};
use rustix::process::Signal;

use super::suite;

fn own(args: &[&str]) -> Suite {
    suite(args).env("SELFTEST_MAIN", "own")
}

fn run(args: &[&str]) -> Ran {
    let ran = own(args).run();
    assert_eq!(ran.remains(), [""; 0], "{}", ran.said());
    ran
}

#[test]
fn our_tests_run_among_others() {
    let ran = run(&[
        "--skip",
        "endless",
        "--skip",
        "told",
        "--skip",
        "retried",
        "--test-threads",
        "2",
    ]);
    assert_eq!(ran.code, Some(101), "{}", ran.said());
    for line in [
        "test keeps::on_one::a ... ok",
        "test keeps::on_another ... ok",
        "test fails ... FAILED",
        "test not_ours ... ok",
    ] {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let printed = ran.stdout.lines().any(|printed| words(printed) == line);
        assert!(printed, "{line}\n{}", ran.said());
    }
    assert_eq!(ran.verdict("fails"), "failed");
    assert_eq!(ran.verdict("keeps::on_another"), "passed");
    let results = ran.results();
    assert_eq!(
        (&results["isolation"], &results["workers"]),
        (&"none".into(), &2.into())
    );
}

#[test]
fn a_list_names_all_and_starts_nothing() {
    let ran = run(&["--list"]);
    for line in [
        "keeps::on_another: test",
        "told::ignored: test",
        "not_ours: test",
    ] {
        assert!(ran.stdout.contains(line), "{line}\n{}", ran.said());
    }
    assert_eq!((ran.code, ran.runs().len()), (Some(0), 0), "{}", ran.said());
    let ignored = run(&["--list", "--ignored"]).stdout;
    assert!(
        ignored.contains("told::slow: test") && !ignored.contains("not_ours"),
        "{ignored}"
    );
}

#[test]
fn only_what_is_asked_for_is_started() {
    let ran = run(&["not_ours"]);
    assert_eq!((ran.code, ran.runs().len()), (Some(0), 0), "{}", ran.said());
    let ran = run(&["told::slow"]);
    assert!(
        ran.stdout.contains("0 passed; 0 failed; 1 ignored"),
        "{}",
        ran.said()
    );
    assert_eq!((ran.code, ran.runs().len()), (Some(0), 0), "{}", ran.said());
    let ran = run(&["--exact", "told::slow", "--include-ignored"]);
    assert!(
        ran.stdout.contains("1 passed; 0 failed; 0 ignored"),
        "{}",
        ran.said()
    );
    assert_eq!(ran.verdict("told::slow"), "passed");
}

#[test]
fn without_its_first_line_it_is_refused() {
    let ran = suite(&["prints"]).env("SELFTEST_MAIN", "forgetful").run();
    assert_eq!(ran.code, Some(2), "{}", ran.said());
    assert!(ran.stderr.contains("armadillo::init()"), "{}", ran.said());
}

#[test]
fn when_it_is_interrupted_everything_ends() {
    let mut running = own(&["endless::waits"]).start();
    let begun = until(LIMIT, || {
        let here = running.home().join("meeting/waits").exists();
        (here || running.has_ended()).then_some(())
    });
    assert!(
        begun.is_some() && !running.has_ended(),
        "{}",
        running.stderr()
    );
    running.signal(Signal::INT);
    let ran = running.wait();
    assert_eq!(ran.code, Some(130), "{}", ran.said());
    assert_eq!(ran.results()["exit_code"], 130);
    assert_eq!(ran.remains(), [""; 0]);
}

#[test]
fn the_runs_time_limit_ends_everything() {
    let ran = own(&["endless::waits"])
        .env("ARMADILLO_RUN_TIMEOUT", "8s")
        .run();
    assert_eq!(ran.code, Some(124), "{}", ran.said());
    assert_eq!(ran.verdict("endless::waits"), "timed_out");
}
