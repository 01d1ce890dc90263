//! Servers that come and go while documents are written. Each change is an operation: it can be watched, and cancelled until there is
//! no way back.

use std::time::{Duration, Instant};

use armadillo::arangodb::{AgencyError, Transaction};
use armadillo::deployment::{OperationError, Outcome};
use armadillo::load::Load;
use armadillo::prelude::*;
use serde_json::json;

use super::rolling::is_kept_by;

/// How long a write to the agency may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// A dbserver joins, and one of the first leaves: its shards are moved away before.
#[armadillo::test(cluster(spare_dbservers = 1), markers(slow, failover), timeout = "2m")]
async fn a_dbserver_joins_and_another_leaves(
    cluster: Fresh<Cluster>,
    db: Database,
    cx: TestContext,
) -> TestResult {
    let docs = db.create_collection("docs").shards(3).await?;
    docs.insert(&json!({ "_key": "w0" })).await?;
    let load = docs.load(1);
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

    let writes = load.stop().await?;
    let times = format!("add a dbserver: {joined:.2?}\nremove a dbserver: {left:.2?}\n");
    cx.attach("times.txt", format!("{times}{writes}\n"))?;
    is_kept_by(&writes, &docs).await
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

/// The disk of an agent is lost: an empty one takes its place, and has everything before the operation ends. The agency is written
/// to, and so are documents.
#[armadillo::test(cluster(agents = 3), markers(slow, failover), timeout = "2m")]
async fn an_agent_is_replaced(
    cluster: Fresh<Cluster>,
    db: Database,
    cx: TestContext,
) -> TestResult {
    let docs = db.create_collection("docs").await?;
    let load = docs.load(1);
    let agency = cluster.agency().with_limit(PATIENCE);
    let in_agency = Load::start(2, move |_, key| {
        let agency = agency.clone();
        let write = Transaction::new().set(&format!("/tests/{key}"), true);
        async move { agency.write(&write).await }
    });
    let mut report = String::new();
    // One that follows, and then who leads.
    for leads in [false, true] {
        in_agency.acknowledges(50).await?;
        let leader = cluster.agency().leader().await?.server;
        let mut agents = cluster.agents().into_iter();
        let agent = agents.find(|agent| (*agent == leader) == leads);
        let agent = agent.ok_or("there is no such agent")?;
        let before = cluster.agency().config(&agent).await?.id().to_owned();
        let replaced = cluster.replace_agent(&agent);
        let (replaced, meanwhile) = in_agency.during(replaced).await;
        replaced?;
        assert_eq!(cluster.agency().config(&agent).await?.id(), before);
        let last = cluster.operations().await?;
        let last = last.last().ok_or("no operation is known")?;
        report += &format!("{last}\nthe agency: {meanwhile}\n\n");
    }
    in_agency.acknowledges(50).await?;
    cluster.wait_until(healthy()).await?;
    let (writes, in_agency) = (load.stop().await?, in_agency.stop().await?);
    cx.attach("agents.txt", format!("{report}documents: {writes}\n"))?;
    let agency = cluster.agency();
    let is_there = async |key: &str| {
        let found = agency.get::<bool>(&format!("/tests/{key}")).await?;
        Ok::<_, AgencyError>(found.is_some())
    };
    in_agency.check(is_there).await?;
    is_kept_by(&writes, &docs).await
}

/// The only agent cannot be replaced, and neither can what is no agent.
#[armadillo::test(cluster(agents = 1))]
async fn an_agency_keeps_its_majority(cluster: Exclusive<Cluster>) -> TestResult {
    let only = cluster.agents().remove(0);
    let refused = cluster.replace_agent(&only).force().await;
    let refused = refused.err().ok_or("it was replaced")?;
    let says = format!("{only} is the only agent of the cluster");
    assert_eq!(refused.to_string(), says);
    let dbserver = cluster.dbservers().remove(0);
    let refused = cluster.replace_agent(&dbserver).await;
    let refused = refused.err().ok_or("it was replaced")?.to_string();
    assert!(refused.contains("is no agent"), "{refused}");
    assert!(cluster.operations().await?.is_empty());
    Ok(())
}

/// A clean-out that is cancelled ends, and so does its job; the server stays, and may get shards again.
#[armadillo::test(cluster(dbservers = 3), markers(slow), timeout = "2m")]
async fn a_removal_is_cancelled_on_its_way(cluster: Fresh<Cluster>, db: Database) -> TestResult {
    // So much is moved that the job is not done at once.
    let docs = db.create_collection("docs").shards(30).await?;
    docs.insert(&json!({ "_key": "kept" })).await?;
    let leaving = docs.shard_leader_of("kept").await?;
    let removal = cluster.remove_dbserver(&leaving).start().await?;
    let status = removal.cancel().await?;
    assert_eq!(status.outcome, Outcome::Cancelled, "{status}");
    let ended = removal.await;
    assert!(matches!(ended, Err(OperationError::Cancelled { .. })));
    assert!(cluster.dbservers().contains(&leaving));
    cluster.wait_until(healthy()).await?;
    assert_eq!(docs.count().await?, 1);
    Ok(())
}
