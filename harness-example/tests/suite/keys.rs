//! Tests on an etcd cluster that other tests use at the same time: three members, unless a test names another topology.
//!
//! An [`EtcdClient`] puts every key below a prefix of the test's own, and all of them are deleted after the test.

use armadillo::etcd::Expected;
use armadillo::prelude::*;

#[armadillo::test(markers(smoke_test))]
async fn what_is_put_can_be_got(client: EtcdClient) -> TestResult {
    client.put("apples", "3").await?;
    let found = client.get("apples").await?.ok_or("nothing there")?;
    assert_eq!((found.text().as_str(), found.version), ("3", 1));
    assert!(client.delete("apples").await?);
    assert_eq!(client.get("apples").await?, None);
    Ok(())
}

/// Two clients of one test share its prefix; nobody else sees it.
#[armadillo::test]
async fn the_keys_of_a_test_are_its_own(cluster: Etcd, client: &EtcdClient) -> TestResult {
    assert_eq!(cluster.client().prefix(), client.prefix());
    for (key, value) in [("b/2", "two"), ("a", "one"), ("b/1", "half")] {
        client.put(key, value).await?;
    }
    let all = cluster.client().list("").await?;
    let keys: Vec<&str> = all.iter().map(|kv| kv.key.as_str()).collect();
    assert_eq!(keys, ["a", "b/1", "b/2"]);
    assert_eq!(client.delete_prefix("b/").await?, 2);
    Ok(())
}

/// Of ten that want it, one gets it.
#[armadillo::test]
async fn a_lock_is_taken_once(client: EtcdClient) -> TestResult {
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..10 {
        let client = client.clone();
        tasks.spawn(async move {
            let swapped = client
                .compare_and_swap("lock", &Expected::Absent, number.to_string())
                .await;
            (number.to_string(), swapped)
        });
    }
    let mut owners = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let (number, swapped) = done?;
        if swapped?.is_done() {
            owners.push(number);
        }
    }
    let found = client.get("lock").await?.ok_or("nobody took it")?;
    assert_eq!(owners, [found.text()]);
    Ok(())
}

/// What one member acknowledges, each of the others shows to who reads after that.
#[armadillo::test(etcd(members = 3), markers(replication))]
async fn every_member_tells_the_same(cluster: Etcd, client: EtcdClient) -> TestResult {
    let members = cluster.members();
    assert_eq!(members.len(), 3);
    for writer in &members {
        let key = writer.as_str();
        client.at(writer)?.put(key, "written").await?;
        for reader in &members {
            let found = client.at(reader)?.get(key).await?;
            let found = found.ok_or_else(|| format!("{reader} lacks {key}"))?;
            assert_eq!(found.text(), "written");
        }
    }
    Ok(())
}

/// In one term, one member leads and all others follow it. Leaders may change while the members are asked, so only answers of
/// the same term are compared.
#[armadillo::test(markers(cluster_coordination))]
async fn there_is_one_leader(cluster: Etcd, client: &EtcdClient, cx: &TestContext) -> TestResult {
    let health = cluster.wait_until(healthy()).await?;
    cx.attach("health.txt", health.to_string())?;
    let statuses = loop {
        let mut statuses = Vec::new();
        for member in cluster.members() {
            statuses.push(client.status(&member).await?);
        }
        let term = statuses[0].term;
        if (statuses.iter()).all(|status| status.term == term && status.leader.is_some()) {
            break statuses;
        }
    };
    let leaders: Vec<u64> = (statuses.iter())
        .filter(|status| status.leads())
        .map(|status| status.id)
        .collect();
    assert_eq!(leaders.len(), 1, "{statuses:?}");
    assert!(
        (statuses.iter()).all(|status| status.leader == Some(leaders[0])),
        "{statuses:?}"
    );
    Ok(())
}

/// The same marker of ArangoDB's release tests serves here: markers are labels.
#[armadillo::test(etcd(members = 1), markers(rta_suite("inventory")))]
async fn one_member_is_a_cluster(cluster: Etcd, client: &EtcdClient) -> TestResult {
    assert_eq!(cluster.members().len(), 1);
    assert_eq!(cluster.known_members().await?.len(), 1);
    assert_eq!(Some(cluster.leader().await?), cluster.members().pop());
    client.put("apples", "1").await?;
    Ok(())
}

/// `performance` has its deployment for itself while it measures; the figures are kept with the results.
#[armadillo::test(etcd(members = 1), markers(performance))]
async fn how_long_a_write_takes(client: &EtcdClient, cx: &TestContext) -> TestResult {
    let mut took = Vec::new();
    for number in 0..100 {
        let begun = std::time::Instant::now();
        client.put("apples", number.to_string()).await?;
        took.push(begun.elapsed());
    }
    took.sort();
    let figures = format!("median {:.1?}, worst {:.1?}\n", took[50], took[99]);
    cx.attach("figures.txt", &figures)?;
    let found = client.get("apples").await?.ok_or("nothing there")?;
    assert_eq!((found.text().as_str(), found.version), ("99", 100));
    Ok(())
}
