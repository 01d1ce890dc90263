//! Every server of a cluster in turn, restarted or upgraded, while documents are written.

use armadillo::arangodb::ArangoError;
use armadillo::load::LoadReport;
use armadillo::prelude::*;
use serde_json::{Value, json};

/// Two versions of the emulator. To upgrade a real ArangoDB, write the paths of two programs.
const OLD: &str = "emulator@3.11.14";
const NEW: &str = "emulator@3.12.4";

/// Looks for every acknowledged document, and for those that were refused.
pub(super) async fn is_kept_by(writes: &LoadReport, docs: &Collection) -> TestResult {
    let is_there = async |key: &str| Ok::<_, ArangoError>(docs.get::<Value>(key).await?.is_some());
    Ok(writes.check(is_there).await?)
}

/// Agents, then dbservers, whose shards others lead before they are stopped, then the coordinator, during whose absence nobody
/// answers.
#[armadillo::test(
    cluster(replication_factor = 2),
    markers(slow, crash_test, failover),
    timeout = "3m"
)]
async fn a_rolling_restart_loses_nothing(
    cluster: Exclusive<Cluster>,
    db: Database,
    cx: TestContext,
) -> TestResult {
    let docs = db.create_collection("docs").shards(3).await?;
    let load = docs.load(2);
    load.acknowledges(10).await?;
    let (restarted, meanwhile) = load.during(cluster.rolling_restart()).await;
    let restarted = restarted?;
    cx.attach("restart.txt", format!("{restarted}\n{meanwhile}\n"))?;
    load.acknowledges(10).await?;
    assert_eq!(restarted.restarted().len(), cluster.servers().len());
    is_kept_by(&load.stop().await?, &docs).await
}

/// Before a server starts with a newer version, the harness runs that version once with `--database.auto-upgrade`. Writes go on
/// after each server.
#[armadillo::test(
    cluster(program = OLD, replication_factor = 2),
    markers(slow, failover),
    timeout = "3m"
)]
async fn an_upgrade_loses_nothing(
    cluster: Fresh<Cluster>,
    db: Database,
    cx: TestContext,
) -> TestResult {
    let docs = db.create_collection("docs").shards(3).await?;
    let load = docs.load(2);
    let upgrade = cluster.rolling_upgrade([NEW]);
    let upgraded = upgrade.checked(async |_| Ok(load.acknowledges(10).await?));
    let upgraded = upgraded.await?;
    let writes = load.stop().await?;
    cx.attach("upgrade.txt", format!("{upgraded}\n{writes}\n"))?;
    for server in cluster.servers() {
        let version = cluster.client_at(&server).version().await?;
        assert_eq!(version.version, "3.12.4", "{server}");
    }
    is_kept_by(&writes, &docs).await
}

/// A start that is meant to fail runs no upgrade.
#[armadillo::test(single(program = OLD), markers(crash_test))]
async fn a_newer_version_refuses_data_that_was_not_upgraded(
    single: Fresh<SingleServer>,
    db: Database,
) -> TestResult {
    let docs = db.create_collection("docs").await?;
    docs.insert(&json!({ "_key": "kept" })).await?;
    let server = single.server(single.key());
    let refused = server.restart_with(NEW).expecting_failure().await?;
    assert_eq!(refused.exit.code, Some(11));
    assert!(
        refused.text.contains("must be upgraded first"),
        "{}",
        refused.text
    );
    let advice = "--database.auto-upgrade true";
    assert!(refused.log.contains(advice), "{}", refused.log);

    server.start().await?;
    assert_eq!(single.version().await?.version, "3.12.4");
    assert!(docs.get::<Value>("kept").await?.is_some());
    Ok(())
}
