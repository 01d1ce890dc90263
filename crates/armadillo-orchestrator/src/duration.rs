//! Durations as numbers, for messages and files.

use std::time::Duration;

/// Whole microseconds; the most there are, if it is longer than those can say.
#[must_use]
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Whole milliseconds; the most there are, if it is longer than those can say.
#[must_use]
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
