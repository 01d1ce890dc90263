//! How likely it is that a test fails as often as it has lately, if it fails as it did before.

use serde::{Deserialize, Serialize};

use super::known::{Ended, Known, TestRun, percent};

/// How many of the newest runs are compared with those before, the one of now included.
const NEWEST: usize = 20;

/// So few runs before them say too little.
const FEWEST: usize = 10;

/// What happens more rarely is no chance.
const NO_CHANCE: f64 = 0.01;

/// How many of some runs did not pass at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Failures {
    /// How many failed, or passed only on a retry.
    pub failed: u32,
    /// How many runs there are.
    pub runs: u32,
}

/// What earlier runs say of how often a test fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Recorded {
    /// The newest runs.
    pub lately: Failures,
    /// Those before them.
    pub before: Failures,
}

/// A test that failed, measured by what was recorded of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Odds {
    /// The newest runs, with the one in which it failed.
    pub lately: Failures,
    /// Those before them.
    pub before: Failures,
    /// The probability that so many of the newest runs fail, or more, if the test fails as it did before.
    pub chance: f64,
    /// Whether that is so improbable that it fails more often than before.
    pub more_often: bool,
}

impl Failures {
    fn of(runs: &[TestRun<'_>]) -> Self {
        let failed = runs.iter().filter(|run| run.ended != Ended::Passed);
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            failed: count(failed.count()),
            runs: count(runs.len()),
        }
    }

    /// The rate by the rule of succession: what was seen a few times says little.
    fn rate(self) -> f64 {
        f64::from(self.failed + 1) / f64::from(self.runs + 2)
    }
}

impl Known<'_> {
    /// How often its runs on this topology failed lately, and before; `None` if there are too few of them.
    #[must_use]
    pub fn recorded(&self, on: &str) -> Option<Recorded> {
        let runs = self.runs_on(on);
        let lately = (NEWEST - 1).min(runs.len() / 2);
        let (before, lately) = runs.split_at(runs.len() - lately);
        (before.len() >= FEWEST).then(|| Recorded {
            lately: Failures::of(lately),
            before: Failures::of(before),
        })
    }
}

impl Odds {
    /// Those of a run in which the test failed, or passed only on a retry.
    #[must_use]
    pub fn of(recorded: Recorded) -> Self {
        let Recorded { lately, before } = recorded;
        let lately = Failures {
            failed: lately.failed + 1,
            runs: lately.runs + 1,
        };
        let chance = at_least(lately.failed, lately.runs, before.rate());
        Self {
            lately,
            before,
            chance,
            more_often: chance < NO_CHANCE,
        }
    }

    /// In words: `may be chance: 2 of its last 20 runs failed, 3 of 100 before (13.2 %)`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let Self { lately, before, .. } = self;
        let says = match self.more_often {
            true => "more often than before",
            false => "may be chance",
        };
        let chance = match self.chance {
            chance if chance < 0.0005 => "less than 0.1 %".to_owned(),
            chance => percent(chance),
        };
        format!(
            "{says}: {} of its last {} runs failed, {} of {} before ({chance})",
            lately.failed, lately.runs, before.failed, before.runs
        )
    }
}

/// The probability that at least so many of some runs fail if each fails at this rate.
fn at_least(failed: u32, runs: u32, rate: f64) -> f64 {
    // That none fails, then that one more does.
    let mut exactly = (1.0 - rate).powi(i32::try_from(runs).unwrap_or(i32::MAX));
    let mut fewer = 0.0;
    for number in 0..failed {
        fewer += exactly;
        exactly *= f64::from(runs - number) / f64::from(number + 1) * rate / (1.0 - rate);
    }
    (1.0 - fewer).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn odds(lately: (u32, u32), before: (u32, u32)) -> String {
        let failures = |(failed, runs)| Failures { failed, runs };
        Odds::of(Recorded {
            lately: failures(lately),
            before: failures(before),
        })
        .in_words()
    }

    #[test]
    fn the_chance_is_that_of_a_binomial_distribution() {
        let near = |chance: f64, expected: f64| (chance - expected).abs() < 1e-9;
        assert!(near(at_least(0, 10, 0.3), 1.0));
        assert!(near(at_least(1, 2, 0.5), 0.75));
        assert!(near(at_least(2, 2, 0.5), 0.25));
        assert!(near(at_least(2, 3, 0.1), 3.0 * 0.01 * 0.9 + 0.001));
    }

    #[test]
    fn a_failure_is_measured_by_what_was_before() {
        assert_eq!(
            odds((1, 19), (3, 100)),
            "may be chance: 2 of its last 20 runs failed, 3 of 100 before (18.4 %)"
        );
        assert_eq!(
            odds((5, 19), (3, 100)),
            "more often than before: 6 of its last 20 runs failed, 3 of 100 before (less than 0.1 %)"
        );
        assert!(odds((0, 10), (0, 10)).starts_with("may be chance: 1 of its last 11 runs"));
    }
}
