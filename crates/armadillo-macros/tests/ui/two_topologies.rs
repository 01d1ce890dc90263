mod fake;

use armadillo::prelude::*;
use fake::{Cluster, Queue, Single, cluster};

#[armadillo::test(cluster(servers = 3), cluster(servers = 5))]
async fn says_two(_: Cluster) {}

#[armadillo::test(cluster(servers = 3))]
async fn says_another(_: Single) {}

#[armadillo::test(cluster(servers = 3))]
async fn says_another_of_two(_: Single, _: Queue) {}

#[armadillo::test(cluster(servers = 3))]
async fn fits_two(_: Fresh<Cluster>, _: Fresh<Cluster>) {}

#[armadillo::test(cluster(servers = 3))]
async fn is_said_already(#[topology(cluster(servers = 5))] _: Cluster) {}

#[armadillo::test]
async fn not_of_the_argument(#[topology(cluster(servers = 5))] _: Single) {}

#[armadillo::test]
async fn of_no_deployment(#[topology(cluster)] _: TestContext) {}

#[armadillo::test]
async fn no_topology(#[topology] _: Single, #[topology()] _: Single, #[topology = 5] _: Single) {}

#[armadillo::test]
async fn twice(#[topology(cluster)] #[topology(cluster)] _: Cluster) {}

fn main() {}
