//! Dbservers and coordinators that come and go while documents are written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use armadillo::prelude::*;
use serde_json::json;
use tokio::task::JoinHandle;

/// A writer that never pauses. What was acknowledged is in what it returns.
struct Writer {
    stop: Arc<AtomicBool>,
    writes: JoinHandle<(Vec<String>, u64)>,
}

impl Writer {
    fn start(docs: &Collection) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let (stopped, docs) = (stop.clone(), docs.clone());
        let writes = tokio::spawn(async move {
            let (mut acknowledged, mut failed) = (Vec::new(), 0);
            for number in 0.. {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let key = format!("w{number}");
                match docs.insert(&json!({ "_key": key })).await {
                    Ok(_) => acknowledged.push(key),
                    // Whether it was done or not: only what was acknowledged must be there.
                    Err(_) => failed += 1,
                }
            }
            (acknowledged, failed)
        });
        Self { stop, writes }
    }

    /// Looks for every acknowledged document.
    async fn stop(self, docs: &Collection) -> TestResult<String> {
        self.stop.store(true, Ordering::Relaxed);
        let (acknowledged, failed) = self.writes.await?;
        assert!(!acknowledged.is_empty(), "nothing was acknowledged");
        for key in &acknowledged {
            let found = docs.get::<serde_json::Value>(key).await?;
            assert!(found.is_some(), "{key} was acknowledged, and is lost");
        }
        let count = acknowledged.len();
        Ok(format!("{count} acknowledged, {failed} failed, 0 lost\n"))
    }
}

/// A dbserver joins, and one of the first leaves: its shards are moved away before.
#[armadillo::test(cluster(spare_dbservers = 1), markers(slow, failover), timeout = "2m")]
async fn a_dbserver_joins_and_another_leaves(
    cluster: Fresh<Cluster>,
    db: Database,
    cx: TestContext,
) -> TestResult {
    let docs = db.create_collection("docs").shards(3).await?;
    let writer = Writer::start(&docs);
    let begun = Instant::now();
    let added = cluster.add_dbserver().await?;
    let joined = begun.elapsed();
    cluster.wait_until(healthy()).await?;
    assert!(cluster.servers().contains(&added));

    let begun = Instant::now();
    let leaving = docs.shard_leader_of("w0").await?;
    cluster.remove_dbserver(&leaving).await?;
    let left = begun.elapsed();
    cluster.wait_until(healthy()).await?;
    assert!(!cluster.servers().contains(&leaving));
    let known = cluster.members().await?.into_iter();
    assert!(
        known
            .into_iter()
            .all(|member| member.server.as_ref() != Some(&leaving))
    );

    let summary = writer.stop(&docs).await?;
    let times = format!("add a dbserver: {joined:.2?}\nremove a dbserver: {left:.2?}\n");
    cx.attach("times.txt", times + &summary)?;
    Ok(())
}

/// The same of coordinators. The last one stays.
#[armadillo::test(
    cluster(spare_coordinators = 1),
    markers(slow, failover),
    timeout = "2m"
)]
async fn a_coordinator_joins_and_another_leaves(
    cluster: Fresh<Cluster>,
    cx: TestContext,
) -> TestResult {
    let only = cluster.servers_of("coordinator").remove(0);
    let refused = cluster.remove_coordinator(&only).await;
    let refused = refused.err().ok_or("it was removed")?;
    let says = format!("{only} is the only coordinator of the cluster");
    assert_eq!(refused.to_string(), says);

    let begun = Instant::now();
    let added = cluster.add_coordinator().await?;
    let joined = begun.elapsed();
    cluster.wait_until(healthy()).await?;
    assert_eq!(cluster.client().endpoints().len(), 2);

    let begun = Instant::now();
    cluster.remove_coordinator(&only).await?;
    let left = begun.elapsed();
    cluster.wait_until(healthy()).await?;
    assert_eq!(cluster.servers_of("coordinator"), [added]);
    let databases = cluster.client().databases().await?;
    assert!(databases.contains(&"_system".to_owned()));
    let times = format!("add a coordinator: {joined:.2?}\nremove a coordinator: {left:.2?}\n");
    cx.attach("times.txt", times)?;
    Ok(())
}
