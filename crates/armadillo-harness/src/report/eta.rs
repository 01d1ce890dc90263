//! How long a run will go on, by what its tests took in earlier runs.

use std::collections::HashMap;

use crate::event::{PlannedTest, RunStarted};

/// Below this it is not worth a number.
const SOON_US: u64 = 10_000_000;

/// What is left of a run whose durations are known.
pub(super) struct Eta {
    /// When the run was forecast to end, in microseconds from its start.
    whole_us: u64,
    /// How long its tests take, one after the other.
    tests_us: u64,
    /// The same of those that have not ended, and each of them.
    left_us: u64,
    left: HashMap<String, u64>,
}

impl Eta {
    /// That of a run that begins; nothing if too little is known of it.
    pub(super) fn of(started: &RunStarted) -> Option<Self> {
        let whole_us = started.expected_us?;
        let known = started.tests.iter().filter_map(|test| test.expected_us);
        let (count, sum) = known.fold((0, 0), |(count, sum), us| {
            (count + 1, u64::saturating_add(sum, us))
        });
        let usual = sum.checked_div(count)?;
        let takes = |test: &PlannedTest| (test.test.clone(), test.expected_us.unwrap_or(usual));
        let left: HashMap<String, u64> = started.tests.iter().map(takes).collect();
        let tests_us = left.values().copied().fold(0, u64::saturating_add);
        Some(Self {
            whole_us,
            tests_us,
            left_us: tests_us,
            left,
        })
    }

    /// A test ended for good.
    pub(super) fn ended(&mut self, test: &str) {
        let took = self.left.remove(test).unwrap_or_default();
        self.left_us = self.left_us.saturating_sub(took);
    }

    /// How long it will go on, in words: `about 40 s left`. The running tests come with how long they have run, in microseconds.
    pub(super) fn left<'a>(&self, running: impl Iterator<Item = (&'a str, u64)>) -> Option<String> {
        if self.left.is_empty() {
            return None;
        }
        let (mut done_us, mut longest_us) = (0_u64, 0);
        for (test, ran_us) in running {
            let takes = self.left.get(test).copied().unwrap_or_default();
            done_us = done_us.saturating_add(takes.min(ran_us));
            longest_us = longest_us.max(takes.saturating_sub(ran_us));
        }
        let rest_us = u128::from(self.left_us.saturating_sub(done_us));
        // Tests run side by side, as far as the forecast says; but none of them ends before its time.
        let rest_us = rest_us * u128::from(self.whole_us) / u128::from(self.tests_us.max(1));
        let rest_us = u64::try_from(rest_us).unwrap_or(u64::MAX).max(longest_us);
        Some(match rest_us {
            0..SOON_US => "a few seconds left".to_owned(),
            SOON_US..120_000_000 => {
                format!("about {} s left", rest_us.div_ceil(5_000_000) * 5)
            }
            _ => format!("about {} min left", rest_us.div_ceil(60_000_000)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{planned, started};
    use super::*;

    /// A run of three tests at once, one of which nobody knows.
    fn eta() -> Eta {
        let test = |name: &str, seconds: Option<u64>| PlannedTest {
            expected_us: seconds.map(|seconds| seconds * 1_000_000),
            ..planned(name, &[], None)
        };
        let tests = [("a", Some(30)), ("b", Some(90)), ("new", None)];
        let tests = tests.map(|(name, seconds)| test(name, seconds));
        let mut run = started(tests.to_vec(), 0);
        run.expected_us = Some(90_000_000);
        Eta::of(&run).unwrap()
    }

    fn left(eta: &Eta, running: &[(&str, u64)]) -> String {
        let running = running.iter().map(|(test, ran)| (*test, ran * 1_000_000));
        eta.left(running).unwrap_or_default()
    }

    #[test]
    fn what_is_left_shrinks_as_tests_run_and_end() {
        let mut eta = eta();
        assert_eq!(left(&eta, &[]), "about 90 s left");
        assert_eq!(
            left(&eta, &[("a", 30), ("b", 30), ("new", 30)]),
            "about 60 s left"
        );
        eta.ended("a");
        eta.ended("new");
        // Half of it, if it could be shared; but one test cannot.
        assert_eq!(left(&eta, &[("b", 45)]), "about 45 s left");
        assert_eq!(left(&eta, &[("b", 85)]), "a few seconds left");
        assert_eq!(left(&eta, &[("b", 900)]), "a few seconds left");
        eta.ended("b");
        assert_eq!(left(&eta, &[]), "");
        eta.ended("nobody knows this one");
    }

    #[test]
    fn long_runs_are_told_in_minutes() {
        let mut eta = eta();
        eta.whole_us = 600_000_000;
        assert_eq!(left(&eta, &[]), "about 10 min left");
    }

    #[test]
    fn of_a_run_that_nobody_knows_nothing_is_said() {
        let unknown = started(vec![planned("a", &[], None)], 0);
        assert!(Eta::of(&unknown).is_none());
        let mut no_durations = unknown;
        no_durations.expected_us = Some(5);
        assert!(Eta::of(&no_durations).is_none());
    }
}
