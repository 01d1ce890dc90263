//! Rolling restarts, upgrades and downgrades of etcd with writes and reads going on.

use armadillo::deployment::{OperationError, OperationStatus};
use armadillo::prelude::*;

use crate::load::{Readers, is_kept_by};

/// The way from 3.4. Where a version is not on this machine, the upgrade ends before it.
const PATH: [&str; 3] = ["3.5", "3.6", "3.7"];

/// After so many entries a member takes a snapshot: 3.7 cannot read the log of an earlier version without one.
const SNAPSHOT: usize = 100;

#[armadillo::test(markers(failover))]
async fn a_rolling_restart_loses_nothing(
    cluster: Exclusive<Etcd>,
    client: EtcdClient,
    cx: TestContext,
) -> TestResult {
    let load = client.load(3);
    load.acknowledges(50).await?;
    let (restarted, meanwhile) = load.during(cluster.rolling_restart()).await;
    cx.attach("restart.txt", format!("{}\n{meanwhile}\n", restarted?))?;
    load.acknowledges(50).await?;
    let writes = load.stop().await?;
    is_kept_by(&writes, &client).await
}

/// With one of three members down, no other is stopped.
#[armadillo::test(markers(crash_test))]
async fn a_rolling_restart_keeps_the_majority(cluster: Exclusive<Etcd>) -> TestResult {
    let leader = cluster.leader().await?;
    let down = cluster
        .members()
        .into_iter()
        .find(|member| *member != leader);
    let down = down.ok_or("there is only one")?;
    cluster.server(&down).kill().await?;
    cluster.wait_until(healthy().except(&down)).await?;
    let refused = cluster.rolling_restart().await.err().ok_or("it was done")?;
    let said = refused.to_string();
    assert!(said.contains("2 of 3 members are healthy"), "{said}");
    assert!(
        said.contains("would leave 1 of 3, which is no majority"),
        "{said}"
    );
    cluster.wait_until(healthy().except(&down)).await?;
    // Without a majority, nothing is begun either.
    cluster.server(&leader).kill().await?;
    let refused = cluster.rolling_restart().await.err().ok_or("it was done")?;
    let said = refused.to_string();
    assert!(said.contains("which is no majority"), "{said}");
    assert!(said.contains(&format!("{leader} is stopped")), "{said}");
    Ok(())
}

/// What an upgrade has done that was cancelled is undone: as long as one member runs the old version, the cluster has it.
#[armadillo::test(etcd(version = "3.5"), markers(failover), timeout = "3m")]
async fn an_upgrade_that_stopped_halfway_is_undone(
    cluster: Fresh<Etcd>,
    client: EtcdClient,
) -> TestResult {
    let upgrade = cluster.rolling_upgrade(["3.6"]).start().await;
    let upgrade = match upgrade {
        Err(error) if error.lacks_version() => armadillo::skip!("{error}"),
        started => started?,
    };
    upgrade.has_restarted(1).await?;
    let stopped = upgrade.cancel().await?;
    client.put("between", "the versions").await?;
    let undone = cluster.rolling_downgrade(["3.5"]).await?;
    assert_eq!(
        undone.restarted(),
        stopped.restarted(),
        "{stopped}\n{undone}"
    );
    for member in cluster.members() {
        let version = client.status(&member).await?.version;
        assert!(version.starts_with("3.5."), "{member} runs {version}");
    }
    assert!(client.get("between").await?.is_some());
    Ok(())
}

/// Each version is reached by every member before the next begins, and then all have stored the same.
#[armadillo::test(
    etcd(version = "3.4", option("snapshot-count", "100")),
    markers(failover),
    timeout = "3m"
)]
async fn an_upgrade_loses_nothing(
    cluster: Fresh<Etcd>,
    client: EtcdClient,
    cx: TestContext,
) -> TestResult {
    let load = client.load(3);
    let readers = Readers::start(&client, &load);
    let mut report = String::new();
    for version in PATH {
        load.acknowledges(2 * SNAPSHOT).await?;
        match cluster.rolling_upgrade([version]).await {
            Err(error) if error.lacks_version() => break,
            upgraded => report += &format!("{}\n{}\n", upgraded?, same_hashes(&client).await?),
        }
    }
    let (reads, writes) = (readers.stop().await?, load.stop().await?);
    if report.is_empty() {
        armadillo::skip!("no {} of etcd here", PATH[0]);
    }
    cx.attach("upgrade.txt", report + &reads + &writes.to_string())?;
    is_kept_by(&writes, &client).await
}

/// The hashes of all members at one revision, which must be equal.
async fn same_hashes(client: &EtcdClient) -> TestResult<String> {
    let hashes = client.hashes().await?;
    assert!(hashes.are_equal(), "members differ: {hashes}");
    Ok(format!("equal hashes at {hashes}"))
}

/// Down, minor version by minor version. The cluster is told first, and writes on in the older format.
#[armadillo::test(
    etcd(version = "3.7", option("snapshot-count", "100")),
    markers(failover),
    timeout = "3m"
)]
async fn a_downgrade_loses_nothing(
    cluster: Fresh<Etcd>,
    client: EtcdClient,
    cx: TestContext,
) -> TestResult {
    let load = client.load(3);
    let readers = Readers::start(&client, &load);
    let mut report = String::new();
    for version in ["3.6", "3.5"] {
        load.acknowledges(SNAPSHOT).await?;
        let done = or_skip(cluster.rolling_downgrade([version]).await)?;
        report += &format!("{done}\n{}\n", same_hashes(&client).await?);
    }
    let (reads, writes) = (readers.stop().await?, load.stop().await?);
    cx.attach("downgrade.txt", report + &reads + &writes.to_string())?;
    is_kept_by(&writes, &client).await
}

/// Mixtures of two versions are held for a while, and members are killed in them, as the test's seed says. `--repeat 10` takes ten
/// seeds.
#[armadillo::test(
    etcd(version = "3.5", option("snapshot-count", "100")),
    markers(failover, slow),
    timeout = "5m"
)]
async fn versions_live_together(
    cluster: Fresh<Etcd>,
    client: EtcdClient,
    cx: TestContext,
) -> TestResult {
    let load = client.load(3);
    let readers = Readers::start(&client, &load);
    load.acknowledges(SNAPSHOT).await?;
    let path = cluster.rolling_upgrade(["3.6", "3.7"]);
    let done = or_skip(path.with_trouble(cx.seed()).await)?;
    let hashes = same_hashes(&client).await?;
    let (reads, writes) = (readers.stop().await?, load.stop().await?);
    let text = format!("{done}\n{hashes}\n{reads}{writes}");
    cx.attach("mixed.txt", text)?;
    is_kept_by(&writes, &client).await
}

fn or_skip(done: Result<OperationStatus, OperationError>) -> TestResult<OperationStatus> {
    match done {
        Err(error) if error.lacks_version() => armadillo::skip!("{error}"),
        done => Ok(done?),
    }
}
