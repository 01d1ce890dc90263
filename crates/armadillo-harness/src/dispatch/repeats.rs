//! `--repeat until-fail` and `--stress-for`: tests run again and again until one fails, or for a time.
//!
//! However often a test runs, the reports have one record of it: the repetition that failed first, or the last one. The others are
//! counted. It decides what is told and what runs again; it does no I/O, and time is an argument.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::event::{Repetitions, TestFinished};
use crate::options::{Running, Stress};

/// How often it is said how far the run is.
const PROGRESS: Duration = Duration::from_secs(2);

/// What follows the end of a repetition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Follows {
    /// Whether its end is an event, with everything that is known of it.
    pub(super) is_told: bool,
    /// Whether the test runs again.
    pub(super) again: bool,
    /// Whether it is time to say how far the run is.
    pub(super) progress: bool,
}

/// How a repetition ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It passed, at once or on a retry.
    Well {
        retried: bool,
    },
    Failed,
    /// It asked to be skipped.
    Skipped,
    /// It was cut off, because the run ends.
    CutOff,
}

/// One test.
#[derive(Debug, Default)]
struct Test {
    counts: Repetitions,
    /// An end of it was an event.
    told: bool,
    /// Its last repetition that was not told.
    last: Option<TestFinished>,
}

/// The repetitions of all tests of a run.
#[derive(Debug)]
pub(super) struct Repeats {
    stress: Stress,
    begun: Instant,
    said: Instant,
    tests: BTreeMap<usize, Test>,
}

impl Repeats {
    /// If tests are to run again and again.
    pub(super) fn of(running: &Running, now: Instant) -> Option<Self> {
        let stress = running.stress;
        stress.is_asked_for().then(|| Self {
            stress,
            begun: now,
            said: now,
            tests: BTreeMap::new(),
        })
    }

    /// The number of the repetition that runs next, from 1.
    pub(super) fn number(&self, test: usize) -> u64 {
        let counts = self.tests.get(&test).map(|test| test.counts);
        1 + counts.map_or(0, |counts| counts.all())
    }

    /// A repetition has ended, and no retry of it follows. `is_stopped`: no more tests are begun.
    pub(super) fn ended(
        &mut self,
        test: usize,
        how: Ended,
        now: Instant,
        is_stopped: bool,
    ) -> Follows {
        let known = self.tests.entry(test).or_default();
        let was_whole = known.counts.all() > 0;
        match how {
            Ended::Well { retried } => {
                known.counts.passed += 1;
                known.counts.flaky += u64::from(retried);
            }
            Ended::Failed => known.counts.failed += 1,
            // Neither says anything about the test.
            Ended::Skipped | Ended::CutOff => {}
        }
        let is_told = match how {
            Ended::Failed => !known.told,
            // What was cut off says nothing of a test that ran before.
            Ended::CutOff => !known.told && !was_whole,
            Ended::Well { .. } | Ended::Skipped => false,
        };
        known.told |= is_told;
        let is_over = match self.stress.limit {
            Some(limit) => now.duration_since(self.begun) >= limit,
            None => false,
        };
        let is_wanted = match how {
            Ended::Well { .. } => true,
            Ended::Failed => !self.stress.until_fail,
            Ended::Skipped | Ended::CutOff => false,
        };
        let progress = now.duration_since(self.said) >= PROGRESS;
        if progress {
            self.said = now;
        }
        Follows {
            is_told,
            again: is_wanted && !is_stopped && !is_over,
            progress,
        }
    }

    /// Keeps the end of a repetition that was not told.
    pub(super) fn keep(&mut self, test: usize, finished: TestFinished) {
        let known = self.tests.entry(test).or_default();
        if !known.told {
            known.last = Some(finished);
        }
    }

    /// The sum of all tests so far.
    pub(super) fn sum(&self) -> Repetitions {
        let mut sum = Repetitions::default();
        for test in self.tests.values() {
            sum.passed += test.counts.passed;
            sum.failed += test.counts.failed;
            sum.flaky += test.counts.flaky;
        }
        sum
    }

    /// The run is over: the ends that were not told, and the counts of all tests.
    pub(super) fn conclude(&mut self) -> (Vec<TestFinished>, BTreeMap<usize, Repetitions>) {
        let untold = self.tests.values_mut().filter(|test| !test.told);
        let last = untold.filter_map(|test| test.last.take()).collect();
        let counts = self.tests.iter().map(|(test, known)| (*test, known.counts));
        (last, counts.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Verdict;
    use crate::report::sample;

    fn repeats(until_fail: bool, limit_ms: Option<u64>) -> (Repeats, Instant) {
        let now = Instant::now();
        let stress = Stress {
            until_fail,
            limit: limit_ms.map(Duration::from_millis),
        };
        let running = Running {
            stress,
            ..Running::default()
        };
        (Repeats::of(&running, now).unwrap(), now)
    }

    const WELL: Ended = Ended::Well { retried: false };

    fn passes(repeats: &mut Repeats, test: usize, now: Instant) -> bool {
        let follows = repeats.ended(test, WELL, now, false);
        assert!(!follows.is_told);
        let finished = sample::ends(repeats.number(test), "a", Verdict::Passed, "");
        repeats.keep(test, finished);
        follows.again
    }

    #[test]
    fn it_goes_on_until_a_test_fails_or_the_time_is_over() {
        let (mut until, now) = repeats(true, None);
        for number in 1..100 {
            assert_eq!(until.number(0), number);
            assert!(passes(&mut until, 0, now));
        }
        let failed = until.ended(0, Ended::Failed, now, false);
        assert!(failed.is_told && !failed.again);
        let (mut limited, now) = repeats(false, Some(100));
        assert!(!limited.ended(0, Ended::Failed, now, true).again);
        assert!(limited.ended(0, Ended::Failed, now, false).again);
        assert!(passes(&mut limited, 0, now + Duration::from_millis(99)));
        assert!(!passes(&mut limited, 0, now + Duration::from_millis(100)));
        assert!(Repeats::of(&Running::default(), now).is_none());
    }

    #[test]
    fn each_test_has_one_record_and_all_its_repetitions_count() {
        let (mut repeats, now) = repeats(false, Some(1_000));
        passes(&mut repeats, 0, now);
        passes(&mut repeats, 1, now);
        passes(&mut repeats, 0, now);
        // The first failure is told, and nothing after it.
        assert!(repeats.ended(1, Ended::Failed, now, false).is_told);
        assert!(!repeats.ended(1, Ended::Failed, now, false).is_told);
        passes(&mut repeats, 1, now);
        repeats.ended(1, Ended::Well { retried: true }, now, false);
        // One that never came to its end is told as cut off, others are not.
        assert!(!repeats.ended(0, Ended::CutOff, now, true).is_told);
        assert!(repeats.ended(2, Ended::CutOff, now, true).is_told);
        let sum = Repetitions {
            passed: 5,
            failed: 2,
            flaky: 1,
        };
        assert_eq!(repeats.sum(), sum);
        let (last, counts) = repeats.conclude();
        // The last one of the test that always passed.
        assert_eq!(
            last.iter()
                .map(|ended| ended.times.total)
                .collect::<Vec<_>>(),
            [3]
        );
        assert_eq!(counts[&0].passed, 2);
        assert_eq!(counts[&1].all(), 5);
        assert_eq!(counts[&2].all(), 0);
    }

    #[test]
    fn a_skipped_test_counts_for_nothing_and_does_not_run_again() {
        let (mut repeats, now) = repeats(true, None);
        passes(&mut repeats, 0, now);
        let follows = repeats.ended(1, Ended::Skipped, now, false);
        assert!(!follows.again && !follows.is_told);
        let skipped = Verdict::Skipped {
            reason: "no".to_owned(),
        };
        repeats.keep(1, sample::ends(7, "b", skipped, ""));
        assert_eq!((repeats.sum().all(), repeats.sum().passed), (1, 1));
        let (last, counts) = repeats.conclude();
        assert_eq!((last.len(), counts[&1].all()), (2, 0));
    }

    #[test]
    fn progress_is_said_now_and_then() {
        let (mut repeats, now) = repeats(true, None);
        let mut at = |ms: u64| {
            let later = now + Duration::from_millis(ms);
            repeats.ended(0, WELL, later, false).progress
        };
        assert_eq!(
            [at(1), at(1_999), at(2_000), at(2_001), at(5_000)],
            [false, false, true, false, true]
        );
    }
}
