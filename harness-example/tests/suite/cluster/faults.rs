//! What happens when servers of a cluster fail. Each test has the cluster for itself; afterwards it is repaired.

use armadillo::prelude::*;

#[armadillo::test(cluster(agents = 3), markers(crash_test, failover))]
async fn another_agent_leads_when_the_leader_is_killed(agents: Exclusive<Agents>) -> TestResult {
    let before = agents.leading().await?;
    agents.server(&before.server).kill().await?;
    let after = agents.agency().leader_after(before.term).await?;
    assert_ne!(after.server, before.server);
    agents.wait_until(healthy().except(&before.server)).await?;
    agents.server(&before.server).start().await?;
    agents.wait_until(healthy()).await?;
    assert!(agents.agency().log().disputed_terms().is_empty());
    Ok(())
}

#[armadillo::test(cluster(agents = 3), markers(crash_test))]
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

#[armadillo::test(markers(crash_test))]
async fn a_restarted_coordinator_serves_again(cluster: Exclusive<Cluster>) -> TestResult {
    let server = cluster.coordinators().into_iter().next();
    let server = server.ok_or("there is no coordinator")?;
    cluster.server(&server).restart().await?;
    cluster.wait_until(healthy()).await?;
    assert_eq!(cluster.client_at(&server).databases().await?, ["_system"]);
    Ok(())
}

/// In maintenance nobody is failed over. Left on, it would be switched off after the test.
#[armadillo::test(markers(cluster_coordination))]
async fn the_supervision_can_be_switched_off(cluster: Exclusive<Cluster>) -> TestResult {
    cluster.begin_maintenance().await?;
    assert!(cluster.is_in_maintenance().await?);
    cluster.end_maintenance().await?;
    assert!(!cluster.is_in_maintenance().await?);
    Ok(())
}
