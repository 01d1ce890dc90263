//! Who is there, and what every coordinator sees: the same on a cluster as it is by default and on one with two dbservers and
//! two coordinators.

use armadillo::arangodb::{Grant, ServerStatus};
use armadillo::deployment::Request;
use armadillo::prelude::*;
use serde_json::{Value, json};

/// Three agents, three dbservers, a coordinator, unless the command line says otherwise.
mod by_default {
    use super::*;

    #[armadillo::test(markers(smoke_test))]
    async fn every_planned_server_is_good(cluster: Cluster) -> TestResult {
        everybody_is_good(&cluster).await
    }

    #[armadillo::test(markers(cluster_coordination))]
    async fn every_server_knows_its_role_and_its_id(cluster: Cluster) -> TestResult {
        everybody_knows_itself(&cluster).await
    }

    #[armadillo::test]
    async fn a_database_is_seen_from_every_coordinator(
        coordinators: Coordinators,
        db: Database,
    ) -> TestResult {
        is_seen_everywhere(&coordinators, &db).await
    }

    #[armadillo::test(markers(auth_required))]
    async fn a_reader_reads_on_every_coordinator(
        coordinators: Coordinators,
        docs: Collection,
        auth: Auth,
    ) -> TestResult {
        may_read_everywhere(&coordinators, &docs, &auth).await
    }
}

mod with_two_coordinators {
    use super::*;

    #[armadillo::test(cluster(dbservers = 2, coordinators = 2), markers(smoke_test))]
    async fn every_planned_server_is_good(cluster: Cluster) -> TestResult {
        everybody_is_good(&cluster).await
    }

    #[armadillo::test(
        cluster(dbservers = 2, coordinators = 2),
        markers(cluster_coordination)
    )]
    async fn every_server_knows_its_role_and_its_id(cluster: Cluster) -> TestResult {
        everybody_knows_itself(&cluster).await
    }

    #[armadillo::test(cluster(dbservers = 2, coordinators = 2))]
    async fn a_database_is_seen_from_every_coordinator(
        coordinators: Coordinators,
        db: Database,
    ) -> TestResult {
        is_seen_everywhere(&coordinators, &db).await
    }

    #[armadillo::test(cluster(dbservers = 2, coordinators = 2), markers(auth_required))]
    async fn a_reader_reads_on_every_coordinator(
        coordinators: Coordinators,
        docs: Collection,
        auth: Auth,
    ) -> TestResult {
        may_read_everywhere(&coordinators, &docs, &auth).await
    }
}

async fn everybody_is_good(cluster: &Cluster) -> TestResult {
    let health = cluster.wait_until(healthy()).await?;
    assert_eq!(health.percent(), 100);
    assert_eq!(health.servers.len(), cluster.servers().len());
    let leader = cluster.leader("agency").await?;
    assert!(cluster.agents().contains(&leader), "{leader}");
    Ok(())
}

/// What each server says of itself is what the cluster says of it.
async fn everybody_knows_itself(cluster: &Cluster) -> TestResult {
    for (servers, role, short_name) in [
        (cluster.agents(), "AGENT", None),
        (cluster.dbservers(), "PRIMARY", Some("DBServer")),
        (cluster.coordinators(), "COORDINATOR", Some("Coordinator")),
    ] {
        for server in servers {
            let client = cluster.client_at(&server);
            let ask = async |path: &str| {
                let answer = client.request(Request::get(path)).await?;
                TestResult::Ok(answer.json::<Value>()?)
            };
            let said = ask("/_admin/server/role").await?;
            assert_eq!(said["role"], role, "{server}");
            let Some(short_name) = short_name else {
                continue;
            };
            let member = cluster.wait_for_status(&server, ServerStatus::Good).await?;
            let said = ask("/_admin/server/id").await?;
            assert_eq!(said["id"], member.id, "{server}");
            assert!(member.short_name.starts_with(short_name), "{member:?}");
            let found = cluster.server_named(&member.short_name).await?;
            assert_eq!(found.as_ref(), Some(&server));
        }
    }
    Ok(())
}

async fn is_seen_everywhere(coordinators: &Coordinators, db: &Database) -> TestResult {
    for (coordinator, client) in coordinators.clients() {
        let databases = client.databases().await?;
        assert!(
            databases.iter().any(|name| name == db.name()),
            "{coordinator}"
        );
    }
    Ok(())
}

/// A grant that one coordinator was told holds at all of them, and so does its end.
async fn may_read_everywhere(
    coordinators: &Coordinators,
    docs: &Collection,
    auth: &Auth,
) -> TestResult {
    docs.insert(&json!({ "_key": "apples" })).await?;
    let (user, db) = (auth.create_user().await?, docs.database());
    auth.grant(&user, db.name(), Grant::ReadOnly).await?;
    for coordinator in coordinators.keys() {
        let theirs = user.client().at(&coordinator)?.database(db.name());
        let theirs = theirs.collection(docs.name());
        assert!(
            theirs.get::<Value>("apples").await?.is_some(),
            "{coordinator}"
        );
        let written = theirs.insert(&json!({})).await;
        let refused = written
            .as_ref()
            .is_err_and(|error| error.status() == Some(403));
        assert!(refused, "{coordinator}: {written:?}");
    }
    auth.grant(&user, db.name(), Grant::None).await?;
    for coordinator in coordinators.keys() {
        let theirs = user.client().at(&coordinator)?.database(db.name());
        let read = theirs.collection(docs.name()).get::<Value>("apples").await;
        assert!(read.is_err(), "{coordinator}: {read:?}");
    }
    Ok(())
}

/// What can be asked without knowing the system: the topology says which one it is.
#[armadillo::test(cluster)]
async fn a_topology_is_enough_for_an_orchestrator(deployment: Orchestrator) -> TestResult {
    deployment.wait_until(healthy()).await?;
    assert_eq!(deployment.servers_of("agent").len(), 3);
    Ok(())
}

/// And so is a marker that gives a test its shape.
#[armadillo::test(markers(arango_cluster))]
async fn so_is_a_marker(deployment: Orchestrator) -> TestResult {
    deployment.wait_until(healthy()).await?;
    assert_eq!(deployment.view().topology.shape, "cluster");
    Ok(())
}

/// Runs on a single server or on a cluster, whichever the run has: `cargo test -- -c`.
#[armadillo::test(markers(arango_cluster))]
async fn a_marker_gives_a_test_on_any_deployment_a_cluster(deployment: Deployment) -> TestResult {
    assert_eq!(deployment.view().topology.shape, "cluster");
    Ok(())
}
