//! How a test ended in its last runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::outcome::{FailureKind, Verdict};
use crate::report::TestRecord;

/// How many runs are remembered.
const KEPT: usize = 20;

/// How a test ended in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Passed,
    /// It passed when it was tried again.
    Flaky,
    Failed,
}

/// How a test ended in its last runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Outcomes {
    /// A letter for each run, the newest last: `p` passed, `r` passed on a retry, `f` failed.
    letters: String,
    /// The number of the run that added to it last.
    pub(super) seen: u64,
}

impl Outcomes {
    /// Whether it failed when it last ran.
    pub(super) fn failed_last(&self) -> bool {
        self.letters.ends_with('f')
    }

    /// What the runs came to, if it did not always pass: `failed in 3 of the last 20 runs, passed on a retry in 1`.
    pub(super) fn in_words(&self) -> Option<String> {
        let count = |letter| self.letters.matches(letter).count();
        let (failed, flaky, of) = (count('f'), count('r'), self.letters.len());
        let all = match of {
            1 => "its last run".to_owned(),
            of => format!("the last {of} runs"),
        };
        let of_all = |what: &str, count: usize| match of {
            1 => format!("{what} in {all}"),
            _ => format!("{what} in {count} of {all}"),
        };
        match (failed, flaky) {
            (0, 0) => None,
            (0, flaky) => Some(of_all("passed on a retry", flaky)),
            (failed, 0) => Some(of_all("failed", failed)),
            (failed, flaky) => Some(format!(
                "{}, passed on a retry in {flaky}",
                of_all("failed", failed)
            )),
        }
    }

    fn add(&mut self, outcome: Outcome, run: u64) {
        self.letters.push(match outcome {
            Outcome::Passed => 'p',
            Outcome::Flaky => 'r',
            Outcome::Failed => 'f',
        });
        if self.letters.len() > KEPT {
            self.letters.remove(0);
        }
        self.seen = run;
    }
}

/// Adds how these tests of a run ended, each with its id; of repetitions, the worst counts.
pub(super) fn add<'a>(
    all: &mut BTreeMap<String, Outcomes>,
    tests: impl Iterator<Item = (String, &'a TestRecord)>,
    run: u64,
) {
    let mut ended: BTreeMap<String, Outcome> = BTreeMap::new();
    for (id, test) in tests {
        if let Some(outcome) = outcome(test) {
            let worst = ended.entry(id).or_insert(outcome);
            *worst = outcome.max(*worst);
        }
    }
    for (id, outcome) in ended {
        all.entry(id).or_default().add(outcome, run);
    }
}

/// What a run says of a test; `None` if it says nothing.
fn outcome(test: &TestRecord) -> Option<Outcome> {
    match test.verdict() {
        Verdict::Passed if test.is_flaky() => Some(Outcome::Flaky),
        Verdict::Passed => Some(Outcome::Passed),
        Verdict::Failed {
            kind: FailureKind::Interrupted | FailureKind::Inconclusive,
            ..
        }
        | Verdict::Skipped { .. } => None,
        Verdict::Failed { .. } => Some(Outcome::Failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(outcomes: &[Outcome]) -> Outcomes {
        let mut all = Outcomes::default();
        for (run, outcome) in outcomes.iter().enumerate() {
            all.add(*outcome, run as u64);
        }
        all
    }

    #[test]
    fn the_last_runs_are_kept_and_told() {
        use Outcome::{Failed, Flaky, Passed};
        assert_eq!(after(&[Passed, Passed]).in_words(), None);
        assert!(after(&[Passed, Failed]).failed_last());
        assert!(!after(&[Failed, Passed]).failed_last() && !after(&[Failed, Flaky]).failed_last());
        let told = |outcomes: &[Outcome]| after(outcomes).in_words().unwrap();
        assert_eq!(told(&[Failed]), "failed in its last run");
        assert_eq!(told(&[Flaky]), "passed on a retry in its last run");
        assert_eq!(
            told(&[Flaky, Passed]),
            "passed on a retry in 1 of the last 2 runs"
        );
        assert_eq!(
            told(&[Failed, Passed, Flaky]),
            "failed in 1 of the last 3 runs, passed on a retry in 1"
        );
        let long = [&[Failed; 3][..], &[Passed; 18], &[Failed]].concat();
        assert_eq!(told(&long), "failed in 2 of the last 20 runs");
    }
}
