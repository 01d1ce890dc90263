//! One clock for all processes of a run: microseconds since the run's start, on the machine's monotonic clock.

use std::time::Instant;

use armadillo_orchestrator::duration::micros;
use serde::{Deserialize, Serialize};

/// The start of a run. It crosses process boundaries: the monotonic clock is the machine's, not the process's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Origin(u64);

impl Origin {
    /// This moment.
    #[must_use]
    pub fn now() -> Self {
        Self(monotonic_us())
    }

    /// The moment that the machine's clock shows as `us`.
    #[cfg(test)]
    pub(crate) fn at(us: u64) -> Self {
        Self(us)
    }

    /// Microseconds since then.
    #[must_use]
    pub fn elapsed_us(self) -> u64 {
        monotonic_us().saturating_sub(self.0)
    }

    /// A moment that another clock shows as `us`; 0 if it was before this one began.
    #[must_use]
    pub fn us_of(self, other: Self, us: u64) -> u64 {
        (other.0 + us).saturating_sub(self.0)
    }

    /// Microseconds from then to a moment of the past.
    #[must_use]
    pub fn us_at(self, moment: Instant) -> u64 {
        let ago = micros(moment.elapsed());
        self.elapsed_us().saturating_sub(ago)
    }
}

/// Microseconds of the machine's monotonic clock.
pub(crate) fn monotonic_us() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes one `timespec`, and has one of ours to write to. It cannot fail: this clock is everywhere.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds * 1_000_000 + nanoseconds / 1000
}
