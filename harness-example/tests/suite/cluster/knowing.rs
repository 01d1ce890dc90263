//! What a cluster is and does, in values: who leads, where shards are, how many requests and documents there were.

use armadillo::deployment::{Figure, Statistics};
use armadillo::prelude::*;
use serde_json::json;

/// Of a server that takes too long to answer there are none: it is asked again.
async fn statistics_of_all(cluster: &Exclusive<Cluster>) -> TestResult<Statistics> {
    loop {
        let statistics = cluster.statistics().await?;
        let servers = statistics.servers.values();
        if servers.into_iter().all(|server| server.missing.is_none()) {
            return Ok(statistics);
        }
    }
}

/// A cluster of its own: on a shared one, other tests write too.
#[armadillo::test(cluster(agents = 3, dbservers = 3, coordinators = 1))]
async fn documents_are_counted_where_they_are_written(
    cluster: Exclusive<Cluster>,
    db: Database,
) -> TestResult {
    let docs = db.create_collection("docs").replication_factor(2).await?;
    let before = statistics_of_all(&cluster).await?;
    for n in 0..50 {
        docs.insert(&json!({ "n": n })).await?;
    }
    let change = statistics_of_all(&cluster).await?.since(&before);
    let sum = |figure| change.sum(figure).map(|quantity| quantity.value);
    assert_eq!(sum(Figure::Writes), Some(50.0), "{change}");
    // Each document has one more copy, which its leader has sent.
    assert_eq!(sum(Figure::Replicated), Some(50.0), "{change}");
    let coordinator = change.of(&"coordinator-1".into());
    let requests = coordinator.and_then(|server| server.get(Figure::Requests));
    assert!(requests.is_some_and(|requests| requests.value >= 50.0));
    Ok(())
}

#[armadillo::test(
    cluster(agents = 3, dbservers = 3, coordinators = 1),
    markers(cluster_coordination)
)]
async fn the_state_has_servers_shards_and_the_leader(
    cluster: Cluster,
    docs: Collection,
) -> TestResult {
    docs.insert(&json!({ "n": 1 })).await?;
    cluster.wait_until(healthy()).await?;
    let state = cluster.state().await?;
    assert_eq!(state.agency.leader, Some(cluster.leader("agency").await?));
    assert_eq!(state.agency.followers.len(), 2);
    for (name, server) in state.of_role("dbserver") {
        let member = server
            .member
            .as_ref()
            .ok_or("the cluster does not know it")?;
        assert!(member.id.starts_with("PRMR-"), "{name}: {member:?}");
        assert!(member.last_heartbeat.is_some(), "{name}: {member:?}");
        assert!(server.pid.is_some() && server.up_for.is_some(), "{state}");
    }
    let shards = state.shards(docs.database().name(), docs.name());
    assert!(!shards.is_empty(), "{state}");
    Ok(())
}
