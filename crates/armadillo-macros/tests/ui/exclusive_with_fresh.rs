mod fake;

use armadillo::prelude::*;
use fake::Cluster;

#[armadillo::test]
async fn both(_: Exclusive<Cluster>, _: Fresh<Cluster>) {}

#[armadillo::test]
async fn of_what(_: Exclusive<u32>) {}

fn main() {}
