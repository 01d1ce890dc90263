//! Tests that need several deployments at once.

use armadillo::deployment::Observe;
use armadillo::prelude::*;
use tally_system::{Tally, tally};

fn main() -> std::process::ExitCode {
    armadillo::main()
}

/// Which deployment a handle is on.
fn name(handle: &impl Observe) -> &str {
    &handle.orchestrator().view().deployment
}

#[armadillo::test]
async fn two_new_ones_are_two(a: Fresh<Tally>, b: Fresh<Tally>) -> TestResult {
    assert_ne!(name(&*a), name(&*b));
    assert_eq!(a.add("tally-1", "sum", 5).await?, 5);
    assert_eq!(b.get("tally-1", "sum").await?, 0);
    b.server("tally-1").kill().await?;
    b.wait_until(healthy().except("tally-1")).await?;
    assert_eq!(a.get("tally-1", "sum").await?, 5);
    a.wait_until(healthy()).await?;
    Ok(())
}

#[armadillo::test]
async fn topologies_are_told_apart(
    #[topology(tally(servers = 2))] two: Tally,
    #[topology(tally(servers = 3))] three: Tally,
    #[on(three)] orchestrator: Orchestrator,
    cx: TestContext,
) -> TestResult {
    assert_eq!((two.servers().len(), three.servers().len()), (2, 3));
    assert_eq!(orchestrator.view().deployment, name(&three));
    let leases: Vec<_> = cx.leases().map(|grant| grant.lease.as_str()).collect();
    assert_eq!(leases.len(), 2);
    assert_eq!(leases[0], leases[1]);
    assert_eq!(two.add("tally-2", "sum", 1).await?, 1);
    assert_eq!(three.get("tally-2", "sum").await?, 0);
    Ok(())
}

/// The sum of two deployments.
struct Sum {
    old: Tally,
    new: Tally,
}

#[armadillo::fixture]
fn sum(
    #[topology(tally(servers = 2))] old: Tally,
    #[topology(tally(servers = 3))] new: Tally,
) -> Sum {
    Sum { old, new }
}

#[armadillo::test(cases(one(1), two(2)))]
async fn a_fixture_brings_two(
    sum: &Sum,
    #[topology(tally(servers = 3))] same: Tally,
    #[case] number: i64,
) -> TestResult {
    let old = sum.old.add("tally-1", "sum", number).await?;
    let new = sum.new.add("tally-1", "sum", number).await?;
    assert_eq!((old, new), (number, number));
    assert_eq!(same.get("tally-1", "sum").await?, number);
    Ok(())
}

/// Of two deployments, one is where the server dies by itself: the crash is this test's.
#[armadillo::test]
async fn one_of_two_crashes(
    #[topology(tally(servers = 2))] calm: Exclusive<Tally>,
    crashing: Fresh<Tally>,
) -> TestResult {
    crashing.crash("tally-1").await;
    crashing.wait_until(healthy().except("tally-1")).await?;
    calm.wait_until(healthy()).await?;
    Ok(())
}

#[armadillo::test]
async fn one_alone_and_one_shared(
    #[topology(tally(servers = 2))] alone: Exclusive<Tally>,
    #[topology(tally(servers = 3))] shared: Tally,
) -> TestResult {
    alone.server("tally-2").kill().await?;
    alone.wait_until(healthy().except("tally-2")).await?;
    shared.wait_until(healthy()).await?;
    Ok(())
}

/// With the one before at the same time, each wants alone what the other shares.
#[armadillo::test]
async fn the_other_way_round(
    #[topology(tally(servers = 2))] shared: Tally,
    #[topology(tally(servers = 3))] alone: Exclusive<Tally>,
) -> TestResult {
    alone.server("tally-3").kill().await?;
    alone.wait_until(healthy().except("tally-3")).await?;
    shared.wait_until(healthy()).await?;
    Ok(())
}
