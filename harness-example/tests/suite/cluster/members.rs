//! Who is there, and what every coordinator sees.

use armadillo::prelude::*;

#[armadillo::test(markers(smoke_test))]
async fn every_planned_server_is_good(cluster: Cluster) -> TestResult {
    let health = cluster.wait_until(healthy()).await?;
    assert_eq!(health.percent(), 100);
    assert_eq!(health.servers.len(), cluster.servers().len());
    let leader = cluster.leader("agency").await?;
    assert!(cluster.agents().contains(&leader), "{leader}");
    Ok(())
}

#[armadillo::test(markers(cluster_coordination))]
async fn ids_and_short_names_lead_to_servers(cluster: Cluster) -> TestResult {
    for (servers, id, name) in [
        (cluster.dbservers(), "PRMR-", "DBServer"),
        (cluster.coordinators(), "CRDN-", "Coordinator"),
    ] {
        for server in servers {
            let member = cluster.member(&server).await?;
            assert!(member.id.starts_with(id), "{member:?}");
            assert!(member.short_name.starts_with(name), "{member:?}");
            assert_eq!(member.status, ServerStatus::Good);
            let found = cluster.server_named(&member.short_name).await?;
            assert_eq!(found.as_ref(), Some(&server));
        }
    }
    Ok(())
}

#[armadillo::test(cluster(dbservers = 2, coordinators = 2))]
async fn a_database_is_seen_from_every_coordinator(
    coordinators: Coordinators,
    db: Database,
) -> TestResult {
    for (coordinator, client) in coordinators.clients() {
        let databases = client.databases().await?;
        assert!(
            databases.iter().any(|name| name == db.name()),
            "{coordinator}"
        );
    }
    Ok(())
}

#[armadillo::test(cluster(dbservers = 2, coordinators = 2), markers(auth_required))]
async fn a_user_may_do_the_same_on_every_coordinator(
    coordinators: Coordinators,
    db: Database,
    auth: Auth,
) -> TestResult {
    let user = auth.create_user().await?;
    auth.grant(&user, db.name(), Grant::ReadOnly).await?;
    for (coordinator, client) in coordinators.clients() {
        let users = client.users().await?;
        assert!(
            users.iter().any(|known| known.name == user.name()),
            "{coordinator}"
        );
    }
    Ok(())
}

/// Runs on a single server or on a cluster, whichever the run has: `cargo test -- -c`.
#[armadillo::test(markers(arango_cluster))]
async fn a_marker_gives_a_test_on_any_deployment_a_cluster(deployment: Deployment) -> TestResult {
    assert_eq!(deployment.view().topology.shape, "cluster");
    Ok(())
}
