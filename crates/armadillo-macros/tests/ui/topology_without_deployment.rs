mod fake;

use armadillo::prelude::*;
use fake::cluster;

#[armadillo::test(cluster(servers = 3))]
async fn uses_none(_: TestContext) {}

#[armadillo::test]
async fn nothing_to_act_on(_: Orchestrator) {}

#[armadillo::test(cluster(servers = 3))]
async fn acts_on_it(_: Orchestrator) {}

fn main() {}
