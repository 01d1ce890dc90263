//! Faults on the links between servers, and between clients and servers: the topology asks for them.

use std::time::{Duration, Instant};

use armadillo::prelude::*;

/// How long a client waits that is not to be answered.
const SOON: Duration = Duration::from_secs(2);

/// A leader that is cut off is replaced, and takes no writes; healed, it has what was written meanwhile.
#[armadillo::test(etcd(links), markers(failover))]
async fn a_leader_that_is_cut_off_is_replaced(
    cluster: Exclusive<Etcd>,
    client: EtcdClient,
) -> TestResult {
    client.put("apples", "3").await?;
    let old = cluster.leader().await?;
    cluster.links().cut_off(&old).await?;
    let another = when("another leader", |health| {
        health.leader("raft").is_some_and(|leader| *leader != old)
    });
    let health = cluster.wait_until(another).await?;
    let new = health.leader("raft").ok_or("nobody leads")?;
    client.at(new)?.put("apples", "4").await?;
    let cut_off = client.at(&old)?.with_limit(SOON);
    assert!(cut_off.put("apples", "5").await.is_err());

    cluster.links().heal().await?;
    cluster.wait_until(healthy()).await?;
    let read = client.at(&old)?.get("apples").await?;
    assert_eq!(read.ok_or("nothing there")?.text(), "4");
    Ok(())
}

/// A request whose answer is late is answered late; one whose connection is reset may have been served.
#[armadillo::test(etcd(members = 1, client_links))]
async fn a_client_of_etcd_copes_with_its_network(
    cluster: Exclusive<Etcd>,
    client: EtcdClient,
) -> TestResult {
    client.put("pears", "1").await?;
    let member = &cluster.members()[0];
    let link = cluster.client_links().from(member);
    let late = link.delay(Duration::from_millis(200)).await?;
    let begun = Instant::now();
    client.get("pears").await?;
    assert!(begun.elapsed() >= Duration::from_millis(200));
    late.seen().await?;
    link.heal().await?;

    let held = link.hold().await?;
    let put = client.put("pears", "2");
    let reset = async {
        held.seen().await?;
        cluster.client_links().of(member).reset().await
    };
    let (put, reset) = tokio::join!(put, reset);
    reset?;
    assert!(put.is_err(), "nobody was told that it was done: {put:?}");
    link.heal().await?;
    let read = client.get("pears").await?;
    assert_eq!(read.ok_or("nothing there")?.text(), "2");
    Ok(())
}

/// The same for ArangoDB: a document whose acknowledgement is cut off is stored.
#[armadillo::test(single(client_links))]
async fn a_client_of_arangodb_copes_with_its_network(
    server: Exclusive<SingleServer>,
    db: Database,
) -> TestResult {
    let pears = db.create_collection("pears").await?;
    pears.insert(&serde_json::json!({ "_key": "one" })).await?;
    let name = &server.servers()[0];
    let link = server.client_links().from(name);
    let late = link.delay(Duration::from_millis(200)).await?;
    let begun = Instant::now();
    assert_eq!(pears.count().await?, 1);
    assert!(begun.elapsed() >= Duration::from_millis(200));
    late.seen().await?;
    link.heal().await?;

    let cut = link.cut().await?;
    let two = serde_json::json!({ "_key": "two" });
    tokio::select! {
        // Its acknowledgement is lost before it fails for that, or never ends.
        inserted = pears.insert(&two) => {
            assert!(inserted.is_err(), "it was acknowledged");
            cut.seen().await?;
        }
        seen = cut.seen() => {
            seen?;
        }
    }
    link.heal().await?;
    assert_eq!(pears.count().await?, 2);
    Ok(())
}

/// An agent that leads and is cut off is replaced, and the whole agrees again when it is healed.
#[armadillo::test(cluster(links), markers(slow, failover))]
async fn an_agency_replaces_a_leader_that_is_cut_off(cluster: Exclusive<Cluster>) -> TestResult {
    let old = cluster.leader("agency").await?;
    cluster.links().cut_off(&old).await?;
    let another = when("another leader", |health| {
        health.leader("agency").is_some_and(|leader| *leader != old)
    });
    cluster.wait_until(another).await?;
    cluster.links().heal().await?;
    cluster.wait_until(healthy()).await?;
    Ok(())
}
