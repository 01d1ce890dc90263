mod fake;

use armadillo::prelude::*;
use fake::cluster;

#[armadillo::test(cluster(servers = 3))]
async fn uses_none(_: TestContext) {}

fn main() {}
