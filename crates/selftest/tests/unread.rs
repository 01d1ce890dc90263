//! Whoever does not read stdout holds nothing up but what is printed there.

use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use armadillo_selftest::wait::{LIMIT, until};
use armadillo_selftest::{Running, Suite};
use rustix::process::Signal;

/// How many bytes `prints_much` prints.
const PRINTED: usize = 24 << 20;

/// After how long a run that does not end is interrupted again.
const AGAIN: Duration = Duration::from_secs(10);

/// The suite with `--nocapture` and a pipe on stdout that nobody reads.
fn unread(tests: &[&str]) -> Running {
    let suite = Suite::new(env!("CARGO_BIN_EXE_unread"))
        .args(["--nocapture", "--isolation", "workers", "-n", "3"])
        .args(tests);
    suite.start_with_stdout(Stdio::piped())
}

/// Waits until the log of the run has a line with all of these words.
fn logs(running: &mut Running, words: &[&str]) {
    let found = until(LIMIT, || {
        let log = running.file("events.jsonl");
        let mut lines = log.lines();
        lines.find(|line| words.iter().all(|word| line.contains(word)))?;
        Some(())
    });
    assert!(found.is_some(), "no {words:?}\n{}", running.stderr());
    assert!(!running.has_ended(), "{}", running.stderr());
}

#[test]
fn time_limits_and_interrupts_hold() {
    let mut running = unread(&["prints_much", "hangs", "goes_on"]);
    logs(&mut running, &["test_finished", "prints_much", "passed"]);
    logs(&mut running, &["test_finished", "hangs", "timed_out"]);
    running.signal(Signal::INT);
    let ended = running.ended_within(LIMIT);
    let code = ended.and_then(|status| status.code());
    assert_eq!(code, Some(130), "{}", running.stderr());
    let ran = running.wait();
    assert_eq!(ran.verdict("hangs"), "timed_out");
    assert_eq!(ran.verdict("goes_on"), "interrupted");
    assert_eq!(ran.results()["exit_code"], 130);
    assert_eq!(ran.junit().tests, 3);
    assert_eq!(ran.remains(), [""; 0]);
}

#[test]
fn a_run_that_waits_for_its_reader_can_be_interrupted() {
    let mut running = unread(&["prints_much"]);
    logs(&mut running, &["run_finished"]);
    // The runner begins to listen just after that.
    let ended = until(LIMIT, || {
        running.signal(Signal::INT);
        running.ended_within(AGAIN)
    });
    let code = ended.and_then(|status| status.code());
    assert_eq!(code, Some(130), "{}", running.stderr());
    let ran = running.wait();
    assert_eq!(ran.verdict("prints_much"), "passed");
    assert_eq!(ran.remains(), [""; 0]);
}

#[test]
fn what_a_late_reader_cannot_have_any_more_is_said_once() {
    let mut running = unread(&["prints_much"]);
    logs(&mut running, &["test_finished", "prints_much", "passed"]);
    let mut stdout = running.take_stdout().expect("a pipe");
    let mut read = String::new();
    stdout.read_to_string(&mut read).expect("text");
    let ran = running.wait();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    assert!(read.contains("test result: ok. 1 passed"));
    let said: Vec<&str> = read
        .lines()
        .filter_map(|line| line.strip_prefix("[armadillo: ")?.split_once(" bytes"))
        .map(|(bytes, _)| bytes)
        .collect();
    let [left_out] = said[..] else {
        panic!("{said:?}");
    };
    let left_out: usize = left_out.parse().expect("a number");
    let printed = read.lines().filter(|line| line.starts_with("xxx"));
    let printed: usize = printed.map(|line| line.len() + 1).sum();
    // Where the gap is, a line may be cut.
    assert!(
        (printed + left_out).abs_diff(PRINTED) <= 1024,
        "{printed} {left_out}"
    );
}
