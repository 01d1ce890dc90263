//! Failures, with writers that go on: what was acknowledged is found, whoever dies.
//!
//! These tests have their cluster for themselves ([`Exclusive`]), get a new one ([`Fresh`]) or start it ([`Unstarted`]). Nothing here sleeps: an operation
//! returns when it was seen to take effect, and everything else waits for a condition until the test's time is over.

use std::time::Duration;

use armadillo::deployment::{ExitExpectation, Figure, Health, Metrics};
use armadillo::prelude::*;

use crate::load::is_kept_by;

/// The group that has a leader in every etcd cluster.
const RAFT: &str = "raft";

/// The shortest test of a failure: the cluster is this test's own until it ends, and repaired afterwards.
#[armadillo::test(markers(crash_test))]
async fn a_write_survives_its_leader(cluster: Exclusive<Etcd>, client: EtcdClient) -> TestResult {
    client.put("apples", "3").await?;
    let leader = cluster.leader().await?;
    cluster.server(&leader).kill().await?;
    cluster.wait_until(healthy().except(&leader)).await?;
    assert!(client.get("apples").await?.is_some());
    Ok(())
}

/// The same with writers that do not stop: every key that was acknowledged before, during and after the death is found.
#[armadillo::test(markers(crash_test, failover, rta_suite("failover")))]
async fn no_acknowledged_write_is_lost_when_the_leader_dies(
    cluster: Exclusive<Etcd>,
    client: &EtcdClient,
    cx: &TestContext,
) -> TestResult {
    let load = client.load(6);
    load.acknowledges(100).await?;
    // Leader and term of one look: two looks could be on either side of an election.
    let health = cluster.wait_until(healthy()).await?;
    let old = health.leader(RAFT).ok_or("nobody leads")?.clone();
    let term = health.terms[RAFT];

    cluster.server(&old).kill().await?;
    // The writers do not wait for the next leader.
    load.goes_on().await?;
    let newer = when("a newer term", |health| health.terms[RAFT] > term);
    let health = cluster
        .wait_until(healthy().except(&old).and(newer))
        .await?;
    assert_ne!(health.leader(RAFT), Some(&old), "{health}");

    load.acknowledges(100).await?;
    let writes = load.stop().await?;
    cx.attach("ledger.txt", writes.to_string())?;
    is_kept_by(&writes, client).await?;

    cluster.server(&old).start().await?;
    cluster.wait_until(healthy()).await?;
    is_kept_by(&writes, &client.at(&old)?).await
}

/// A frozen follower is missed by nobody, and catches up when it goes on.
#[armadillo::test(markers(crash_test, failover))]
async fn a_frozen_follower_catches_up(cluster: Exclusive<Etcd>, client: &EtcdClient) -> TestResult {
    let leader = cluster.leader().await?;
    let mut followers = cluster.members();
    followers.retain(|member| *member != leader);
    let frozen = cluster.server(&followers[0]);

    let load = client.at(&leader)?.load(2);
    frozen.pause().await?;
    cluster.wait_until(healthy().except(&frozen)).await?;
    load.acknowledges(50).await?;
    let writes = load.stop().await?;
    frozen.resume().await?;
    cluster.wait_until(healthy()).await?;
    is_kept_by(&writes, &client.at(frozen.key())?).await
}

/// A member that stops and starts is the same member, with the same data.
#[armadillo::test(markers(crash_test))]
async fn a_restarted_member_is_the_same_member(
    cluster: Exclusive<Etcd>,
    client: &EtcdClient,
) -> TestResult {
    let member = cluster.members().remove(0);
    client.put("apples", "3").await?;
    let before = client.status(&member).await?;
    cluster.server(&member).restart().await?;
    let after = client.status(&member).await?;
    assert_eq!(before.id, after.id);
    let found = client.at(&member)?.get("apples").await?;
    assert_eq!(found.ok_or("nothing there")?.text(), "3");
    Ok(())
}

/// One after the other, with writes going on. It takes its time, and so runs only with `--runslow`.
#[armadillo::test(markers(slow, crash_test), timeout = "3m")]
async fn a_rolling_restart_is_not_noticed(
    cluster: Exclusive<Etcd>,
    client: &EtcdClient,
    cx: &TestContext,
) -> TestResult {
    let load = client.load(3);
    for _ in 0..2 {
        for member in cluster.members() {
            load.acknowledges(20).await?;
            cluster.server(&member).restart().await?;
            cluster.wait_until(healthy()).await?;
        }
    }
    let writes = load.stop().await?;
    cx.attach("ledger.txt", writes.to_string())?;
    is_kept_by(&writes, client).await
}

/// The state is one value: who leads, and how each member is. Statistics are read at two moments and compared.
#[armadillo::test]
async fn keys_are_counted(cluster: Exclusive<Etcd>, client: &EtcdClient) -> TestResult {
    let state = cluster.state().await?;
    let leader = state.leader.clone().ok_or("no leader")?;
    let before = cluster.metrics(&leader).await?;
    let statistics = cluster.statistics().await?;
    for n in 0..20 {
        client.put(&format!("key-{n}"), "value").await?;
    }
    // A member counts what it has applied after it has acknowledged it: the last write may be missing for a moment.
    let applied = async || -> TestResult<f64> {
        let change = cluster.statistics().await?.since(&statistics);
        let of_leader = change.of(&leader);
        let applied = of_leader.and_then(|member| member.get(Figure::Replicated));
        Ok(applied.map_or(0.0, |applied| applied.value))
    };
    while applied().await? < 20.0 {}
    let puts = |metrics: &Metrics| metrics.value("etcd_mvcc_put_total");
    let after = cluster.metrics(&leader).await?;
    let puts = puts(&after)
        .zip(puts(&before))
        .map(|(after, before)| after - before);
    assert_eq!(puts, Some(20.0));
    let members = state
        .servers
        .values()
        .filter(|server| server.status.is_some());
    assert_eq!(members.count(), 3, "{state}");
    Ok(())
}

/// A member that is removed from its cluster ends by itself. That is meant, and so no crash. It ends with 0, or, if a request
/// reaches it just then, with a panic: so the test expects any exit. A cluster as young as this one would refuse the removal,
/// but for the option.
#[armadillo::test(etcd(option("strict-reconfig-check", "false")))]
async fn a_removed_member_leaves(cluster: Fresh<Etcd>) -> TestResult {
    let client = cluster.client();
    let member = cluster.members().remove(0);
    let id = client.status(&member).await?.id;
    let exit = cluster
        .server(&member)
        .expect_exit(ExitExpectation::any())
        .await?;
    let another = client.at(&cluster.members()[1])?;
    another.remove_member(id).await?;
    let exit = exit.seen().await?;
    assert!(matches!(exit.code, Some(0 | 2)), "{exit:?}");
    assert_eq!(cluster.known_members().await?.len(), 2);
    Ok(())
}

/// A wrong option is found out when a member starts; here that is the test. Nothing runs before it says so.
#[armadillo::test(etcd(members = 1, option("snapshot-count", "many")))]
async fn a_member_refuses_a_wrong_option(cluster: Unstarted<Etcd>) -> TestResult {
    let failed = cluster.server("member-1").start_expecting_failure().await?;
    assert_eq!(failed.exit.code, Some(2), "{failed}");
    assert!(failed.log.contains("snapshot-count"), "{}", failed.log);
    Ok(())
}

/// A cluster whose members a test starts itself: it forms when a majority is there.
#[armadillo::test]
async fn a_cluster_forms_when_all_are_started(cluster: Unstarted<Etcd>) -> TestResult {
    assert_eq!(cluster.health().await?.percent(), 0);
    cluster.start_all().await?;
    cluster.client().put("apples", "3").await?;
    Ok(())
}

/// Without a majority nobody leads, and no write is acknowledged. The cluster is left broken: it ends with the test.
#[armadillo::test(markers(crash_test, failover))]
async fn without_a_majority_nothing_is_acknowledged(cluster: Fresh<Etcd>) -> TestResult {
    let client = cluster.client();
    client.put("before", "1").await?;
    let members = cluster.members();
    for member in &members[..2] {
        cluster.server(member).kill().await?;
    }
    let leaderless = when("nobody leads", |health: &Health| {
        health.leader(RAFT).is_none()
    });
    cluster.wait_until(leaderless).await?;
    let hasty = client.with_limit(Duration::from_secs(4));
    let error = hasty.put("after", "2").await.err();
    let error = error.ok_or("it was acknowledged")?;
    assert!(error.is_unknown(), "{error}");

    let last = client.at(&members[2])?;
    let found = last.get_serializable("before").await?;
    assert_eq!(found.ok_or("nothing there")?.text(), "1");
    Ok(())
}
