//! The agency: reads, and writes with preconditions.

use armadillo::prelude::*;

#[armadillo::test(markers(cluster_coordination))]
async fn the_plan_names_every_dbserver(cluster: Cluster) -> TestResult {
    let planned = cluster.agency().read(&["/arango/Plan/DBServers"]).await?;
    let planned = &planned["arango"]["Plan"]["DBServers"];
    for server in cluster.dbservers() {
        let id = cluster.member(&server).await?.id;
        assert!(planned.get(&id).is_some(), "{server} is not in {planned}");
    }
    Ok(())
}

/// A write with a precondition that does not hold is no error: it has no effect, and says so.
#[armadillo::test(markers(cluster_coordination))]
async fn a_precondition_keeps_a_write_from_happening_twice(
    cluster: Cluster,
    cx: TestContext,
) -> TestResult {
    let agency = cluster.agency();
    let key = format!("/tests/{}", cx.unique_name("once"));
    let once = Transaction::new()
        .increment(&key, 1)
        .when(&key, Precondition::Empty);
    assert!(agency.write(&once).await?.is_committed());
    assert_eq!(agency.write(&once).await?, Written::PreconditionFailed);
    assert_eq!(agency.get::<u64>(&key).await?, Some(1));
    assert!(
        agency
            .write(&Transaction::new().delete(&key))
            .await?
            .is_committed()
    );
    assert_eq!(agency.get::<u64>(&key).await?, None);
    Ok(())
}
