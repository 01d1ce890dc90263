//! Tests that need several deployments: each argument gets its own, and a test gets all of them or waits for all.
//!
//! Two `Fresh<_>` are two new servers. What fits both says with `#[on(..)]` which of them it is on.

use armadillo::etcd::Expected;
use armadillo::prelude::*;
use serde_json::json;

/// Two systems: the documents are in ArangoDB, the lock that protects them in etcd.
#[armadillo::test]
async fn a_lock_in_etcd_protects_a_document(client: EtcdClient, docs: Collection) -> TestResult {
    let got = client
        .compare_and_swap("lock", &Expected::Absent, "me")
        .await?;
    assert!(got.is_done());
    docs.insert(&json!({ "_key": "protected" })).await?;
    assert!(client.delete("lock").await?);
    assert_eq!(docs.count().await?, 1);
    Ok(())
}

/// Two servers of one kind: what is written to one is not on the other, and survives the other's end.
#[armadillo::test]
async fn two_new_servers_share_nothing(
    source: Fresh<SingleServer>,
    target: Fresh<SingleServer>,
    #[on(source)] written: Database,
    #[on(target)] client: ArangoClient,
) -> TestResult {
    assert_ne!(source.endpoint(), target.endpoint());
    written.create_collection("articles").await?;
    let name = written.name().to_owned();
    assert!(!client.databases().await?.contains(&name));
    assert!(source.client().databases().await?.contains(&name));
    target.server(target.key()).kill().await?;
    assert!(source.client().databases().await?.contains(&name));
    Ok(())
}

/// A cluster of our own beside an etcd cluster that others use at the same time: only the former has faults.
#[armadillo::test(markers(failover), timeout = "2m")]
async fn a_failover_is_noted_in_etcd(
    cluster: Exclusive<Cluster>,
    db: Database,
    etcd: Etcd,
    client: EtcdClient,
) -> TestResult {
    db.create_collection("docs").await?;
    let leader = cluster.leader("agency").await?;
    cluster.server(&leader).kill().await?;
    let healthy_without = cluster.wait_until(healthy().except(&leader)).await?;
    let next = healthy_without.leader("agency").ok_or("no leader")?;
    client.put("agency-leader", next.as_str()).await?;
    etcd.wait_until(healthy()).await?;
    let noted = client.get("agency-leader").await?.ok_or("nothing there")?;
    assert_ne!(noted.text(), leader.as_str());
    cluster.server(&leader).start().await?;
    Ok(())
}
