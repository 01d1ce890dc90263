//! Readers beside the writers of a [`Load`], and a look for what those were told.
//!
//! A write is acknowledged, or it is not known what became of it, or it was surely not done. Only the first kind must be
//! found afterwards; only the first two kinds may be.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use armadillo::etcd::KeyValue;
use armadillo::load::{Load, LoadProgress, LoadReport};
use armadillo::prelude::*;
use tokio::task::JoinSet;

/// How long a reader waits for one answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a reader waits after each answer.
const PAUSE: Duration = Duration::from_millis(10);

/// What the keys of writers begin with.
pub(crate) const KEYS: &str = "l";

/// Readers at work: each reads at one member, linearizably, what was acknowledged just before.
pub(crate) struct Readers {
    stop: Arc<AtomicBool>,
    readers: JoinSet<TestResult<usize>>,
}

impl Readers {
    /// Starts one at each member.
    pub(crate) fn start(client: &EtcdClient, load: &Load) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let mut readers = JoinSet::new();
        for member in client.servers() {
            let one = client.at(&member).unwrap_or_else(|_| client.clone());
            let one = one.with_limit(PATIENCE);
            readers.spawn(read(load.progress(), stop.clone(), one));
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

/// One reader; how many answers it got. No answer says nothing.
async fn read(load: LoadProgress, stop: Arc<AtomicBool>, client: EtcdClient) -> TestResult<usize> {
    let mut answers = 0;
    while !stop.load(Ordering::Relaxed) {
        tokio::time::sleep(PAUSE).await;
        let Some(key) = load.newest() else {
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

/// Looks for every acknowledged key, and for keys that should not be there. Each was written once.
pub(crate) async fn is_kept_by(report: &LoadReport, client: &EtcdClient) -> TestResult {
    let found = client.list(KEYS).await?.into_iter();
    let found: BTreeMap<String, KeyValue> = found.map(|found| (found.key.clone(), found)).collect();
    let is_there = async |key: &str| match found.get(key) {
        Some(found) if found.version != 1 || found.text() != key => {
            Err(format!("it was written more than once: {found:?}"))
        }
        found => Ok(found.is_some()),
    };
    Ok(report.check(is_there).await?)
}
