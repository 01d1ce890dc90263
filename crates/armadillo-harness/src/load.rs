//! Writers that go on whatever a test does to a deployment, and what became of every write: how long nobody was acknowledged, what
//! failed and how, and whether all that was acknowledged is found afterwards.
//!
//! The crates of systems have clients that are such writers: `client.load(3)`. [`Load::start`] takes any other.

mod report;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::JoinSet;

pub use report::{Gap, LoadReport};

/// How long a writer waits after each answer: what is tested are the servers, not how much this machine can do at once.
pub const PAUSE: Duration = Duration::from_millis(10);

/// How long nothing may happen until somebody who waits for it gives up.
const STANDSTILL: Duration = Duration::from_secs(30);

/// Writers at work. Dropped, they are gone at once; [`stop`](Self::stop) lets them end what they have begun.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    writers: JoinSet<()>,
}

/// How far a load has come. It goes on to say so when the load is over.
#[derive(Clone, Debug)]
pub struct LoadProgress(Arc<Shared>);

/// Why a write was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwritten {
    /// Its kind, which must not depend on what was written: `HTTP 503, error 1429`.
    pub kind: String,
    /// Whether it may have been done nevertheless, now or later.
    pub may_be_done: bool,
}

/// Why a load did not go on, or has found something else than it was told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Nobody has acknowledged, or begun, a write for a long time.
    #[error("no write was {what} for {waited:.0?}: {summary}")]
    Standstill {
        /// What did not happen: `acknowledged`, `begun`.
        what: &'static str,
        /// For so long.
        waited: Duration,
        /// What became of the writes before, in one line.
        summary: String,
    },
    /// A writer has panicked.
    #[error("a writer has ended: {0}")]
    Writer(#[from] tokio::task::JoinError),
    /// Keys were acknowledged, and are not there.
    #[error("{} of {of} acknowledged writes are lost: {}", .keys.len(), .keys.join(", "))]
    Lost {
        /// The keys.
        keys: Vec<String>,
        /// How many were acknowledged.
        of: usize,
    },
    /// Keys are there that were surely not written.
    #[error("{} writes were refused, and are there: {}", .keys.len(), .keys.join(", "))]
    Unwanted {
        /// The keys.
        keys: Vec<String>,
    },
    /// It is not known whether a key is there.
    #[error("cannot read {key}: {why}")]
    Unread {
        /// The key.
        key: String,
        /// Why.
        why: String,
    },
}

/// What became of one write.
#[derive(Clone, Debug)]
struct Record {
    key: String,
    /// When that was known.
    at: Instant,
    /// Why it was not acknowledged, if it was not.
    failure: Option<Unwritten>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    known: Mutex<Known>,
    begun: Notify,
    acknowledged: Notify,
}

#[derive(Debug, Default)]
struct Known {
    records: Vec<Record>,
    in_flight: BTreeSet<String>,
    begun: usize,
    acknowledged: usize,
}

/// Tells the keys of several loads of a process apart.
static LOADS: AtomicU64 = AtomicU64::new(1);

impl Load {
    /// Starts so many writers. Each calls `write` with its number, counted from 0, and a key that no other write has, waits for the
    /// answer and for [`PAUSE`], and goes on. Keys are made of letters, digits and `-`.
    ///
    /// `write` must give up after a while by itself, must not repeat a write that may have been done, and says of one that was not
    /// acknowledged what is known of it.
    pub fn start<F, T, E>(
        writers: usize,
        write: impl Fn(usize, String) -> F + Clone + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: 'static,
        E: Into<Unwritten> + 'static,
    {
        let load = LOADS.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::<Shared>::default();
        let mut all = JoinSet::new();
        for writer in 0..writers {
            let (shared, write) = (shared.clone(), write.clone());
            all.spawn(async move {
                let mut number = 0_u64;
                while !shared.stop.load(Ordering::Relaxed) {
                    let key = format!("l{load}-w{writer}-{number}");
                    number += 1;
                    shared.begin(&key);
                    let written = write(writer, key.clone()).await;
                    shared.end(key, written.err().map(Into::into));
                    tokio::time::sleep(PAUSE).await;
                }
            });
        }
        Self {
            shared,
            writers: all,
        }
    }

    /// Waits until so many more writes have been acknowledged.
    ///
    /// # Errors
    /// When none is for half a minute.
    pub async fn acknowledges(&self, more: usize) -> Result<(), LoadError> {
        let goal = self.shared.known().acknowledged + more;
        let count = |known: &Known| known.acknowledged;
        self.wait("acknowledged", goal, count, &self.shared.acknowledged)
            .await
    }

    /// Waits until another write is begun, whether anybody acknowledges writes or not.
    ///
    /// # Errors
    /// When none is for half a minute.
    pub async fn goes_on(&self) -> Result<(), LoadError> {
        let goal = self.shared.known().begun + 1;
        let count = |known: &Known| known.begun;
        self.wait("begun", goal, count, &self.shared.begun).await
    }

    async fn wait(
        &self,
        what: &'static str,
        goal: usize,
        count: impl Fn(&Known) -> usize,
        news: &Notify,
    ) -> Result<(), LoadError> {
        let begun = Instant::now();
        loop {
            let next = news.notified();
            if count(&self.shared.known()) >= goal {
                return Ok(());
            }
            if tokio::time::timeout(STANDSTILL, next).await.is_err() {
                return Err(LoadError::Standstill {
                    what,
                    waited: STANDSTILL,
                    summary: self.shared.report(begun).to_string(),
                });
            }
        }
    }

    /// What readers beside the writers need to know.
    #[must_use]
    pub fn progress(&self) -> LoadProgress {
        LoadProgress(self.shared.clone())
    }

    /// What has become of all writes so far.
    #[must_use]
    pub fn report(&self) -> LoadReport {
        self.shared.report_of_all()
    }

    /// Does something, an operation on the deployment, say, and reports the writes that were answered meanwhile:
    /// `load.during(cluster.rolling_restart()).await`.
    pub async fn during<T>(&self, operation: impl IntoFuture<Output = T>) -> (T, LoadReport) {
        let begun = Instant::now();
        let outcome = operation.await;
        (outcome, self.shared.report(begun))
    }

    /// Lets every writer end its last write, and reports all of them.
    ///
    /// # Errors
    /// When a writer has panicked.
    pub async fn stop(mut self) -> Result<LoadReport, LoadError> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let mut report = self.report();
        while let Some(ended) = self.writers.join_next().await {
            ended?;
        }
        // Of the last writes it says what became of them, but nobody wrote without pause any more.
        report.extend(&self.report());
        Ok(report)
    }
}

impl LoadProgress {
    /// The key that was acknowledged last: who reads it now must find it.
    #[must_use]
    pub fn newest(&self) -> Option<String> {
        let known = self.0.known();
        let mut acknowledged = known.records.iter().rev();
        let newest = acknowledged.find(|record| record.failure.is_none());
        newest.map(|record| record.key.clone())
    }
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, key: &str) {
        let mut known = self.known();
        known.begun += 1;
        known.in_flight.insert(key.to_owned());
        drop(known);
        self.begun.notify_waiters();
    }

    fn end(&self, key: String, failure: Option<Unwritten>) {
        let mut known = self.known();
        known.in_flight.remove(&key);
        let is_acknowledged = failure.is_none();
        known.acknowledged += usize::from(is_acknowledged);
        known.records.push(Record {
            key,
            at: Instant::now(),
            failure,
        });
        drop(known);
        if is_acknowledged {
            self.acknowledged.notify_waiters();
        }
    }

    /// What was answered from then on until now.
    fn report(&self, from: Instant) -> LoadReport {
        let known = self.known();
        let records = known.records.iter().filter(|record| record.at >= from);
        LoadReport::new(
            from,
            Instant::now(),
            records.cloned().collect(),
            known.in_flight.clone(),
        )
    }

    /// What was answered from the first acknowledgement on.
    fn report_of_all(&self) -> LoadReport {
        let known = self.known();
        let now = Instant::now();
        let mut acknowledged = known.records.iter();
        let first = acknowledged.find(|record| record.failure.is_none());
        let from = first.map_or(now, |record| record.at);
        let (records, in_flight) = (known.records.clone(), known.in_flight.clone());
        LoadReport::new(from, now, records, in_flight)
    }
}
