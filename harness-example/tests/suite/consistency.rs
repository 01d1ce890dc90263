//! What was acknowledged survives, whoever dies: the proof, on systems that speak its vocabulary.
//!
//! Each has a short form, a few rounds with other choices in every run, and a long one for the night. The seed is in the
//! report; `--seed` of the run makes the same choices again. What is proved, and how: `docs/consistency.md`.

use armadillo::consistency::Proof;
use armadillo::prelude::*;

/// One round of each fault.
#[armadillo::test(markers(crash_test, failover, replication), timeout = "3m")]
async fn etcd_keeps_what_it_acknowledged(
    cluster: Exclusive<Etcd>,
    client: &EtcdClient,
    cx: &TestContext,
) -> TestResult {
    let registers = EtcdRegisters::new(client);
    let proof = Proof::of_test(cx).rounds(5);
    println!("{}", proof.run(&registers, &cluster).await?);
    Ok(())
}

/// `cargo test -- --runslow --rounds 200 --exact consistency::etcd_keeps_what_it_acknowledged_for_long`
#[armadillo::test(markers(slow, crash_test, failover, replication), timeout = "2h")]
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
