//! What happens when servers of a cluster fail. Each test has the cluster for itself; afterwards it is repaired.

use std::time::Duration;

use armadillo::arangodb::agency::LogEntry;
use armadillo::arangodb::{ServerStatus, Transaction, Written};
use armadillo::orchestrator::Request;
use armadillo::prelude::*;
use serde_json::json;

#[armadillo::test(cluster(agents = 3), markers(crash_test, failover))]
async fn another_agent_leads_when_the_leader_is_killed(agents: Exclusive<Agents>) -> TestResult {
    let before = agents.leading().await?;
    agents.server(&before.server).kill().await?;
    let after = agents.agency().leader_after(before.term).await?;
    assert_ne!(after.server, before.server);
    agents.wait_until(healthy().except(&before.server)).await?;
    agents.server(&before.server).start().await?;
    agents.wait_until(healthy()).await?;
    assert!(agents.agency_log().await?.disputed_terms().is_empty());
    Ok(())
}

#[armadillo::test(
    cluster(agents = 3, dbservers = 2, coordinators = 2),
    markers(crash_test)
)]
async fn an_agency_of_three_writes_while_one_is_frozen(
    agents: Exclusive<Agents>,
    cx: TestContext,
) -> TestResult {
    let agency = agents.agency();
    let follower = agency.followers().await?.into_iter().next();
    let follower = follower.ok_or("there is no follower")?;
    agents.server(&follower).pause().await?;
    let key = format!("/tests/{}", cx.unique_name("frozen"));
    let written = agency.write(&Transaction::new().set(&key, 1)).await?;
    assert!(written.is_committed());
    agents.server(&follower).resume().await?;
    agents.wait_until(healthy()).await?;
    assert!(
        agency
            .write(&Transaction::new().delete(&key))
            .await?
            .is_committed()
    );
    Ok(())
}

/// A long poll does no harm, so it is asked again of whoever leads next, and its outcome is never unknown.
#[armadillo::test(
    cluster(agents = 3, dbservers = 2, coordinators = 2),
    markers(crash_test, failover)
)]
async fn an_agency_is_polled_while_its_leader_is_killed(
    agents: Exclusive<Agents>,
    cx: TestContext,
) -> TestResult {
    let agency = agents.agency();
    let before = agents.leading().await?;
    let key = format!("/tests/{}", cx.unique_name("polled"));
    let set = |value: u32| Transaction::new().set(&key, value);
    let Written::Committed(index) = agency.write(&set(1)).await? else {
        return Err("it has no precondition".into());
    };

    // An election takes entries of the log, too: only those written under the next leader end the poll.
    let later = index + 50;
    let polled = agency.poll(later, Duration::from_secs(60));
    let written = async {
        // When this is answered, the poll has come to the same agent.
        agency.get::<u32>(&key).await?;
        agents.server(&before.server).kill().await?;
        agency.leader_after(before.term).await?;
        for value in 2..=60 {
            assert!(agency.write(&set(value)).await?.is_committed());
        }
        TestResult::Ok(())
    };
    let (polled, written) = tokio::join!(polled, written);
    written?;
    let changes = polled?;
    assert!(changes.commit_index >= later, "{changes:?}");
    let of_key = |entry: &LogEntry| entry.query.get(&key).is_some();
    assert!(changes.log.iter().any(of_key), "{changes:?}");

    agents.server(&before.server).start().await?;
    agents.wait_until(healthy()).await?;
    let gone = agency.write(&Transaction::new().delete(&key)).await?;
    assert!(gone.is_committed());
    Ok(())
}

/// An agency that was asked before asks the same leader again. When that one is frozen, the next one is asked whether it has
/// what was written, and gets it if not.
#[armadillo::test(
    cluster(agents = 3, dbservers = 2, coordinators = 2),
    markers(crash_test, failover)
)]
async fn an_agency_writes_once_while_its_leader_is_frozen(
    agents: Exclusive<Agents>,
    cx: TestContext,
) -> TestResult {
    let agency = agents.agency();
    let before = agents.leading().await?;
    let key = format!("/tests/{}", cx.unique_name("frozen-leader"));
    let one = Transaction::new().increment(&key, 1);
    assert!(agency.write(&one).await?.is_committed());

    agents.server(&before.server).pause().await?;
    assert!(agency.write(&one).await?.is_committed());
    assert_eq!(agency.get::<u32>(&key).await?, Some(2));
    agents.server(&before.server).resume().await?;
    agents.wait_until(healthy()).await?;
    assert_eq!(agency.get::<u32>(&key).await?, Some(2));
    let gone = agency.write(&Transaction::new().delete(&key)).await?;
    assert!(gone.is_committed());
    Ok(())
}

/// One of three agents is no majority, not even if it led: it gives up, and takes no writes until another is back.
#[armadillo::test(
    cluster(agents = 3, dbservers = 2, coordinators = 2),
    markers(crash_test, failover)
)]
async fn one_agent_of_three_writes_nothing(
    agents: Exclusive<Agents>,
    cx: TestContext,
) -> TestResult {
    let agency = agents.agency();
    let before = agents.leading().await?;
    let mut lost = agents.keys();
    lost.retain(|agent| *agent != before.server);
    let key = format!("/tests/{}", cx.unique_name("majority"));
    let set = |value: u32| Transaction::new().set(&key, value);
    assert!(agency.write(&set(1)).await?.is_committed());

    for agent in &lost {
        agents.server(agent).kill().await?;
    }
    let lone = when("one agent and no leader", |health| {
        health.only(&agents.keys()).percent() == 33 && health.leader("agency").is_none()
    });
    agents.wait_until(lone).await?;
    let leaderless = agency.leaderless().await?;
    let write = Request::post("/_api/agency/write").json(&json!([[{ &key: 2 }]]));
    let answer = agents.client_at(&before.server).request(write).await?;
    assert_eq!(
        (answer.status, answer.text().contains("No leader")),
        (503, true)
    );

    for agent in &lost {
        agents.server(agent).start().await?;
    }
    let after = agency.leader_after(leaderless).await?;
    assert!(after.term > before.term, "{after} after {before}");
    agents.wait_until(healthy()).await?;
    assert_eq!(agency.get::<u32>(&key).await?, Some(1));
    assert!(
        agency
            .write(&Transaction::new().delete(&key))
            .await?
            .is_committed()
    );

    let log = agents.agency_log().await?;
    // Elections between two looks are not in it: somebody led, then nobody, then somebody in a later term.
    let mut seen = log.entries().iter();
    assert!(seen.any(|entry| entry.leader.is_some() && entry.term <= Some(before.term)));
    assert!(seen.any(|entry| entry.leader.is_none()));
    assert!(seen.any(|entry| entry.leader.is_some() && entry.term >= Some(after.term)));
    assert!(log.disputed_terms().is_empty());
    Ok(())
}

#[armadillo::test(markers(crash_test, failover))]
async fn a_stopped_dbserver_is_failed_until_it_is_back(cluster: Exclusive<Cluster>) -> TestResult {
    let server = cluster.dbservers().into_iter().next();
    let server = server.ok_or("there is no dbserver")?;
    let before = cluster.member(&server).await?;
    cluster.server(&server).stop().await?;
    cluster
        .wait_for_status(&server, ServerStatus::Failed)
        .await?;
    cluster.server(&server).start().await?;
    let after = cluster.wait_for_status(&server, ServerStatus::Good).await?;
    assert_eq!((after.id, after.short_name), (before.id, before.short_name));
    Ok(())
}

/// Without dbservers a coordinator still says what it knows: that they are gone, and then that they are back.
#[armadillo::test(markers(crash_test))]
async fn a_coordinator_answers_without_dbservers(dbservers: Exclusive<DbServers>) -> TestResult {
    for server in dbservers.keys() {
        dbservers.server(&server).kill().await?;
    }
    let gone = when("no dbserver", |health| {
        health.only(&dbservers.keys()).percent() == 0
    });
    let health = dbservers.wait_until(gone).await?;
    assert!(health.leader("agency").is_some(), "{health}");
    for server in dbservers.keys() {
        dbservers
            .wait_for_status(&server, ServerStatus::Failed)
            .await?;
    }
    for coordinator in dbservers.coordinators() {
        let client = dbservers.client_at(&coordinator);
        let databases = client.databases().await?;
        assert!(databases.iter().any(|name| name == "_system"));
    }
    for server in dbservers.keys() {
        dbservers.server(&server).start().await?;
        dbservers
            .wait_for_status(&server, ServerStatus::Good)
            .await?;
    }
    dbservers.wait_until(healthy()).await?;
    Ok(())
}

#[armadillo::test(markers(crash_test))]
async fn a_restarted_coordinator_serves_again(cluster: Exclusive<Cluster>) -> TestResult {
    let server = cluster.coordinators().into_iter().next();
    let server = server.ok_or("there is no coordinator")?;
    cluster.server(&server).restart().await?;
    cluster.wait_until(healthy()).await?;
    let databases = cluster.client_at(&server).databases().await?;
    assert!(databases.iter().any(|name| name == "_system"));
    Ok(())
}

/// Longer than the supervision of these clusters needs to find that a server has failed.
const GRACE: Duration = Duration::from_secs(4);

/// In maintenance nobody has failed, however long he is gone. Left on, it would be switched off after the test.
#[armadillo::test(markers(cluster_coordination, crash_test))]
async fn the_supervision_can_be_switched_off(cluster: Exclusive<Cluster>) -> TestResult {
    let server = cluster.dbservers().into_iter().next();
    let server = server.ok_or("there is no dbserver")?;
    cluster.begin_maintenance().await?;
    assert!(cluster.is_in_maintenance().await?);
    cluster.server(&server).stop().await?;
    // That nothing happens can only be seen by looking for a while.
    let failed = cluster.wait_for_status(&server, ServerStatus::Failed);
    let failed = tokio::time::timeout(GRACE, failed).await;
    assert!(failed.is_err(), "{failed:?}");
    cluster.end_maintenance().await?;
    assert!(!cluster.is_in_maintenance().await?);
    cluster
        .wait_for_status(&server, ServerStatus::Failed)
        .await?;
    cluster.server(&server).start().await?;
    cluster.wait_for_status(&server, ServerStatus::Good).await?;
    Ok(())
}
