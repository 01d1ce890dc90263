mod fake;

use fake::{Cluster, Single, cluster};

#[armadillo::test(cluster(servers = 3), cluster(servers = 5))]
async fn says_two(_: Cluster) {}

#[armadillo::test]
async fn uses_two(_: Cluster, _: Single) {}

#[armadillo::test(cluster(servers = 3))]
async fn says_another(_: Single) {}

fn main() {}
