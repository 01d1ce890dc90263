mod fake;

use fake::{Cluster, cluster};

#[armadillo::test(cluster(servers = 3, servers = 5))]
async fn a_number(_: Cluster) {}

#[armadillo::test(cluster(servers = 3, servers(5)))]
async fn a_number_in_two_ways(_: Cluster) {}

#[armadillo::test(cluster(minimal, minimal))]
async fn a_word(_: Cluster) {}

#[armadillo::test(cluster(option("a", "1"), option("b", "2"), option("a", "3")))]
async fn options_may_be_repeated(_: Cluster) {}

fn main() {}
