//! The end of a wait: every wait has one.

use std::time::{Duration, Instant};

/// The moment a wait ends. Made from an [`Instant`], or from a [`Duration`] counted from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

/// What stands for "for ever": far enough away, and safe to add to.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

impl Deadline {
    /// `limit` from now.
    #[must_use]
    pub fn after(limit: Duration) -> Self {
        let now = Instant::now();
        Self(now.checked_add(limit.min(LONGEST)).unwrap_or(now))
    }

    /// The moment itself.
    #[must_use]
    pub fn at(self) -> Instant {
        self.0
    }

    /// What is left; zero when it has passed.
    #[must_use]
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn passed(self) -> bool {
        self.left().is_zero()
    }

    /// This one, or `limit` from now, whichever comes first.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        self.min(Self::after(limit))
    }

    /// Waits for `future` until the deadline; `None` if it was not done by then.
    pub async fn bound<F: Future>(self, future: F) -> Option<F::Output> {
        tokio::time::timeout_at(self.0.into(), future).await.ok()
    }
}

impl From<Instant> for Deadline {
    fn from(at: Instant) -> Self {
        Self(at)
    }
}

impl From<Duration> for Deadline {
    fn from(limit: Duration) -> Self {
        Self::after(limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_never_lengthens_a_deadline() {
        let soon = Deadline::after(Duration::from_secs(1));
        assert_eq!(soon.within(Duration::from_secs(60)), soon);
        assert!(soon.within(Duration::ZERO).passed());
        assert!(!Deadline::after(Duration::MAX).passed());
    }
}
