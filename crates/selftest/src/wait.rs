//! Waiting for something that tells nobody when it has happened.

use std::time::{Duration, Instant};

/// Longer than anything here takes on the slowest machine.
pub const LIMIT: Duration = Duration::from_secs(120);

/// Looks until `look` finds something, at most for `limit`.
pub fn until<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        pause(Duration::from_millis(2));
    }
}

/// Lets time pass: between two looks, or up to a random moment.
#[expect(
    clippy::disallowed_methods,
    reason = "what other processes leave behind can only be looked for; the one place that polls"
)]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}
