mod fake;

use armadillo::prelude::*;
use fake::Cluster;

#[armadillo::test]
async fn kills(cluster: Cluster) -> TestResult {
    cluster.server("member-1").kill().await?;
    Ok(())
}

fn main() {}
