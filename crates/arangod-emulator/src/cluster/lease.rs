//! How long a server may believe that nobody has put another one in its place.
//!
//! Supervision calls a server FAILED when it has heard nothing from it for the grace period, and
//! only then gives its shards to others. What supervision heard was sent before, so the time of
//! *sending* counts, by the monotonic clock, which goes on while a process stands still.
//!
//! A lease that has been interrupted does not come back: while it was, another server may have
//! been put in place. Whoever relied on it has to ask the agency again; the number of the lease
//! tells the new one from the old.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::Cluster;

/// The grace period of supervision, in seconds, where nobody has written down another.
const GRACE: f64 = 2.5;

/// Confirmed heartbeats without a gap.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lease {
    /// How many there were before, and this one.
    number: u64,
    /// When the last heartbeat that was confirmed was sent.
    sent: Option<Instant>,
}

impl Lease {
    /// Whether it holds at a time.
    fn holds(&self, now: Instant, length: Duration) -> bool {
        self.sent.is_some_and(|sent| now < sent + length)
    }

    /// The lease after another heartbeat was confirmed.
    fn renewed(self, sent: Instant, length: Duration) -> Self {
        Self {
            number: self.number + u64::from(!self.holds(sent, length)),
            sent: Some(sent),
        }
    }
}

impl Cluster {
    /// The grace period of supervision.
    pub(crate) fn grace(&self) -> Duration {
        let said = self.look("Emulator/Grace", |grace| grace.as_f64());
        let said = said.filter(|seconds| *seconds > 0.0 && *seconds < 1e6);
        Duration::from_secs_f64(said.unwrap_or(GRACE))
    }

    /// What is kept back of the grace period: a heartbeat may take so long to be heard.
    fn margin(&self) -> Duration {
        self.grace() / 5
    }

    /// Notes that a heartbeat was confirmed. One that took too long proves nothing.
    pub(super) fn renew_lease(&self, sent: Instant) {
        if sent.elapsed() < self.margin() {
            let length = self.grace() - self.margin();
            self.lease
                .send_modify(|lease| *lease = lease.renewed(sent, length));
        }
    }

    /// The number of the lease that holds now.
    pub(crate) fn lease(&self) -> Option<u64> {
        let lease = *self.lease.borrow();
        let length = self.grace() - self.margin();
        lease.holds(Instant::now(), length).then_some(lease.number)
    }

    /// Waits for a lease.
    pub(crate) async fn leased(&self) -> u64 {
        let mut renewed = self.lease.subscribe();
        loop {
            if let Some(number) = self.lease() {
                return number;
            }
            // The sender lives as long as the server. Nothing depends on the length of this wait.
            drop(timeout(Duration::from_secs(1), renewed.changed()).await);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_ends_a_lease_for_good() {
        let length = Duration::from_secs(2);
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        assert!(!Lease::default().holds(at(0), length));
        let first = Lease::default().renewed(at(0), length);
        assert!(first.holds(at(1), length) && !first.holds(at(2), length));
        let same = first.renewed(at(1), length);
        assert_eq!(same.number, first.number);
        assert!(same.holds(at(2), length));
        let other = same.renewed(at(3), length);
        assert_eq!(other.number, first.number + 1);
        assert!(other.holds(at(4), length));
    }
}
