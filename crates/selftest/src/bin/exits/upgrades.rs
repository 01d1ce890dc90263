//! Upgrades of etcd that fail, each with a control that does not. They need several versions, so they run only with `--runslow`;
//! `tests/exits/upgrades.rs` says how each must end.

use std::time::Duration;

use armadillo::deployment::Request;
use armadillo::etcd::etcd;
use armadillo::prelude::*;

/// How long one answer may take.
const LIMIT: Duration = Duration::from_secs(5);

/// 3.7 cannot read log entries of the old API, which 3.5 writes whenever a member starts, and nothing but a Raft snapshot takes
/// them out of the log. Without any snapshot, 3.6 takes one by itself; here there is an older one.
#[armadillo::test(
    etcd(version = "3.5.35", option("snapshot-count", "50")),
    markers(slow),
    timeout = "3m"
)]
async fn without_a_snapshot(cluster: Fresh<Etcd>, client: EtcdClient) -> TestResult {
    put(&client, 60).await?;
    cluster.rolling_restart().await?;
    let upgrade = cluster.rolling_upgrade(["3.6.16", "3.7.3"]);
    let upgrade = upgrade.option("snapshot-count", "10000");
    upgrade.without_gate("snapshot").await?;
    Ok(())
}

/// The gate waits for the snapshot.
#[armadillo::test(
    etcd(version = "3.5.35", option("snapshot-count", "50")),
    markers(slow),
    timeout = "3m"
)]
async fn with_a_snapshot(cluster: Fresh<Etcd>, client: EtcdClient) -> TestResult {
    put(&client, 60).await?;
    cluster.rolling_restart().await?;
    cluster.rolling_upgrade(["3.6.16"]).await?;
    put(&client, 60).await?;
    cluster.rolling_upgrade(["3.7.3"]).await?;
    Ok(())
}

async fn put(client: &EtcdClient, keys: u32) -> TestResult {
    for number in 0..keys {
        client.put(&number.to_string(), "some text").await?;
    }
    Ok(())
}

/// 3.5.16 stores nothing of a promotion where 3.6 looks for it, so 3.6 sees more learners than may be
/// (<https://github.com/etcd-io/etcd/issues/19557>).
#[armadillo::test(
    etcd(version = "3.5.16", members = 1, spares = 2),
    markers(slow),
    timeout = "3m"
)]
async fn two_learners_of_3_5_16(cluster: Fresh<Etcd>) -> TestResult {
    promote_two(&cluster).await
}

#[armadillo::test(
    etcd(version = "3.5.35", members = 1, spares = 2),
    markers(slow),
    timeout = "3m"
)]
async fn two_learners_of_3_5_35(cluster: Fresh<Etcd>) -> TestResult {
    promote_two(&cluster).await
}

async fn promote_two(cluster: &Fresh<Etcd>) -> TestResult {
    for _ in 0..2 {
        let learner = cluster.add_learner().await?;
        cluster.promote(&learner).await?;
    }
    cluster.rolling_upgrade(["3.6.16"]).await?;
    Ok(())
}

/// Each answer of 3.4 to `GET /health` writes an entry of the old API into the log, and 3.6 refuses to start with one.
#[armadillo::test(etcd(version = "3.4.23"), markers(slow), timeout = "3m")]
async fn asked_for_its_health(cluster: Fresh<Etcd>) -> TestResult {
    for member in cluster.members() {
        let member = cluster.orchestrator().view().client(&member, "client");
        let member = member.ok_or("it has no client port")?;
        member.send(Request::get("/health"), LIMIT).await?;
    }
    upgrade_to_3_6(&cluster).await
}

#[armadillo::test(etcd(version = "3.4.23"), markers(slow), timeout = "3m")]
async fn not_asked_for_its_health(cluster: Fresh<Etcd>) -> TestResult {
    upgrade_to_3_6(&cluster).await
}

async fn upgrade_to_3_6(cluster: &Fresh<Etcd>) -> TestResult {
    let upgrade = cluster.rolling_upgrade(["3.5.35", "3.6.16"]);
    upgrade.without_gate("snapshot").await?;
    Ok(())
}
