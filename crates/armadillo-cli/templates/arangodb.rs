//! Tests on real servers: `cargo test --test cluster`.

use std::process::ExitCode;

use armadillo::prelude::*;
use serde_json::json;

fn main() -> ExitCode {
    armadillo::main()
}

/// Each test has a database of its own, which is dropped after it.
#[armadillo::test(single)]
async fn what_is_stored_can_be_read(db: Database) -> TestResult {
    let fruit = db.create_collection("fruit").await?;
    fruit.insert(&json!({"_key": "apples", "count": 3})).await?;
    let apples: serde_json::Value = fruit.get("apples").await?.ok_or("nothing there")?;
    assert_eq!(apples["count"], 3);
    Ok(())
}

/// With `Exclusive`, the test has the cluster to itself and may kill servers.
#[armadillo::test(markers(crash_test))]
async fn a_cluster_survives_a_dbserver(cluster: Exclusive<Cluster>) -> TestResult {
    cluster.server("dbserver-1").kill().await?;
    cluster.wait_until(healthy().except("dbserver-1")).await?;
    Ok(())
}
