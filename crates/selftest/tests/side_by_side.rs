//! Runs that are started at the same moment do not meet.

use std::time::Instant;

use armadillo_selftest::Suite;
use armadillo_selftest::past::History;
use armadillo_selftest::rounds::{Times, rounds};

const BUSY: &str = env!("CARGO_BIN_EXE_busy");

#[test]
fn two_runs_at_the_same_moment_both_pass() {
    let mut times = Times::default();
    let mut all = Vec::new();
    for round in 1..=rounds().div_ceil(3) {
        let begun = Instant::now();
        let both = [(); 2].map(|()| Suite::new(BUSY).args(["-n", "4"]).start());
        let ran = both.map(armadillo_selftest::Running::wait);
        times.add(begun.elapsed());
        for ran in &ran {
            assert_eq!(ran.code, Some(0), "round {round}\n{}", ran.said());
            assert!(ran.stdout.contains("9 passed; 0 failed;"), "{}", ran.said());
            assert_eq!(ran.remains(), [""; 0]);
        }
        all.extend(ran);
    }
    // No run has taken another one of these for dead. What others on this machine leave is not looked at.
    for ran in &all {
        let taken = |id: &String| {
            ran.stderr
                .contains(&format!("cleaned up after an earlier run: run {id}"))
        };
        let ids: Vec<String> = all.iter().flat_map(armadillo_selftest::Ran::runs).collect();
        assert!(!ids.iter().any(taken), "{}", ran.stderr);
    }
    println!("two at once: {times}");
}

/// They share the directory for the files of runs, as two runs of one workspace do, and the file with the durations.
#[test]
fn runs_that_share_an_output_directory_both_pass() {
    let shared = tempfile::tempdir().expect("a directory");
    let many = [(); 3].map(|()| {
        let suite = Suite::new(BUSY).args(["-n", "2"]);
        suite.env("ARMADILLO_OUTPUT_DIR", shared.path()).start()
    });
    for ran in many.map(armadillo_selftest::Running::wait) {
        assert_eq!(ran.code, Some(0), "{}", ran.said());
    }
    let runs = std::fs::read_dir(shared.path()).expect("the directory");
    let directories = runs.flatten().filter(|entry| {
        let kind = entry.file_type();
        kind.is_ok_and(|kind| kind.is_dir())
    });
    assert_eq!(directories.count(), 3);
    let history = History::read(&shared.path().join("history.jsonl"));
    assert_eq!(history.attempts("counts_for_a_while::one").len(), 3);
}
