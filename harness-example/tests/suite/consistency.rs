//! What was acknowledged survives, whoever dies: the proof, on systems that speak its vocabulary.
//!
//! Each has a short form, a few rounds with other choices in every run, and a long one for the night. The seed is in the
//! report; `--seed` of the run makes the same choices again. What is proved, and how: `docs/consistency.md`.

use armadillo::consistency::{Fault, Proof, rounds};
use armadillo::prelude::*;

/// One round of each fault.
#[armadillo::test(markers(crash_test, failover, replication), timeout = "3m")]
async fn etcd_keeps_what_it_acknowledged(
    cluster: Exclusive<Etcd>,
    client: &EtcdClient,
    cx: &TestContext,
) -> TestResult {
    let registers = EtcdRegisters::new(client);
    let report = Proof::of_test(cx)
        .rounds(4)
        .run(&registers, &cluster)
        .await?;
    assert_eq!((report.counted(), report.lost()), (4, 0));
    assert!(Fault::ALL.len() <= report.rounds.len());
    Ok(())
}

/// `ARMADILLO_ROUNDS=200 cargo test -- --runslow --exact consistency::etcd_keeps_what_it_acknowledged_for_long`
#[armadillo::test(markers(slow, crash_test, failover, replication), timeout = "2h")]
async fn etcd_keeps_what_it_acknowledged_for_long(
    cluster: Exclusive<Etcd>,
    client: &EtcdClient,
    cx: &TestContext,
) -> TestResult {
    let registers = EtcdRegisters::new(client);
    let report = Proof::of_test(cx).rounds(rounds(40)?);
    println!("{}", report.run(&registers, &cluster).await?);
    Ok(())
}
