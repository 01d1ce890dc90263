//! Waiting for what only asking can tell.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

/// The pauses between two looks: they grow from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

/// How long one look may take.
const LOOK: Duration = Duration::from_secs(2);

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
        write!(f, "waited {waited:.1?} for {what}, in vain: {last}")
    }
}

/// Looks again and again until the answer is good, at most for `limit`.
pub(crate) async fn until<T, F: Future<Output = Result<T, String>>>(
    limit: Duration,
    what: &str,
    mut look: impl FnMut() -> F,
) -> Result<T, InVain> {
    let begun = Instant::now();
    let mut pause = PAUSES.0;
    loop {
        let last = match timeout(LOOK, look()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(why)) => why,
            Err(_) => format!("no answer within {LOOK:.1?}"),
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

/// Waits for a future, at most for `limit`.
pub(crate) async fn bound<T>(
    limit: Duration,
    what: &str,
    last: impl FnOnce() -> String,
    future: impl Future<Output = T>,
) -> Result<T, InVain> {
    timeout(limit, future).await.map_err(|_| InVain {
        what: what.to_owned(),
        waited: limit,
        last: last(),
    })
}
