//! Tests of what every `arangod` must give: it is ready, its users are there, it is healthy, it stops and starts again.
//! `tests/contact.rs` runs them on a program that answers as the sources of `arangod` say.

use armadillo::arangodb::ArangoClient;
use armadillo::prelude::*;

fn main() -> std::process::ExitCode {
    armadillo::main()
}

/// Asks as the user `root`, with a password: at the first moment that a test has.
async fn root_is_there(client: &ArangoClient, deployment: &Deployment) -> TestResult {
    let password = client.connection().password;
    let root = ArangoClient::user(deployment.view(), "root", &password);
    assert_eq!(root.version().await?.server, "arango");
    Ok(())
}

#[armadillo::test]
async fn a_single_server(server: SingleServer) -> TestResult {
    root_is_there(&server.client(), &server).await?;
    assert_eq!(server.client().databases().await?, ["_system"]);
    assert_eq!(server.health().await?.percent(), 100);
    Ok(())
}

#[armadillo::test]
async fn a_single_server_again(server: Exclusive<SingleServer>) -> TestResult {
    server.server(server.key()).restart().await?;
    root_is_there(&server.client(), &server).await?;
    assert_eq!(server.health().await?.percent(), 100);
    Ok(())
}

#[armadillo::test(cluster(fast_failover))]
async fn a_cluster_that_fails_over_soon(cluster: Cluster) -> TestResult {
    assert_eq!(cluster.health().await?.percent(), 100);
    Ok(())
}

#[armadillo::test]
async fn a_cluster(cluster: Cluster) -> TestResult {
    root_is_there(&cluster.client(), &cluster).await?;
    let health = cluster.health().await?;
    assert!(health.is_good(), "{health}");
    assert_eq!(health.servers.len(), 7);
    Ok(())
}
