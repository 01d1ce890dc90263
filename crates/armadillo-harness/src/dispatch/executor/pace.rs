//! How much is sent ahead to a worker, so that it goes from one short test to the next without waiting for the runner.
//!
//! No clock and no state of the run: durations in, a number out.

use std::time::Duration;

/// A test that took longer, or is expected to, is not short: it is not sent ahead, and neither are the tests behind it.
pub(in crate::dispatch) const SHORT: Duration = Duration::from_millis(1);

/// How much work waits in a worker at most.
const WORK: Duration = Duration::from_millis(4);

/// How many tests wait there at most.
const MOST: usize = 100;

/// Longer tests count as this long: after about fifteen short ones they no longer matter.
const LONG: Duration = Duration::from_millis(8);

/// Each test counts as at least this long: its fixed cost.
const LEAST: Duration = Duration::from_micros(20);

/// What the tests of one slot took so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// The expected duration of the next test: the longest recent one, reduced by an eighth with each test.
    each: Option<Duration>,
}

/// The work that is left in a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    /// The tests that no slot has yet.
    pub(super) tests: usize,
    /// Those that wait in the worker already.
    pub(super) waiting: usize,
    /// The slots of the run.
    pub(super) slots: usize,
}

impl Pace {
    /// A test took this long.
    pub(super) fn took(&mut self, time: Duration) {
        let faded = self.each.map_or(Duration::ZERO, |each| each - each / 8);
        self.each = Some(faded.max(time.min(LONG)));
    }

    /// How many more tests to send now. Zero until half have begun, because each message costs a wake-up.
    pub(super) fn more(self, left: Left) -> usize {
        let Some(each) = self.each.filter(|each| *each <= SHORT) else {
            return 0;
        };
        let within = WORK.as_micros() / each.max(LEAST).as_micros();
        let within = usize::try_from(within).unwrap_or(MOST).min(MOST);
        // Leave as much for the other slots.
        let share = match left.slots {
            0 | 1 => left.tests,
            slots => left.tests / (2 * slots),
        };
        if left.waiting > within / 2 {
            return 0;
        }
        (within - left.waiting).min(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(tests: usize) -> Left {
        Left {
            tests,
            waiting: 0,
            slots: 1,
        }
    }

    fn after(times: &[u64]) -> Pace {
        let mut pace = Pace::default();
        for time in times {
            pace.took(Duration::from_micros(*time));
        }
        pace
    }

    #[test]
    fn nothing_is_sent_ahead_before_a_test_was_seen_to_be_short() {
        assert_eq!(Pace::default().more(left(1000)), 0);
        assert_eq!(after(&[1_001]).more(left(1000)), 0);
        assert_eq!(after(&[1_000]).more(left(1000)), 4);
        assert_eq!(after(&[5]).more(left(1000)), 100);
    }

    #[test]
    fn a_long_test_ends_it_at_once_and_a_few_short_ones_bring_it_back() {
        let mut pace = after(&[10, 10, 3_600_000_000]);
        let needed = (0..100).find(|_| {
            pace.took(Duration::from_micros(10));
            pace.more(left(1000)) > 0
        });
        assert_eq!(needed, Some(15));
    }

    #[test]
    fn no_more_work_waits_than_is_said_and_no_slot_takes_what_others_could_do() {
        for each in [0, 1, 19, 20, 77, 500, 999, 1_000, 1_001, 5_000] {
            for tests in [0, 1, 3, 4, 50, 10_000] {
                for slots in [0, 1, 2, 7, 500] {
                    for waiting in 0..150 {
                        let left = Left {
                            tests,
                            waiting,
                            slots,
                        };
                        let more = after(&[each]).more(left);
                        assert!(more <= tests, "{each} {left:?}");
                        if more > 0 {
                            assert!(waiting + more <= MOST, "{each} {left:?}");
                            let work = each * (waiting + more) as u64;
                            assert!(work <= WORK.as_micros() as u64, "{each} {left:?}");
                            assert!(slots < 2 || more * 2 * slots <= tests, "{each} {left:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn more_is_sent_when_half_of_it_has_begun() {
        let pace = after(&[40]);
        let with = |waiting| {
            pace.more(Left {
                tests: 1000,
                waiting,
                slots: 1,
            })
        };
        assert_eq!(with(0), 100);
        assert_eq!(with(51), 0);
        assert_eq!(with(50), 50);
    }
}
