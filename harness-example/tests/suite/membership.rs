//! Members that come and go, with writers going on: what was acknowledged is found, whoever joins or leaves.
//!
//! A member that a test adds is planned from the beginning: `etcd(spares = 1)` reserves its ports and its directory, and starts
//! nothing. Each operation returns when the cluster is as it should be, and is refused if it would cost the cluster its majority.

use std::time::{Duration, Instant};

use armadillo::deployment::Outcome;
use armadillo::prelude::*;

use crate::load::is_kept_by;

/// What each operation took, for a report.
#[derive(Default)]
struct Times(String);

impl Times {
    async fn of<T>(&mut self, what: &str, operation: impl IntoFuture<Output = T>) -> T {
        let begun = Instant::now();
        let outcome = operation.into_future().await;
        self.0 += &format!("{what}: {:.2?}\n", begun.elapsed());
        outcome
    }
}

/// A cluster of three gets a fourth member, and loses one of the first three: its leader, the hardest case.
#[armadillo::test(etcd(spares = 1), markers(slow, failover))]
async fn a_member_joins_and_the_leader_leaves(
    cluster: Fresh<Etcd>,
    client: EtcdClient,
    cx: TestContext,
) -> TestResult {
    let mut times = Times::default();
    let load = client.load(3);
    load.acknowledges(100).await?;
    let added = times.of("add a member", cluster.add_member()).await?;
    cluster.wait_until(healthy()).await?;
    assert_eq!(cluster.members().len(), 4);
    load.acknowledges(100).await?;

    let leader = cluster.leader().await?;
    times
        .of("remove the leader", cluster.remove_member(&leader))
        .await?;
    cluster.wait_until(healthy()).await?;
    assert!(!cluster.members().contains(&leader));
    assert_eq!(cluster.known_members().await?.len(), 3);
    load.acknowledges(100).await?;

    let writes = load.stop().await?;
    cx.attach("times.txt", times.0 + &writes.to_string())?;
    is_kept_by(&writes, &client.at(&added)?).await
}

/// A learner follows without a vote, until it is promoted.
#[armadillo::test(etcd(spares = 1), markers(slow, failover), timeout = "2m")]
async fn a_learner_is_promoted(
    cluster: Fresh<Etcd>,
    client: EtcdClient,
    cx: TestContext,
) -> TestResult {
    let mut times = Times::default();
    let load = client.load(3);
    load.acknowledges(100).await?;
    let learner = times.of("add a learner", cluster.add_learner()).await?;
    cluster.wait_until(healthy()).await?;
    let known = cluster.known_members().await?;
    let votes = known.iter().filter(|member| !member.is_learner);
    assert_eq!(votes.count(), 3);
    load.acknowledges(100).await?;

    times.of("promote it", cluster.promote(&learner)).await?;
    cluster.wait_until(healthy()).await?;
    let known = cluster.known_members().await?;
    assert!(known.iter().all(|member| !member.is_learner));
    load.acknowledges(100).await?;

    let writes = load.stop().await?;
    cx.attach("times.txt", times.0 + &writes.to_string())?;
    is_kept_by(&writes, &client.at(&learner)?).await
}

/// A member goes to another address with its data, as to another machine. Its links go with it: what it sends to others is on
/// connections that they open to its new address.
#[armadillo::test(etcd(spares = 1, links), markers(slow, failover))]
async fn a_member_moves_to_another_address(
    cluster: Fresh<Etcd>,
    client: EtcdClient,
    cx: TestContext,
) -> TestResult {
    let mut times = Times::default();
    let load = client.load(3);
    load.acknowledges(100).await?;
    let member = cluster.leader().await?;
    let address = async || -> TestResult<Vec<String>> {
        let known = cluster.known_members().await?;
        let known = (known.into_iter()).find(|known| known.server.as_ref() == Some(&member));
        Ok(known.ok_or("it is not a member")?.peer_urls)
    };
    let before = address().await?;
    times
        .of("move the leader", cluster.move_member(&member))
        .await?;
    cluster.wait_until(healthy()).await?;
    assert_ne!(address().await?, before);
    load.acknowledges(100).await?;
    let mut members = cluster.members().into_iter();
    let other = members.find(|other| *other != member);
    let sent = cluster
        .links()
        .from(&member)
        .to(other.ok_or("it is alone")?);
    sent.clone().stream("message").cut().await?;
    sent.heal().await?;
    cluster.wait_until(healthy()).await?;

    let writes = load.stop().await?;
    cx.attach("times.txt", times.0 + &writes.to_string())?;
    is_kept_by(&writes, &client.at(&member)?).await
}

/// With one member down, two of three are the majority: the cluster can lose neither of them.
#[armadillo::test(markers(crash_test))]
async fn a_majority_is_kept(cluster: Exclusive<Etcd>) -> TestResult {
    let [first, down, other] = cluster.members().try_into().map_err(|_| "not three")?;
    cluster.server(&down).kill().await?;
    cluster.wait_until(healthy().except(&down)).await?;
    let refused = cluster.remove_member(&first).await;
    let refused = refused.err().ok_or("it was removed")?;
    let says = format!(
        "2 of 3 members are healthy; removing {first} would leave 1 of 2, which is no majority; \
         `.force()` in a test, `--force` on the command line, does it all the same"
    );
    assert_eq!(refused.to_string(), says);
    // The one that is down does not help: without it, two of two are left.
    cluster.remove_member(&down).await?;
    cluster.wait_until(healthy()).await?;
    assert_eq!(cluster.members(), [first, other]);
    // It may come back, as a new member.
    let added = cluster.add_member().await?;
    assert_eq!(added, down);
    cluster.wait_until(healthy()).await?;
    Ok(())
}

/// A member that runs and does not do its part, because it is cut off here, may come back: nothing is refused before it had time to.
#[armadillo::test(etcd(links), markers(crash_test))]
async fn a_member_that_is_cut_off_has_time_to_come_back(cluster: Exclusive<Etcd>) -> TestResult {
    let [first, cut_off, other] = cluster.members().try_into().map_err(|_| "not three")?;
    cluster.links().cut_off(&cut_off).await?;
    let is_missed = when("a member that is missed", |health| !health.is_good());
    cluster.wait_until(is_missed).await?;
    let heals = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        cluster.links().heal().await
    };
    let removed = cluster.remove_member(&first).into_future();
    let (removed, healed) = tokio::join!(removed, heals);
    healed?;
    removed?;
    assert_eq!(cluster.members(), [cut_off, other]);
    Ok(())
}

/// A change is an operation. Until there is no way back, it can be cancelled, and then everything is as it was before: here while
/// the cluster, which has just started, accepts no change yet.
#[armadillo::test(etcd(spares = 1), markers(slow))]
async fn an_addition_is_cancelled(cluster: Fresh<Etcd>) -> TestResult {
    let addition = cluster.add_member();
    let plan = addition.plan().await?.to_string();
    let steps: Vec<&str> = plan.lines().collect();
    assert_eq!(
        steps,
        [
            "member addition",
            "   1. member-4: add-member",
            "   2. member-4: join",
            "   3. member-4: start",
            "   4. member-4: wait for read",
        ]
    );
    let addition = addition.start().await?;
    // One at a time.
    let second = cluster.rolling_restart().start().await;
    let second = second.err().ok_or("two at once")?.to_string();
    assert!(
        second.contains("member addition) is in progress"),
        "{second}"
    );
    let status = addition.cancel().await?;
    assert_eq!(status.outcome, Outcome::Cancelled, "{status}");
    assert_eq!(cluster.known_members().await?.len(), 3);
    assert_eq!(cluster.members().len(), 3);
    cluster.wait_until(healthy()).await?;
    // It is a spare as before.
    let added = cluster.add_member().await?;
    assert_eq!(added, *addition.outcome());
    cluster.wait_until(healthy()).await?;
    let all = cluster.operations().await?;
    let outcomes: Vec<&Outcome> = all.iter().map(|status| &status.outcome).collect();
    assert_eq!(outcomes, [&Outcome::Cancelled, &Outcome::Done]);
    Ok(())
}

/// Whoever is named leads, and nothing is lost on the way.
#[armadillo::test(markers(failover))]
async fn leadership_is_given_to_each(
    cluster: Exclusive<Etcd>,
    client: EtcdClient,
    cx: TestContext,
) -> TestResult {
    let load = client.load(3);
    let mut report = String::new();
    for member in cluster.members() {
        load.acknowledges(20).await?;
        let (transferred, writes) = load.during(cluster.transfer_leadership(&member)).await;
        transferred?;
        assert_eq!(cluster.leader().await?, member);
        report += &format!("{member}: {writes}\n");
    }
    cx.attach("transfers.txt", report)?;
    is_kept_by(&load.stop().await?, &client).await
}
