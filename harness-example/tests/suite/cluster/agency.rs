//! The agency: reads, and writes with preconditions, on two shapes of clusters.

use armadillo::arangodb::{AgencyError, Answer, Precondition, Query, Transaction, Written};
use armadillo::prelude::*;

/// Three agents, three dbservers, a coordinator, unless the command line says otherwise.
mod by_default {
    use super::*;

    #[armadillo::test(markers(cluster_coordination))]
    async fn the_plan_names_every_dbserver(cluster: Cluster) -> TestResult {
        every_dbserver_is_planned(&cluster).await
    }

    #[armadillo::test(markers(cluster_coordination))]
    async fn a_precondition_keeps_a_write_from_happening_twice(
        cluster: Cluster,
        cx: TestContext,
    ) -> TestResult {
        happens_once(&cluster, &cx).await
    }
}

mod with_two_coordinators {
    use super::*;

    #[armadillo::test(
        cluster(dbservers = 2, coordinators = 2),
        markers(cluster_coordination)
    )]
    async fn the_plan_names_every_dbserver(cluster: Cluster) -> TestResult {
        every_dbserver_is_planned(&cluster).await
    }

    #[armadillo::test(
        cluster(dbservers = 2, coordinators = 2),
        markers(cluster_coordination)
    )]
    async fn a_precondition_keeps_a_write_from_happening_twice(
        cluster: Cluster,
        cx: TestContext,
    ) -> TestResult {
        happens_once(&cluster, &cx).await
    }
}

async fn every_dbserver_is_planned(cluster: &Cluster) -> TestResult {
    let planned = cluster.agency().read(&["/arango/Plan/DBServers"]).await?;
    let planned = &planned["arango"]["Plan"]["DBServers"];
    for server in cluster.dbservers() {
        let id = cluster.member(&server).await?.id;
        assert!(planned.get(&id).is_some(), "{server} is not in {planned}");
    }
    Ok(())
}

/// A write with a precondition that does not hold is no error: it has no effect, and says so.
async fn happens_once(cluster: &Cluster, cx: &TestContext) -> TestResult {
    let agency = cluster.agency();
    let key = format!("/tests/{}", cx.unique_name("once"));
    let once = Transaction::new()
        .increment(&key, 1)
        .when(&key, Precondition::Empty);
    assert!(agency.write(&once).await?.is_committed());
    assert_eq!(agency.write(&once).await?, Written::PreconditionFailed);
    assert_eq!(agency.get::<u64>(&key).await?, Some(1));
    let delete = Transaction::new().delete(&key);
    assert!(agency.write(&delete).await?.is_committed());
    assert_eq!(agency.get::<u64>(&key).await?, None);
    Ok(())
}

/// Two conditions of one kind on a key cannot both be said, so the agency is not asked at all.
#[armadillo::test(markers(cluster_coordination))]
async fn a_transaction_that_would_lose_a_precondition_is_not_sent(
    cluster: Cluster,
    cx: TestContext,
) -> TestResult {
    let agency = cluster.agency();
    let key = format!("/tests/{}", cx.unique_name("tags"));
    let tagged = Transaction::new().set(&key, ["a"].map(String::from).to_vec());
    assert!(agency.write(&tagged).await?.is_committed());

    let has = |tag: &str| Precondition::Contains(tag.into());
    let delete = Transaction::new().delete(&key);
    let lossy = delete.clone().when(&key, has("b")).when(&key, has("a"));
    let refused = agency.write(&lossy).await;
    assert!(
        matches!(refused, Err(AgencyError::Conflict(_))),
        "{refused:?}"
    );

    let none_of = |tags: [&str; 2]| {
        let tags = tags.map(|tag| tag.into()).to_vec();
        delete
            .clone()
            .when(&key, Precondition::IntersectionEmpty(tags))
    };
    let answers = agency
        .transact(&[
            Query::Write(none_of(["b", "a"])),
            Query::Read(vec![key.clone()]),
            Query::Write(none_of(["b", "c"])),
        ])
        .await?;
    assert!(matches!(answers[0], Answer::PreconditionFailed(_)));
    assert!(matches!(answers[2], Answer::Committed(_)));
    assert_eq!(agency.get::<Vec<String>>(&key).await?, None);
    Ok(())
}
