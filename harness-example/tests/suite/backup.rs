//! Backups of etcd: a snapshot that is taken while the cluster is written to, and restored into another one.

use std::time::Instant;

use armadillo::prelude::*;

use crate::load::{KEYS, is_kept_by};

/// What was acknowledged before the snapshot was begun is in the other cluster, with the same revisions.
#[armadillo::test(markers(slow, failover), timeout = "2m")]
async fn a_snapshot_is_restored_into_another_cluster(
    source: Fresh<Etcd>,
    target: Fresh<Etcd>,
    #[on(source)] client: EtcdClient,
    #[on(target)] restored: EtcdClient,
    cx: TestContext,
) -> TestResult {
    restored.put("of the target", "gone afterwards").await?;
    let load = client.load(3);
    load.acknowledges(200).await?;
    let before = load.report();

    let begun = Instant::now();
    let follower = source.members().remove(0);
    let file = cx.temporary_directory().join("snapshot.db");
    let snapshot = client.snapshot(&follower, &file).await?;
    let took = begun.elapsed();
    let writes = load.stop().await?;

    let begun = Instant::now();
    match target.restore(&snapshot).await {
        Err(error) if error.lacks_tool() => armadillo::skip!("{error}"),
        done => done?,
    }
    let times = format!(
        "snapshot of {} bytes: {took:.2?}\nrestore: {:.2?}\n",
        snapshot.bytes,
        begun.elapsed()
    );
    cx.attach("times.txt", times + &writes.to_string())?;
    target.wait_until(healthy()).await?;
    is_kept_by(&before, &restored).await?;
    assert!(restored.get("of the target").await?.is_none());
    for found in restored.list(KEYS).await? {
        // The source has gone on since.
        let original = client.get(&found.key).await?.ok_or("not in the source")?;
        assert_eq!(found.mod_revision, original.mod_revision);
    }
    // It goes on, too, with this deployment's login.
    let load = restored.for_deployment().load(3);
    load.acknowledges(50).await?;
    load.stop().await?;
    Ok(())
}

/// Old revisions are given up, and the file shrinks; what is there now stays.
#[armadillo::test(markers(failover))]
async fn a_compacted_store_is_smaller(cluster: Exclusive<Etcd>, client: EtcdClient) -> TestResult {
    let mut revision = 0;
    for number in 0..200 {
        revision = client.put("large", number.to_string().repeat(5000)).await?;
    }
    let load = client.load(3);
    client.compact(revision).await?;
    let size = async |member| Ok::<_, TestError>(client.status(member).await?.db_size);
    for member in &cluster.members() {
        let before = size(member).await?;
        client.defragment(member).await?;
        let after = size(member).await?;
        assert!(after < before, "{member}: {after} of {before} bytes");
    }
    load.acknowledges(50).await?;
    let found = client.get("large").await?.ok_or("lost")?;
    assert_eq!(found.text(), "199".repeat(5000));
    is_kept_by(&load.stop().await?, &client).await
}

/// Three orders, as a cluster of etcd 3.4 with three members had stored them: the directory of one of its members.
const OLD: &str = "tests/data/etcd-3.4";

/// A cluster that starts on a copy of existing data. Its members are new; the data is the old one.
#[armadillo::test(etcd(data = OLD), markers(slow))]
async fn old_orders_are_there(cluster: Exclusive<Etcd>, client: EtcdClient) -> TestResult {
    let client = client.for_all_keys();
    let orders = client.list("orders/").await?;
    let orders: Vec<String> = orders.iter().map(|order| order.text()).collect();
    assert_eq!(orders, ["order 1", "order 2", "order 3"]);
    for member in cluster.members() {
        let own = client.at(&member)?;
        assert_eq!(own.list("orders/").await?.len(), 3, "{member}");
    }
    client.put("orders/4", "order 4").await?;
    assert_eq!(cluster.known_members().await?.len(), 3);
    Ok(())
}

/// The same on a newer version, which takes the data over. The original is as it was.
#[armadillo::test(etcd(data = OLD, version = "3.5"), markers(slow))]
async fn old_orders_are_there_after_an_upgrade(
    cluster: Fresh<Etcd>,
    client: EtcdClient,
) -> TestResult {
    let orders = client.for_all_keys().list("orders/").await?;
    assert_eq!(orders.len(), 3);
    assert_eq!(cluster.known_members().await?.len(), 3);
    Ok(())
}
