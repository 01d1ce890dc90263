//! The fallback of every wait that no event can end: a short poll that grows.

use std::time::Duration;

use crate::deadline::Deadline;

/// Pauses that grow from a shortest to a longest, each a quarter longer than the one before: what is waited for is seen
/// at the latest when a quarter more than its own time has passed.
#[derive(Clone, Debug)]
pub struct Poll {
    shortest: Duration,
    longest: Duration,
    next: Duration,
}

impl Poll {
    /// A poll whose pauses grow from `shortest` to `longest`.
    #[must_use]
    pub fn new(shortest: Duration, longest: Duration) -> Self {
        Self {
            shortest,
            longest,
            next: shortest,
        }
    }

    /// Lets the next pause pass, or what is left until the deadline.
    pub async fn pause(&mut self, deadline: Deadline) {
        let pause = self.next;
        self.next = (pause + pause / 4).min(self.longest);
        tokio::time::sleep(pause.min(deadline.left())).await;
    }

    /// Starts again with the shortest pause: something has happened.
    pub fn reset(&mut self) {
        self.next = self.shortest;
    }
}
