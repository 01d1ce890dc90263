//! Tests that ran on several topologies.

use super::*;

/// Runs of a test, each on a topology and of a commit.
fn runs_on(runs: impl IntoIterator<Item = (&'static str, &'static str, Outcome)>) -> History {
    let mut history = History::default();
    for (number, (on, commit, outcome)) in runs.into_iter().enumerate() {
        let run = history.run(&format!("run{number}"));
        history.runs[number].commit = Some(Commit {
            id: commit.to_owned(),
            dirty: false,
            unchecked: false,
        });
        history.attempts_of("t", on).push(Attempt {
            at_ms: number as u64,
            run,
            outcome,
            took_us: 1,
            company: None,
        });
    }
    history
}

#[test]
fn a_test_that_fails_on_one_topology_only_is_not_flaky() {
    use Outcome::Passed;
    let each = |commit| [("single", commit, Passed), ("cluster", commit, FAILED)];
    let history = runs_on(["a", "b", "c"].map(each).into_iter().flatten());
    assert_eq!(
        history.earlier("t").unwrap(),
        "failed 3 of 6 runs before (fails since a)"
    );
    let known = history.known("t").unwrap();
    assert_eq!(known.streak().unwrap().runs, 3);
    let parts = known.by_topology();
    assert_eq!((parts["single"].failed, parts["cluster"].failed), (0, 3));
}

#[test]
fn the_worst_topology_counts() {
    use Outcome::Passed;
    let flaky = [
        ("cluster", "a", FAILED),
        ("cluster", "a", Passed),
        ("single", "a", Passed),
    ];
    assert_eq!(
        runs_on(flaky).earlier("t").unwrap(),
        "failed 1 of 3 runs before (known flaky: 50.0 %)"
    );
    let other = [("other", "a", FAILED), ("other", "b", FAILED)];
    assert_eq!(
        runs_on(flaky.into_iter().chain(other))
            .earlier("t")
            .unwrap(),
        "failed 3 of 5 runs before (fails since a)"
    );
}

#[test]
fn a_topology_of_long_ago_says_nothing() {
    let old = [("old", "a", FAILED)];
    let new = std::iter::repeat_n(("new", "b", Outcome::Passed), 20);
    let history = runs_on(old.into_iter().chain(new));
    assert_eq!(history.earlier("t").unwrap(), "failed 1 of 21 runs before");
}
