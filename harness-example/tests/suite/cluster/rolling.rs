//! Every server of a cluster in turn, restarted or upgraded, while documents are written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use armadillo::orchestrator::{Deadline, Poll};
use armadillo::prelude::*;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// Two versions of the emulator. To upgrade a real ArangoDB, write the paths of two programs.
const OLD: &str = "emulator@3.11.14";
const NEW: &str = "emulator@3.12.4";

/// How long a write may take before its outcome is unknown.
const PATIENCE: Duration = Duration::from_secs(2);

/// A writer that never stops, and what it was told.
struct Writer {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    task: JoinHandle<Told>,
}

#[derive(Default)]
struct Told {
    acknowledged: Vec<String>,
    /// Requests that failed, by what was said.
    failed: BTreeMap<String, usize>,
    /// The longest time between two acknowledgements.
    longest_gap: Duration,
}

impl Writer {
    fn start(docs: &Collection) -> Self {
        let (stop, acknowledged) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let hasty = docs.database().client().with_limit(PATIENCE);
        let docs = hasty
            .database(docs.database().name())
            .collection(docs.name());
        let task = tokio::spawn(write(docs, stop.clone(), acknowledged.clone()));
        Self {
            stop,
            acknowledged,
            task,
        }
    }

    /// Waits until something more was acknowledged.
    async fn goes_on(&self) {
        let goal = self.acknowledged.load(Ordering::Relaxed) + 10;
        let mut poll = Poll::new(Duration::from_millis(2), Duration::from_millis(50));
        while self.acknowledged.load(Ordering::Relaxed) < goal {
            poll.pause(Deadline::after(PATIENCE)).await;
        }
    }

    async fn stop(self) -> TestResult<Told> {
        self.stop.store(true, Ordering::Relaxed);
        Ok(self.task.await?)
    }
}

async fn write(docs: Collection, stop: Arc<AtomicBool>, count: Arc<AtomicUsize>) -> Told {
    let mut told = Told::default();
    let mut pauses = Poll::new(Duration::from_millis(5), Duration::from_millis(100));
    let mut last = Instant::now();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let key = format!("k{number}");
        match docs.insert(&json!({ "_key": key })).await {
            Ok(_) => {
                told.acknowledged.push(key);
                told.longest_gap = told.longest_gap.max(last.elapsed());
                last = Instant::now();
                count.fetch_add(1, Ordering::Relaxed);
                pauses.reset();
            }
            Err(error) => {
                let kind = match (error.status(), error.number()) {
                    (Some(status), Some(number)) => format!("HTTP {status}, error {number}"),
                    _ => "no answer".to_owned(),
                };
                *told.failed.entry(kind).or_default() += 1;
                // Whoever is asked is being restarted.
                pauses.pause(Deadline::after(PATIENCE)).await;
            }
        }
    }
    told
}

impl Told {
    fn summary(&self) -> String {
        format!(
            "{} acknowledged, longest gap {:.3?}, failed: {:?}\n",
            self.acknowledged.len(),
            self.longest_gap,
            self.failed
        )
    }

    async fn is_kept_by(&self, docs: &Collection) -> TestResult {
        for keys in self.acknowledged.chunks(1_000) {
            for (key, found) in keys.iter().zip(docs.get_many::<Value>(keys).await?) {
                assert!(found?.is_some(), "{key} was acknowledged, and is lost");
            }
        }
        Ok(())
    }
}

/// Agents, then dbservers, whose shards others lead before they are stopped, then the coordinator, during whose absence nobody
/// answers.
#[armadillo::test(
    cluster(replication_factor = 2),
    markers(slow, crash_test, failover),
    timeout = "3m"
)]
async fn a_rolling_restart_loses_nothing(
    cluster: Exclusive<Cluster>,
    db: Database,
    cx: TestContext,
) -> TestResult {
    let docs = db.create_collection("docs").shards(3).await?;
    let writer = Writer::start(&docs);
    writer.goes_on().await;
    let restarted = cluster.rolling_restart().await?;
    writer.goes_on().await;
    let told = writer.stop().await?;
    cx.attach("restart.txt", format!("{restarted}\n{}", told.summary()))?;
    assert_eq!(restarted.restarted().len(), cluster.servers().len());
    told.is_kept_by(&docs).await
}

/// Before a server starts with a newer version, the harness runs that version once with `--database.auto-upgrade`. Writes go on
/// after each server.
#[armadillo::test(
    cluster(program = OLD, replication_factor = 2),
    markers(slow, failover),
    timeout = "3m"
)]
async fn an_upgrade_loses_nothing(
    cluster: Fresh<Cluster>,
    db: Database,
    cx: TestContext,
) -> TestResult {
    let docs = db.create_collection("docs").shards(3).await?;
    let writer = Writer::start(&docs);
    let upgrade = cluster.rolling_upgrade([NEW]);
    let upgraded = upgrade.checked(async |_| {
        writer.goes_on().await;
        Ok(())
    });
    let upgraded = upgraded.await?;
    let told = writer.stop().await?;
    cx.attach("upgrade.txt", format!("{upgraded}\n{}", told.summary()))?;
    for server in cluster.servers() {
        let version = cluster.client_at(&server).version().await?;
        assert_eq!(version.version, "3.12.4", "{server}");
    }
    told.is_kept_by(&docs).await
}

/// A start that is meant to fail runs no upgrade.
#[armadillo::test(single(program = OLD), markers(crash_test))]
async fn a_newer_version_refuses_data_that_was_not_upgraded(
    single: Fresh<SingleServer>,
    db: Database,
) -> TestResult {
    let docs = db.create_collection("docs").await?;
    docs.insert(&json!({ "_key": "kept" })).await?;
    let server = single.server(single.key());
    let refused = server.restart_with(NEW).expecting_failure().await?;
    assert_eq!(refused.exit.code, Some(11));
    assert!(
        refused.text.contains("must be upgraded first"),
        "{}",
        refused.text
    );
    let advice = "--database.auto-upgrade true";
    assert!(refused.log.contains(advice), "{}", refused.log);

    server.start().await?;
    assert_eq!(single.version().await?.version, "3.12.4");
    assert!(docs.get::<Value>("kept").await?.is_some());
    Ok(())
}
