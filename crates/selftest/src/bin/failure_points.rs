//! Tests that set failure points of a cluster's servers. `tests/exits` says how each must end.

use armadillo::arangodb::fixture::FailurePointError;
use armadillo::deployment::{Level, ServerKey};
use armadillo::prelude::*;
use serde_json::{Value, json};

/// A document cannot be inserted.
const INSERT: &str = "LogicalCollection::insert";

/// A server crashes when it has truncated a collection.
const CRASH: &str = "SegfaultAfterAllCommits";

fn main() -> std::process::ExitCode {
    armadillo::main()
}

#[armadillo::test(cluster(minimal), requires(failure_points))]
async fn a_crash_is_expected(cluster: Exclusive<Cluster>, documents: Collection) -> TestResult {
    let leader = documents.shard_leader().await?;
    let crash = cluster.server(&leader).failure_point(CRASH);
    let crash = crash.set_expecting_crash().await?;
    // Who crashes cannot say that it is done.
    assert!(documents.truncate().await.is_err());
    Ok(crash.seen().await?)
}

#[armadillo::test(cluster(minimal), requires(failure_points))]
async fn b_crash_is_not_expected(cluster: Exclusive<Cluster>, documents: Collection) -> TestResult {
    let leader = documents.shard_leader().await?;
    cluster.server(&leader).failure_point(CRASH).set().await?;
    assert!(documents.truncate().await.is_err());
    Ok(())
}

#[armadillo::test(cluster(minimal), requires(failure_points))]
async fn c_crash_does_not_happen(cluster: Exclusive<Cluster>, documents: Collection) -> TestResult {
    let leader = documents.shard_leader().await?;
    let crash = cluster.server(&leader).failure_point(CRASH);
    crash.set_expecting_crash().await?;
    Ok(())
}

#[armadillo::test(cluster(minimal), requires(failure_points))]
async fn d_point_is_left(cluster: Exclusive<Cluster>, documents: Collection) -> TestResult {
    let point = cluster.failure_point(INSERT).of_role("dbserver");
    point.set().await?;
    let refused = documents.insert(&json!({})).await;
    assert_eq!(refused.err().and_then(|error| error.number()), Some(22));
    point.clear().await?;
    documents.insert(&json!({})).await?;
    Ok(point.set().await?)
}

#[armadillo::test(cluster(minimal))]
async fn d_requests_are_logged(cluster: Exclusive<Cluster>, documents: Collection) -> TestResult {
    let server = cluster.server("coordinator-1");
    let unknown = server.set_log_level("reqests", Level::Debug).await;
    let unknown = unknown.err().ok_or("it was taken")?.to_string();
    assert!(
        unknown.contains("no log topic `reqests`") && unknown.contains(" requests,"),
        "{unknown}"
    );
    let mark = server.log().mark().await?;
    documents.insert(&json!({})).await?;
    let before = server.log().since(mark).lines().await?;
    assert!(
        before
            .iter()
            .all(|line| !line.line.contains("http-request-end"))
    );
    server.set_log_level("requests", Level::Debug).await?;
    documents.insert(&json!({})).await?;
    let line = server.log().wait_for("http-request-end").await?;
    assert_eq!(
        line.record.map(|record| record.level),
        Some(Level::Debug),
        "{}",
        line.line
    );
    Ok(())
}

/// Its process does not live to clear anything.
#[armadillo::test(cluster(minimal), requires(failure_points))]
async fn e_test_dies(cluster: Exclusive<Cluster>, documents: Collection) -> TestResult {
    documents.insert(&json!({})).await?;
    cluster
        .server("agent-1")
        .set_log_level("all", Level::Error)
        .await?;
    cluster.failure_point(INSERT).set().await?;
    std::process::abort();
}

#[armadillo::test(cluster(minimal))]
async fn f_nothing_fails(cluster: Exclusive<Cluster>, documents: Collection) -> TestResult {
    documents.insert(&json!({})).await?;
    for server in cluster.servers() {
        let levels = cluster.server(&server).log_levels().await?;
        let changed = levels.iter().find(|(_, level)| *level != "INFO");
        assert_eq!(changed, None, "{server}");
    }
    Ok(documents.truncate().await?)
}

/// The one that does not lead the shard.
async fn follower(cluster: &Exclusive<Cluster>, documents: &Collection) -> TestResult<ServerKey> {
    let leader = documents.shard_leader().await?;
    let mut others = cluster.dbservers().into_iter();
    let follower = others.find(|server| *server != leader);
    Ok(follower.ok_or("there is no follower")?)
}

/// A follower crashes while it does what its leader has done. The leader goes on without it, and later it has everything again.
#[armadillo::test(
    cluster(minimal, dbservers = 2, replication_factor = 2),
    requires(failure_points)
)]
async fn h_follower_crashes_and_nothing_is_lost(
    cluster: Exclusive<Cluster>,
    documents: Collection,
) -> TestResult {
    documents.insert(&json!({ "_key": "truncated" })).await?;
    let leader = documents.shard_leader().await?;
    let follower = follower(&cluster, &documents).await?;
    let crash = cluster.server(&follower).failure_point(CRASH);
    let crash = crash.set_expecting_crash().await?;
    documents.truncate().await?;
    crash.seen().await?;
    for number in 0..20 {
        let document = json!({ "_key": format!("k{number}") });
        documents.insert(&document).await?;
    }
    cluster.server(&follower).start().await?;
    cluster.wait_until(healthy()).await?;
    cluster.server(&leader).kill().await?;
    cluster.wait_until(healthy().except(&leader)).await?;
    assert_eq!(documents.shard_leader().await?, follower);
    assert_eq!(documents.count().await?, 20);
    for number in 0..20 {
        let kept = documents.get::<Value>(&format!("k{number}")).await?;
        assert!(kept.is_some(), "k{number} was acknowledged");
    }
    Ok(())
}

#[armadillo::test(
    cluster(minimal, dbservers = 2, replication_factor = 2),
    requires(failure_points)
)]
async fn i_follower_crash_is_not_expected(
    cluster: Exclusive<Cluster>,
    documents: Collection,
) -> TestResult {
    let follower = follower(&cluster, &documents).await?;
    cluster.server(&follower).failure_point(CRASH).set().await?;
    Ok(documents.truncate().await?)
}

/// The one that has crashed is in sync again.
#[armadillo::test(cluster(minimal, dbservers = 2, replication_factor = 2))]
async fn j_nobody_crashes(cluster: Exclusive<Cluster>, documents: Collection) -> TestResult {
    cluster.wait_until(healthy()).await?;
    documents.insert(&json!({})).await?;
    Ok(documents.truncate().await?)
}

#[armadillo::test(cluster(minimal))]
async fn g_nothing_can_be_set(cluster: Exclusive<Cluster>) -> TestResult {
    let set = cluster.failure_point(INSERT).set().await;
    assert!(
        matches!(set, Err(FailurePointError::Lacking { .. })),
        "{set:?}"
    );
    Ok(())
}
