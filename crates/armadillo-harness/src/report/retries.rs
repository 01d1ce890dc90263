//! What the attempts of a test say together: a later one has more isolation than the one before.

use super::model::{Attempt, TestRecord};
use crate::event::TestIsolation;
use crate::outcome::Verdict;

/// That in words; nothing if they tell nothing.
pub(super) fn told(test: &TestRecord) -> Option<&'static str> {
    let (last, before) = test.attempts.split_last()?;
    let failed_as = before.iter().map(|attempt| attempt.finished.isolation);
    let failed_as = failed_as.max()?;
    let isolation = last.finished.isolation;
    let company = |attempt: &Attempt| !attempt.finished.company.shared_with.is_empty();
    let had_company = before.iter().any(company);
    match (test.verdict(), isolation) {
        // Another attempt of the same kind tells nothing of the kind.
        (Verdict::Passed, _) if isolation == failed_as => None,
        (Verdict::Passed, TestIsolation::AsDeclared) => None,
        (Verdict::Passed, TestIsolation::OtherProcess) => Some("passed in a new process"),
        (Verdict::Passed, TestIsolation::Alone) if had_company => {
            Some("fails only when sharing: passed when it did not share its deployments")
        }
        (Verdict::Passed, TestIsolation::Alone) => {
            Some("passed when it did not share its deployments")
        }
        (Verdict::Passed, TestIsolation::Fresh)
            if had_company && failed_as < TestIsolation::Alone =>
        {
            Some("fails only when sharing: passed on a fresh deployment")
        }
        (Verdict::Passed, TestIsolation::Fresh) => {
            Some("fails only on used deployments: passed on a fresh deployment")
        }
        (Verdict::Skipped { .. }, _) => None,
        (Verdict::Failed { .. }, TestIsolation::AsDeclared) => None,
        (Verdict::Failed { .. }, TestIsolation::OtherProcess) => {
            Some("also fails in a new process")
        }
        (Verdict::Failed { .. }, TestIsolation::Alone) => {
            Some("also fails when it does not share its deployments")
        }
        (Verdict::Failed { .. }, TestIsolation::Fresh) => Some("also fails on a fresh deployment"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{ends, failed};
    use super::*;
    use crate::event::Names;
    use crate::outcome::FailureKind;

    /// What attempts in these isolations tell, all but the last of which failed.
    fn of(isolations: &[TestIsolation], passed: bool) -> Option<&'static str> {
        let attempts = isolations.iter().enumerate().map(|(at, isolation)| {
            let verdict = match passed && at + 1 == isolations.len() {
                true => Verdict::Passed,
                false => failed(FailureKind::Failed, "no"),
            };
            let mut finished = ends(1, "a", verdict, "");
            finished.isolation = *isolation;
            if *isolation <= TestIsolation::OtherProcess {
                finished.company.shared_with = Names::of(["b"]);
            }
            Attempt {
                ended_us: 1,
                finished,
            }
        });
        let name = "a".to_owned();
        let attempts = attempts.collect();
        told(&TestRecord { name, attempts })
    }

    #[test]
    fn a_pass_with_more_isolation_says_when_the_test_fails() {
        use TestIsolation::{Alone, AsDeclared, Fresh, OtherProcess};
        let said = |isolations: &[TestIsolation]| of(isolations, true).unwrap_or_default();
        assert_eq!(said(&[AsDeclared]), "");
        assert_eq!(said(&[AsDeclared, AsDeclared]), "");
        assert!(said(&[AsDeclared, OtherProcess]).contains("process"));
        let alone = said(&[AsDeclared, OtherProcess, Alone]);
        assert!(alone.starts_with("fails only when sharing"), "{alone}");
        let fresh = said(&[AsDeclared, OtherProcess, Alone, Fresh]);
        assert!(fresh.contains("used deployments"), "{fresh}");
        assert_eq!(said(&[AsDeclared, OtherProcess, Fresh, Fresh]), "");
    }

    #[test]
    fn a_failure_with_more_isolation_is_the_tests_own() {
        use TestIsolation::{Alone, AsDeclared, Fresh, OtherProcess};
        assert_eq!(of(&[AsDeclared], false), None);
        assert_eq!(of(&[AsDeclared, AsDeclared], false), None);
        for last in [OtherProcess, Alone, Fresh] {
            let said = of(&[AsDeclared, last], false).unwrap_or_default();
            assert!(said.contains("also"), "{said}");
        }
    }
}
