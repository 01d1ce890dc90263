//! Evidence and the verdicts it comes to.

use super::*;

const PLAIN: Terms = Terms {
    should_panic: ShouldPanic::No,
    xfail: None,
    if_inconclusive: IfInconclusive::Fail,
};

fn reported(end: End) -> Ran {
    Ran::Reported {
        end,
        complaints: Vec::new(),
        kept: false,
        late: None,
    }
}

fn passed() -> Ran {
    reported(End::Returned(Outcome::Passed))
}

fn found(findings: Findings) -> Released {
    Released {
        on: [("a deployment".to_owned(), findings)].into(),
        ..Released::default()
    }
}

fn lines(text: &str) -> Vec<String> {
    vec![text.to_owned()]
}

#[test]
fn a_test_that_is_known_to_fail_is_skipped_if_it_does() {
    let verdict = |strict, ran: &Ran, found: &Released| {
        let reason = "not fixed yet";
        let xfail = Some(ExpectedFailure { reason, strict });
        judge(ran, Terms { xfail, ..PLAIN }, found)
    };
    let nothing = Released::default();
    let panics = reported(End::Panicked("left != right\n  left: 1".into()));
    let skipped = |reason: &str| Verdict::Skipped {
        reason: format!("failed as expected (not fixed yet): {reason}"),
    };
    assert_eq!(verdict(true, &panics, &nothing), skipped("left != right"));
    let leaves = found(Findings {
        leaks: lines("a database"),
        ..Findings::default()
    });
    assert_eq!(verdict(false, &passed(), &leaves), skipped("a database"));
    assert_eq!(verdict(false, &passed(), &nothing), Verdict::Passed);
    let Verdict::Failed { kind, message, .. } = verdict(true, &passed(), &nothing) else {
        panic!("it passed");
    };
    assert_eq!(kind, FailureKind::Failed);
    assert!(message.starts_with("it passed, but is expected to fail: not fixed yet\n"));
    // Nothing is known of a test that did not run.
    let not_run = Ran::NotRun {
        why: "no room".to_owned(),
    };
    assert_eq!(
        verdict(false, &not_run, &nothing),
        Verdict::error("no room".to_owned())
    );
}

#[test]
fn what_its_lease_brings_to_light_fails_a_test_that_passed_the_worst_first() {
    let findings = |unmet: &[String], crashes: &[String]| Findings {
        leaks: lines("a database"),
        unmet: unmet.to_vec(),
        crashes: crashes.to_vec(),
        ..Findings::default()
    };
    let (unmet, crashes) = (lines("no exit"), lines("a crash"));
    for (findings, kind, message) in [
        (findings(&[], &[]), FailureKind::Leaked, "a database"),
        (findings(&unmet, &[]), FailureKind::Failed, "no exit"),
        (
            findings(&unmet, &crashes),
            FailureKind::ServerCrashed,
            "a crash",
        ),
    ] {
        let verdict = judge(&passed(), PLAIN, &found(findings));
        assert_eq!(verdict, Verdict::failed(kind, message));
    }
}

#[test]
fn a_failure_keeps_its_kind_and_tells_of_a_crash() {
    let crash = Findings {
        crashes: lines("a crash"),
        leaks: lines("a database"),
        ..Findings::default()
    };
    let failure = reported(End::Returned(Outcome::Failed("no".into())));
    let message = "no\nduring the test: a crash".to_owned();
    assert_eq!(
        judge(&failure, PLAIN, &found(crash)),
        Verdict::failed(FailureKind::Failed, message)
    );
}

#[test]
fn a_limit_counts_more_than_what_its_process_says() {
    let late = Ran::Reported {
        end: End::Returned(Outcome::Passed),
        complaints: vec!["not undone".into()],
        kept: false,
        late: Some("the test did not finish within 1s".into()),
    };
    let message = "the test did not finish within 1s\ntear-down also failed: not undone";
    assert_eq!(
        judge(&late, PLAIN, &Released::default()),
        Verdict::failed(FailureKind::TimedOut, message)
    );
    assert_eq!(
        late.suspect().as_deref(),
        Some("a test was stopped: the test did not finish within 1s")
    );
}

#[test]
fn whoever_did_not_end_by_itself_leaves_a_suspect_and_no_fixtures_torn_down() {
    let suspects = [
        Ran::Stuck {
            late: "the test did not finish within 1s".into(),
            then: "it was killed",
        },
        Ran::Died {
            how: "signal 6".to_owned(),
        },
        Ran::TooMuchOutput { limit_mib: 16 },
        Ran::OutputUnreadable {
            error: "closed".to_owned(),
        },
        Ran::CutOff {
            kind: FailureKind::Interrupted,
            why: "Ctrl-C".to_owned(),
            at: Vec::new(),
        },
    ];
    for ran in suspects {
        assert!(ran.suspect().is_some(), "{ran:?}");
        assert!(!ran.is_torn_down(), "{ran:?}");
        let verdict = judge(&ran, PLAIN, &Released::default());
        assert!(verdict.is_failure(), "{ran:?}");
    }
    for ran in [passed(), Ran::NotRun { why: "no".into() }] {
        assert_eq!((ran.suspect(), ran.is_torn_down()), (None, true), "{ran:?}");
    }
}
