//! Durations as numbers, for messages and files, and as they are written.

mod grammar;

use std::time::Duration;

pub use grammar::parse_millis;

/// Whole microseconds; the most there are, if it is longer than those can say.
#[must_use]
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A duration with a factor; the longest there is, if it is longer than that.
#[must_use]
pub fn times(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(if factor > 0.0 {
        Duration::MAX
    } else {
        Duration::ZERO
    })
}

/// Whole milliseconds; the most there are, if it is longer than those can say.
#[must_use]
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_factor_is_too_much() {
        let second = Duration::from_secs(1);
        assert_eq!(times(second, 0.5), Duration::from_millis(500));
        assert_eq!(times(second, 1e20), Duration::MAX);
        assert_eq!(times(second, f64::NAN), Duration::ZERO);
    }
}
