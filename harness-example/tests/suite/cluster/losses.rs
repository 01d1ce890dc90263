//! Documents while servers die: what was acknowledged is there afterwards. What the rounds of [`crate::consistency`] leave
//! out: imports in large pieces, and the death of everybody.

use std::collections::BTreeMap;

use armadillo::prelude::*;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Documents in one request.
const BATCH: usize = 50;
/// Clients that import at the same time.
const CLIENTS: usize = 4;

/// What an import was told.
#[derive(Default)]
struct Imported {
    acknowledged: Vec<String>,
    /// Requests that failed, by what was said.
    failed: BTreeMap<String, usize>,
    requests: usize,
}

impl Imported {
    fn add(&mut self, other: Self) {
        self.acknowledged.extend(other.acknowledged);
        self.requests += other.requests;
        for (error, times) in other.failed {
            *self.failed.entry(error).or_default() += times;
        }
    }

    fn count(&mut self, error: String) {
        *self.failed.entry(error).or_default() += 1;
    }
}

/// Imports these documents and notes which were acknowledged, one by one.
async fn import(docs: Collection, keys: Vec<String>) -> Imported {
    let mut imported = Imported::default();
    for batch in keys.chunks(BATCH) {
        imported.requests += 1;
        let documents: Vec<Value> = batch
            .iter()
            .map(|key| json!({ "_key": key, "body": format!("the body of {key}") }))
            .collect();
        match docs.insert_many(&documents).await {
            Ok(answers) => {
                for answer in answers {
                    match answer {
                        Ok(meta) => imported.acknowledged.push(meta.key),
                        Err(refusal) => imported.count(format!("one document: {}", refusal.number)),
                    }
                }
            }
            Err(error) => imported.count(match (error.status(), error.number()) {
                (Some(status), Some(number)) => format!("HTTP {status}, error {number}"),
                _ => error.to_string(),
            }),
        }
    }
    imported
}

/// Every one of these documents, asked for by its key.
async fn are_all_there(docs: &Collection, keys: &[String]) -> TestResult {
    for keys in keys.chunks(1_000) {
        let found = docs.get_many::<Value>(keys).await?;
        for (key, found) in keys.iter().zip(found) {
            let body = found?.map(|found| found["body"].clone());
            let expected = json!(format!("the body of {key}"));
            assert_eq!(body, Some(expected), "{key} was acknowledged");
        }
    }
    Ok(())
}

/// 10,000 documents on their way into three shards, and a server that leads one of them dies.
#[armadillo::test(
    cluster(dbservers = 2, coordinators = 2),
    markers(crash_test, failover, sharding),
    timeout = "2m"
)]
async fn an_import_outlives_a_shard_leader(
    cluster: Exclusive<Cluster>,
    db: Database,
    cx: TestContext,
) -> TestResult {
    let docs = db
        .create_collection("docs")
        .shards(3)
        .replication_factor(2)
        .await?;
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let keys = (0..10_000 / CLIENTS).map(|number| format!("{client}-{number}"));
        clients.spawn(import(docs.clone(), keys.collect()));
    }
    while docs.count().await? < 1_000 {}
    let leader = docs.shard_leader_of("0-0").await?;
    cluster.server(&leader).kill().await?;
    let at_death = docs.count().await.ok();

    let mut imported = Imported::default();
    while let Some(client) = clients.join_next().await {
        imported.add(client?);
    }
    let told = format!(
        "{} of 10000 documents acknowledged in {} requests; {at_death:?} were there when {leader} died; failed: {:?}\n",
        imported.acknowledged.len(),
        imported.requests,
        imported.failed,
    );
    println!("{told}");
    cx.attach("import.txt", told)?;

    cluster.wait_until(healthy().except(&leader)).await?;
    are_all_there(&docs, &imported.acknowledged).await?;
    cluster.server(&leader).start().await?;
    cluster.wait_until(healthy()).await?;
    are_all_there(&docs, &imported.acknowledged).await?;
    assert!(docs.count().await? >= u64::try_from(imported.acknowledged.len())?);
    Ok(())
}

/// Every server at once: agents, dbservers, coordinators.
async fn all_die_and_return(cluster: &Exclusive<Cluster>) -> TestResult {
    let mut dying = JoinSet::new();
    for server in cluster.servers() {
        let server = cluster.server(&server);
        dying.spawn(async move { server.kill().await });
    }
    while let Some(died) = dying.join_next().await {
        died??;
    }
    let mut returning = JoinSet::new();
    for server in cluster.servers() {
        let server = cluster.server(&server);
        returning.spawn(async move { server.start().await });
    }
    while let Some(returned) = returning.join_next().await {
        returned??;
    }
    cluster.wait_until(healthy()).await?;
    Ok(())
}

async fn outlive_everybody(cluster: &Exclusive<Cluster>, db: &Database, rounds: u32) -> TestResult {
    let docs = db
        .create_collection("docs")
        .shards(3)
        .replication_factor(2)
        .await?;
    let mut acknowledged = Vec::new();
    for round in 0..rounds {
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let keys = (0..10_000).map(|number| format!("{round}-{client}-{number}"));
            clients.spawn(import(docs.clone(), keys.collect()));
        }
        // The end comes in the middle of the import: what is under way is nobody's.
        let goal = docs.count().await? + 500;
        while docs.count().await? < goal {}
        let imports = async {
            let mut imported = Imported::default();
            while let Some(client) = clients.join_next().await {
                imported.add(client?);
            }
            TestResult::Ok(imported)
        };
        let (returned, imported) = tokio::join!(all_die_and_return(cluster), imports);
        returned?;
        let imported = imported?;
        println!(
            "round {round}: {} acknowledged in {} requests, failed: {:?}",
            imported.acknowledged.len(),
            imported.requests,
            imported.failed
        );
        acknowledged.extend(imported.acknowledged);
        are_all_there(&docs, &acknowledged).await?;
    }
    Ok(())
}

#[armadillo::test(
    cluster(dbservers = 2, coordinators = 2),
    markers(crash_test),
    timeout = "3m"
)]
async fn documents_outlive_the_whole_cluster(
    cluster: Exclusive<Cluster>,
    db: Database,
) -> TestResult {
    outlive_everybody(&cluster, &db, 1).await
}

/// The same again and again: `cargo test -- --runslow --rounds 20 --exact cluster::losses::documents_outlive_many_deaths`
#[armadillo::test(
    cluster(dbservers = 2, coordinators = 2),
    markers(slow, crash_test),
    timeout = "1h"
)]
async fn documents_outlive_many_deaths(
    cluster: Exclusive<Cluster>,
    db: Database,
    cx: TestContext,
) -> TestResult {
    outlive_everybody(&cluster, &db, cx.rounds(5)).await
}
