//! The proof that acknowledged documents survive, on small clusters: it must fail where the program has a defect.

use std::time::Duration;

use armadillo::arangodb::ArangoRegisters;
use armadillo::consistency::{Fault, Proof};
use armadillo::prelude::*;

/// Two dbservers: whoever is lost, one copy is left.
#[armadillo::test(
    cluster(
        agents = 1,
        dbservers = 2,
        coordinators = 2,
        option("agency.supervision-ok-threshold", "1"),
        option("agency.supervision-grace-period", "2")
    ),
    timeout = "1h"
)]
async fn two_copies(cluster: Exclusive<Cluster>, db: Database, cx: &TestContext) -> TestResult {
    prove(&cluster, &db, 2, cx).await
}

/// Three dbservers: one leads, and the other two may differ.
#[armadillo::test(
    cluster(
        agents = 1,
        dbservers = 3,
        coordinators = 2,
        option("agency.supervision-ok-threshold", "1"),
        option("agency.supervision-grace-period", "2")
    ),
    timeout = "1h"
)]
async fn three_copies(cluster: Exclusive<Cluster>, db: Database, cx: &TestContext) -> TestResult {
    prove(&cluster, &db, 3, cx).await
}

/// Three dbservers, and what they send each other can be cut.
#[armadillo::test(
    cluster(
        agents = 1,
        dbservers = 3,
        coordinators = 2,
        links,
        option("agency.supervision-ok-threshold", "1"),
        option("agency.supervision-grace-period", "2")
    ),
    timeout = "1h"
)]
async fn cut_links(cluster: Exclusive<Cluster>, db: Database, cx: &TestContext) -> TestResult {
    let proof = proof(cx).faults([Fault::CutFollowerThenKillLeaders]);
    run(&proof, &cluster, &db, 3).await
}

async fn prove(
    cluster: &Exclusive<Cluster>,
    db: &Database,
    copies: u32,
    cx: &TestContext,
) -> TestResult {
    run(&proof(cx), cluster, db, copies).await
}

/// A machine that is busy with other tests is no defect.
fn proof(cx: &TestContext) -> Proof {
    let proof = Proof::of_test(cx).limit(Duration::from_secs(120));
    proof.rounds(cx.rounds(6))
}

async fn run(
    proof: &Proof,
    cluster: &Exclusive<Cluster>,
    db: &Database,
    copies: u32,
) -> TestResult {
    let docs = db
        .create_collection("docs")
        .replication_factor(copies)
        .await?;
    let registers = ArangoRegisters::new(cluster, &docs);
    println!("{}", proof.run(&registers, cluster).await?);
    Ok(())
}

fn main() -> std::process::ExitCode {
    armadillo::main()
}
