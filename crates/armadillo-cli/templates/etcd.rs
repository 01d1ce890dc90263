//! Tests on real clusters: `cargo test --test cluster`.

use std::process::ExitCode;

use armadillo::prelude::*;

fn main() -> ExitCode {
    armadillo::main()
}

/// Tests share the cluster, and no test sees the keys of another.
#[armadillo::test]
async fn what_is_put_can_be_got(client: EtcdClient) -> TestResult {
    client.put("apples", "3").await?;
    let found = client.get("apples").await?.ok_or("nothing there")?;
    assert_eq!(found.text(), "3");
    Ok(())
}

/// With `Exclusive`, the test has the cluster to itself and may kill servers.
#[armadillo::test(markers(crash_test))]
async fn a_write_survives_its_leader(cluster: Exclusive<Etcd>, client: EtcdClient) -> TestResult {
    client.put("apples", "3").await?;
    let leader = cluster.leader().await?;
    cluster.server(&leader).kill().await?;
    cluster.wait_until(healthy().except(&leader)).await?;
    assert!(client.get("apples").await?.is_some());
    Ok(())
}
