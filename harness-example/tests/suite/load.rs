//! Writers and readers that go on whatever happens, and a ledger of what writers were told: the other half of every test of a failure.
//!
//! A write is acknowledged, or it is not known what became of it, or it was surely not done. Only the first kind must be
//! found afterwards; only the first two kinds may be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use armadillo::prelude::*;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// How long a writer waits for one answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// With no write begun for so long, nobody is writing.
const STANDSTILL: Duration = Duration::from_secs(30);

/// How long a writer waits after each answer: what is tested are the servers, not how much this machine can do at once.
const PAUSE: Duration = Duration::from_millis(10);

/// Writers at work.
pub(crate) struct Load {
    shared: Arc<Shared>,
    writers: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    ledger: Mutex<Ledger>,
    begun: Notify,
    acknowledged: Notify,
}

/// Readers at work: each reads at one member, linearizably, what was acknowledged just before.
pub(crate) struct Readers {
    stop: Arc<AtomicBool>,
    readers: JoinSet<TestResult<usize>>,
}

/// What became of each key. Each is written once, with its own name as its value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) in_flight: BTreeSet<String>,
    pub(crate) acknowledged: BTreeMap<String, u64>,
    pub(crate) unknown: BTreeSet<String>,
    pub(crate) refused: BTreeSet<String>,
    /// What was acknowledged last.
    newest: Option<String>,
    last: Option<Instant>,
    /// The longest time between two acknowledgements.
    pub(crate) longest_gap: Duration,
}

impl Load {
    /// Starts so many writers, by turns at each member.
    pub(crate) fn start(client: &EtcdClient, writers: usize) -> Self {
        let shared = Arc::<Shared>::default();
        let mut load = Self {
            shared: shared.clone(),
            writers: JoinSet::new(),
        };
        let members = client.servers();
        for (number, member) in (0..writers).zip(members.iter().cycle()) {
            let first = client.at(member).unwrap_or_else(|_| client.clone());
            let others = client.with_limit(PATIENCE);
            let first = first.with_limit(PATIENCE);
            load.writers
                .spawn(write(shared.clone(), number, first, others));
        }
        load
    }

    /// Waits until so many more writes have been acknowledged.
    pub(crate) async fn acknowledges(&self, more: usize) {
        let goal = self.ledger().acknowledged.len() + more;
        loop {
            let news = self.shared.acknowledged.notified();
            if self.ledger().acknowledged.len() >= goal {
                return;
            }
            news.await;
        }
    }

    /// Waits until another write is begun, whether anybody acknowledges writes or not.
    pub(crate) async fn goes_on(&self) -> TestResult {
        let begun = self.ledger().attempts();
        let another = async {
            loop {
                let news = self.shared.begun.notified();
                if self.ledger().attempts() > begun {
                    return;
                }
                news.await;
            }
        };
        let waited = tokio::time::timeout(STANDSTILL, another).await;
        Ok(waited.map_err(|_| format!("nobody has begun a write for {STANDSTILL:?}"))?)
    }

    /// What is known right now.
    pub(crate) fn ledger(&self) -> Ledger {
        self.shared.ledger().clone()
    }

    /// Lets every writer end its last write.
    pub(crate) async fn stop(mut self) -> TestResult<Ledger> {
        self.shared.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.writers.join_next().await {
            ended?;
        }
        Ok(self.ledger())
    }
}

impl Readers {
    /// Starts one at each member.
    pub(crate) fn start(client: &EtcdClient, load: &Load) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let mut readers = JoinSet::new();
        for member in client.servers() {
            let one = client.at(&member).unwrap_or_else(|_| client.clone());
            let one = one.with_limit(PATIENCE);
            readers.spawn(read(load.shared.clone(), stop.clone(), one));
        }
        Self { stop, readers }
    }

    /// Lets every reader end its last read; fails if one was stale. A line for a report.
    pub(crate) async fn stop(mut self) -> TestResult<String> {
        self.stop.store(true, Ordering::Relaxed);
        let mut answers = 0;
        while let Some(ended) = self.readers.join_next().await {
            answers += ended??;
        }
        Ok(format!("{answers} reads, none stale\n"))
    }
}

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One writer. It begins at a member of its own, and goes to whichever answers when that one fails.
async fn write(shared: Arc<Shared>, writer: usize, first: EtcdClient, others: EtcdClient) {
    let mut client = first;
    for number in 0.. {
        if shared.stop.load(Ordering::Relaxed) {
            return;
        }
        tokio::time::sleep(PAUSE).await;
        let key = format!("writer-{writer}/{number}");
        shared.ledger().in_flight.insert(key.clone());
        shared.begun.notify_waiters();
        let outcome = client.put(&key, &key).await;
        let mut ledger = shared.ledger();
        ledger.in_flight.remove(&key);
        match outcome {
            Ok(revision) => {
                ledger.acknowledges(key, revision);
                shared.acknowledged.notify_waiters();
            }
            Err(error) => {
                client = others.clone();
                if error.is_unknown() {
                    ledger.unknown.insert(key);
                } else {
                    ledger.refused.insert(key);
                }
            }
        }
    }
}

/// One reader; how many answers it got. No answer says nothing.
async fn read(shared: Arc<Shared>, stop: Arc<AtomicBool>, client: EtcdClient) -> TestResult<usize> {
    let mut answers = 0;
    while !stop.load(Ordering::Relaxed) {
        tokio::time::sleep(PAUSE).await;
        let newest = shared.ledger().newest.clone();
        let Some(key) = newest else {
            continue;
        };
        if let Ok(found) = client.get(&key).await {
            if found.is_none() {
                return Err(
                    format!("{client:?} reads nothing at {key}, which was acknowledged").into(),
                );
            }
            answers += 1;
        }
    }
    Ok(answers)
}

impl Ledger {
    fn acknowledges(&mut self, key: String, revision: u64) {
        let now = Instant::now();
        let gap = self.last.map_or(Duration::ZERO, |last| now - last);
        self.longest_gap = self.longest_gap.max(gap);
        self.last = Some(now);
        self.newest = Some(key.clone());
        self.acknowledged.insert(key, revision);
    }

    /// How many writes were begun, whatever became of them.
    pub(crate) fn attempts(&self) -> usize {
        let answered = self.acknowledged.len() + self.unknown.len() + self.refused.len();
        self.in_flight.len() + answered
    }

    /// Looks for every acknowledged key, one by one, and for keys that should not be there.
    pub(crate) async fn is_kept_by(&self, client: &EtcdClient) -> TestResult {
        for key in self.acknowledged.keys() {
            let found = client.get(key).await?;
            let found = found.ok_or_else(|| format!("{key} was acknowledged, and is lost"))?;
            assert_eq!(found.text(), *key);
            assert_eq!(found.version, 1, "{key} was written more than once");
        }
        for found in client.list("writer-").await? {
            assert!(
                !self.refused.contains(&found.key),
                "{} was refused, and is there",
                found.key
            );
        }
        Ok(())
    }

    /// For a report.
    pub(crate) fn summary(&self) -> String {
        format!(
            "{} acknowledged, {} unknown, {} refused, longest gap {:.3?}\n",
            self.acknowledged.len(),
            self.unknown.len(),
            self.refused.len(),
            self.longest_gap
        )
    }
}
