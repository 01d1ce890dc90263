//! What was acknowledged survives, whoever dies: the proof, on systems that speak its vocabulary.
//!
//! Each has a short form, a few rounds with other choices in every run, and a long one for the night. The seed is in the
//! report; `--seed` of the run makes the same choices again. What is proved, and how: `docs/consistency.md`.

use armadillo::arangodb::ArangoRegisters;
use armadillo::consistency::{Fault, Proof};
use armadillo::etcd::EtcdRegisters;
use armadillo::prelude::*;

/// Four rounds, each with another fault: which ones, the seed says.
#[armadillo::test(
    etcd(links),
    markers(crash_test, failover, replication),
    timeout = "3m"
)]
async fn etcd_keeps_what_it_acknowledged(
    cluster: Exclusive<Etcd>,
    client: &EtcdClient,
    cx: &TestContext,
) -> TestResult {
    let registers = EtcdRegisters::new(client);
    let proof = Proof::of_test(cx).rounds(4);
    println!("{}", proof.run(&registers, &cluster).await?);
    Ok(())
}

/// Two rounds with links that lose or delay what members send each other.
#[armadillo::test(
    etcd(links),
    markers(crash_test, failover, replication),
    timeout = "3m"
)]
async fn etcd_keeps_what_it_acknowledged_on_bad_links(
    cluster: Exclusive<Etcd>,
    client: &EtcdClient,
    cx: &TestContext,
) -> TestResult {
    let registers = EtcdRegisters::new(client);
    let faults = [Fault::CutFollowerThenKillLeaders, Fault::DelayLeader];
    let proof = Proof::of_test(cx).faults(faults).rounds(2);
    println!("{}", proof.run(&registers, &cluster).await?);
    Ok(())
}

/// A member joins and the leader leaves, for good. etcd accepts changes when it has known its members for five seconds.
#[armadillo::test(
    etcd(spares = 1),
    markers(crash_test, failover, replication),
    timeout = "3m"
)]
async fn etcd_keeps_what_it_acknowledged_when_its_leader_is_replaced(
    cluster: Exclusive<Etcd>,
    client: &EtcdClient,
    cx: &TestContext,
) -> TestResult {
    let registers = EtcdRegisters::new(client);
    let before = cluster.members();
    let proof = Proof::of_test(cx).faults([Fault::ReplaceLeader]).rounds(1);
    println!("{}", proof.run(&registers, &cluster).await?);
    // Which ones, nobody knows: a round that did not count is played again, and may bring the first one back.
    assert_eq!(cluster.members().len(), before.len());
    Ok(())
}

/// `cargo test -- --runslow --rounds 200 --exact consistency::etcd_keeps_what_it_acknowledged_for_long`
#[armadillo::test(
    etcd(links, spares = 1),
    markers(slow, crash_test, failover, replication),
    timeout = "2h"
)]
async fn etcd_keeps_what_it_acknowledged_for_long(
    cluster: Exclusive<Etcd>,
    client: &EtcdClient,
    cx: &TestContext,
) -> TestResult {
    let registers = EtcdRegisters::new(client);
    let proof = Proof::of_test(cx).rounds(cx.rounds(40));
    println!("{}", proof.run(&registers, &cluster).await?);
    Ok(())
}

/// The same, and an upgrade in the middle of it. 3.7 starts only on data whose log has nothing of 3.5 any more, so members take a
/// snapshot often.
///
/// `cargo test -- --runslow --rounds 100 --exact consistency::etcd_keeps_what_it_acknowledged_through_upgrades`
#[armadillo::test(
    etcd(links, spares = 1, version = "3.5.35", option("snapshot-count", "500")),
    markers(slow, crash_test, failover, replication),
    timeout = "2h"
)]
async fn etcd_keeps_what_it_acknowledged_through_upgrades(
    cluster: Exclusive<Etcd>,
    client: &EtcdClient,
    cx: &TestContext,
) -> TestResult {
    let path = ["3.6.16", "3.7.3"];
    match cluster.rolling_upgrade(path).plan().await {
        Err(error) if error.lacks_version() => armadillo::skip!("{error}"),
        planned => drop(planned?),
    }
    let registers = EtcdRegisters::new(client);
    let proof = Proof::of_test(cx).rounds(cx.rounds(40)).upgrade(path);
    let report = proof.run(&registers, &cluster).await?;
    println!("{report}");
    let mut rounds = report.rounds.iter();
    assert!(rounds.any(|round| round.fault == Fault::RollingUpgrade));
    Ok(())
}

/// Two rounds: a failover of a cluster takes some seconds.
#[armadillo::test(
    cluster(coordinators = 2),
    markers(crash_test, failover, replication),
    timeout = "5m"
)]
async fn a_cluster_keeps_the_documents_it_acknowledged(
    cluster: Exclusive<Cluster>,
    db: Database,
    cx: &TestContext,
) -> TestResult {
    let docs = db.create_collection("docs").replication_factor(2).await?;
    let registers = ArangoRegisters::new(&cluster, &docs);
    // Kills alone: the other faults are those of the long form.
    let faults = [Fault::KillLeader, Fault::KillFollowerThenLeader];
    let proof = Proof::of_test(cx).faults(faults).rounds(2);
    println!("{}", proof.run(&registers, &cluster).await?);
    Ok(())
}

/// Faults of every kind on a cluster that is upgraded in one of the rounds: agents, dbservers and the coordinator.
///
/// `cargo test -- --runslow --rounds 100 --exact consistency::a_cluster_keeps_the_documents_it_acknowledged_through_an_upgrade`
#[armadillo::test(
    cluster(program = "emulator@3.11.14", links, spare_dbservers = 1),
    markers(slow, crash_test, failover, replication),
    timeout = "2h"
)]
async fn a_cluster_keeps_the_documents_it_acknowledged_through_an_upgrade(
    cluster: Exclusive<Cluster>,
    db: Database,
    cx: &TestContext,
) -> TestResult {
    let docs = db.create_collection("docs").replication_factor(2).await?;
    let registers = ArangoRegisters::new(&cluster, &docs);
    let proof = Proof::of_test(cx).rounds(cx.rounds(20));
    let proof = proof.upgrade(["emulator@3.12.4"]);
    let report = proof.run(&registers, &cluster).await?;
    println!("{report}");
    let mut rounds = report.rounds.iter();
    assert!(rounds.any(|round| round.fault == Fault::RollingUpgrade && round.counts()));
    for server in cluster.servers() {
        let version = cluster.client_at(&server).version().await?;
        assert_eq!(version.version, "3.12.4", "{server}");
    }
    Ok(())
}

/// `cargo test -- --runslow --rounds 200 consistency::a_cluster_keeps_the_documents_it_acknowledged_for_long`
#[armadillo::test(
    cluster(coordinators = 2, links, spare_dbservers = 1),
    markers(slow, crash_test, failover, replication),
    timeout = "4h",
    cases(two_copies(1, 2), three_copies(1, 3), three_shards(3, 2))
)]
async fn a_cluster_keeps_the_documents_it_acknowledged_for_long(
    cluster: Exclusive<Cluster>,
    db: Database,
    cx: &TestContext,
    #[case] shards: u32,
    #[case] copies: u32,
) -> TestResult {
    let docs = db.create_collection("docs").shards(shards);
    let docs = docs.replication_factor(copies).await?;
    let registers = ArangoRegisters::new(&cluster, &docs);
    let proof = Proof::of_test(cx).rounds(cx.rounds(20));
    println!("{}", proof.run(&registers, &cluster).await?);
    Ok(())
}
