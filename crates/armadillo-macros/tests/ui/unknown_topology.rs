mod fake;

use fake::{Cluster, cluster};

#[armadillo::test(clutser(servers = 3))]
async fn misspelt(_: Cluster) {}

#[armadillo::test(cluster(sevrers = 3))]
async fn misspelt_field(_: Cluster) {}

#[armadillo::test(cluster(servers = "three"))]
async fn wrong_type(_: Cluster) {}

#[armadillo::test(cluster(servers = 4))]
async fn wrong_value(_: Cluster) {}

fn main() {}
