//! Tests whose markers contradict what they run on. Any of them ends a run of all, so each is asked for by its exact name.

use armadillo::prelude::*;

#[armadillo::test(markers(arango_cluster))]
async fn a_single_server_that_is_a_cluster(_: SingleServer) {}

#[armadillo::test(markers(arango_single))]
async fn a_cluster_that_is_a_single_server(_: Cluster) {}

#[armadillo::test(markers(arango_cluster, arango_single))]
async fn both(_: Deployment) {}

#[armadillo::test(markers(arango_cluster))]
fn neither() {}

#[armadillo::test(markers(smoke_test))]
async fn nothing_to_act_on(_: Orchestrator) {}

#[armadillo::test(requires(real))]
fn nothing_that_could_be_real() {}

#[armadillo::test(requires(telepathy))]
async fn an_unknown_capability(_: SingleServer) {}

#[armadillo::test(requires(version = ">=3"))]
async fn a_version_of_either(_: Etcd, _: SingleServer) {}

#[armadillo::test(requires(etcd(version = ">=3")))]
async fn a_version_of_another(_: SingleServer) {}

#[armadillo::test(cluster(replication_factor = 3))]
async fn three_copies(cluster: Cluster) {
    assert_eq!(cluster.dbservers().len(), 3);
}

fn main() -> std::process::ExitCode {
    armadillo::main()
}
