//! Collections whose shards lie on several dbservers.

use armadillo::prelude::*;
use serde_json::{Value, json};

#[armadillo::test(cluster(dbservers = 3), markers(sharding, replication))]
async fn a_collection_tells_where_its_shards_are(cluster: Cluster, db: Database) -> TestResult {
    let docs = db
        .create_collection("docs")
        .shards(3)
        .replication_factor(2)
        .await?;
    docs.wait_in_sync().await?;
    let shards = docs.shards().await?;
    assert_eq!(shards.len(), 3);
    for shard in &shards {
        assert_eq!(
            (shard.planned.len(), shard.in_sync.len()),
            (2, 2),
            "{shard}"
        );
        assert!(
            shard
                .planned
                .iter()
                .all(|server| cluster.dbservers().contains(server))
        );
    }
    docs.insert(&json!({"_key": "a"})).await?;
    let leader = docs.shard_leader_of("a").await?;
    assert!(
        shards
            .iter()
            .any(|shard| shard.leader.as_ref() == Some(&leader))
    );
    let one_of_several = docs.shard_leader().await.err();
    assert!(one_of_several.is_some_and(|error| error.to_string().contains("has 3 shards")));
    Ok(())
}

/// A collection that says nothing has as many copies as the topology says.
#[armadillo::test(cluster(dbservers = 3, replication_factor = 2), markers(replication))]
async fn the_topology_says_how_many_copies_there_are(docs: Collection) -> TestResult {
    assert_eq!(docs.shards().await?[0].planned.len(), 2);
    assert!(docs.in_sync().await?);
    Ok(())
}

#[armadillo::test(cluster(dbservers = 3), markers(crash_test, failover))]
async fn nothing_is_lost_with_a_leader(cluster: Exclusive<Cluster>, db: Database) -> TestResult {
    let docs = db.create_collection("docs").replication_factor(2).await?;
    docs.insert(&json!({"_key": "a", "n": 1})).await?;
    let leader = docs.shard_leader().await?;
    cluster.server(&leader).kill().await?;
    cluster.wait_until(healthy().except(&leader)).await?;
    assert_ne!(docs.shard_leader().await?, leader);
    let found = docs.get::<Value>("a").await?.ok_or("it is gone")?;
    assert_eq!(found["n"], 1);
    cluster.server(&leader).start().await?;
    cluster.wait_until(healthy()).await?;
    docs.wait_in_sync().await?;
    Ok(())
}

#[armadillo::test(cluster(dbservers = 3), markers(cluster_coordination))]
async fn a_shard_moves_where_it_is_told_to(
    cluster: Exclusive<Cluster>,
    db: Database,
) -> TestResult {
    let docs = db.create_collection("docs").replication_factor(1).await?;
    docs.insert(&json!({"_key": "a"})).await?;
    let shards = docs.shards().await?;
    let from = docs.shard_leader().await?;
    let to = cluster
        .dbservers()
        .into_iter()
        .find(|server| *server != from);
    let to = to.ok_or("there is one dbserver only")?;
    cluster
        .move_shard(&docs, &shards[0].name, &from, &to)
        .await?;
    docs.wait_in_sync().await?;
    assert_eq!(docs.shard_leader().await?, to);
    assert_eq!(docs.count().await?, 1);
    Ok(())
}

#[armadillo::test(cluster(dbservers = 3), markers(cluster_coordination))]
async fn a_server_gives_up_what_it_leads(cluster: Exclusive<Cluster>, db: Database) -> TestResult {
    let docs = db.create_collection("docs").replication_factor(2).await?;
    docs.insert(&json!({"_key": "a"})).await?;
    let leader = docs.shard_leader().await?;
    cluster.resign_leadership(&leader).await?;
    assert_ne!(docs.shard_leader().await?, leader);
    docs.wait_in_sync().await?;
    assert_eq!(docs.count().await?, 1);
    Ok(())
}
