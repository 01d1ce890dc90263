//! Waiting for what only asking can tell.

use std::fmt;
use std::time::Duration;

use armadillo_orchestrator::Deadline;
use armadillo_orchestrator::duration::times;
use tokio::time::{Instant, sleep, timeout};

/// The pauses between two looks: they grow from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

/// How long one look may take, before the factor.
const LOOK: Duration = Duration::from_secs(2);

/// How long a round waits for things.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits {
    /// How long each step may take.
    limit: Duration,
    /// What limits are multiplied with: how much slower the machine is than one with time to spare.
    factor: f64,
    /// When all must be over.
    end: Deadline,
}

impl Waits {
    /// Steps of this limit, before the factor.
    pub(crate) fn new(limit: Duration, factor: f64, end: Deadline) -> Self {
        Self {
            limit: times(limit, factor),
            factor,
            end,
        }
    }

    /// How long this takes on a machine as slow as this one.
    pub(crate) fn slowed(&self, time: Duration) -> Duration {
        times(time, self.factor)
    }

    /// What is left until all must be over.
    pub(crate) fn left(&self) -> Duration {
        self.end.left()
    }

    /// How long the next step may take.
    pub(crate) fn step(&self) -> Duration {
        self.limit.min(self.left())
    }

    /// Whether more time would have been given, had there been more.
    pub(crate) fn cut_short(&self, vain: &InVain) -> bool {
        self.end.passed() && vain.waited < self.limit
    }
}

/// A wait that did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InVain {
    /// For what it was waited.
    pub(crate) what: String,
    /// How long.
    pub(crate) waited: Duration,
    /// What the last look showed.
    pub(crate) last: String,
}

impl fmt::Display for InVain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, waited, last } = self;
        write!(f, "timed out after {waited:.1?} waiting for {what}: {last}")
    }
}

/// Looks again and again until the answer is good, at most for a step.
pub(crate) async fn until<T, F: Future<Output = Result<T, String>>>(
    waits: &Waits,
    what: &str,
    mut look: impl FnMut() -> F,
) -> Result<T, InVain> {
    let (limit, one) = (waits.step(), waits.slowed(LOOK));
    let begun = Instant::now();
    let mut pause = PAUSES.0;
    loop {
        let last = match timeout(one, look()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(why)) => why,
            Err(_) => format!("no response within {one:.1?}"),
        };
        if begun.elapsed() >= limit {
            return Err(InVain {
                what: what.to_owned(),
                waited: begun.elapsed(),
                last,
            });
        }
        sleep(pause).await;
        pause = (pause + pause / 4).min(PAUSES.1);
    }
}

/// Waits for a future, at most for a step.
pub(crate) async fn bound<T>(
    waits: &Waits,
    what: &str,
    last: impl FnOnce() -> String,
    future: impl Future<Output = T>,
) -> Result<T, InVain> {
    let limit = waits.step();
    timeout(limit, future).await.map_err(|_| InVain {
        what: what.to_owned(),
        waited: limit,
        last: last(),
    })
}
