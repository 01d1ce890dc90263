//! Tests over the system of this example. They show what sharing, exclusive leases and faults do, with servers that start
//! in milliseconds.

use std::process::ExitCode;

use armadillo::prelude::*;
use tally_system::{Tally, tally};

fn main() -> ExitCode {
    armadillo::main()
}

armadillo::flags! {
    /// How much is added to a counter.
    static STEP: i64 = 3;
}

#[armadillo::test]
async fn a_counter_adds_up(tally: Tally) -> TestResult {
    tally.add("tally-1", "apples", 2).await?;
    let sum = 2 + STEP.get();
    assert_eq!(tally.add("tally-1", "apples", STEP.get()).await?, sum);
    println!("the sum is {sum}");
    Ok(())
}

#[armadillo::test]
async fn tests_on_one_server_do_not_meet(tally: Tally) -> TestResult {
    assert_eq!(tally.add("tally-1", "apples", 1).await?, 1);
    Ok(())
}

#[armadillo::test(tally(servers = 2))]
async fn servers_count_for_themselves(tally: Tally) -> TestResult {
    tally.add("tally-1", "pears", 1).await?;
    assert_eq!(tally.get("tally-2", "pears").await?, 0);
    Ok(())
}

#[armadillo::test(tally(servers = 2))]
async fn a_killed_server_is_missed_and_comes_back(tally: Exclusive<Tally>) -> TestResult {
    tally.server("tally-1").kill().await?;
    let health = tally.wait_until(healthy().except("tally-1")).await?;
    assert_eq!(health.percent(), 50);
    tally.server("tally-1").start().await?;
    tally.wait_until(healthy()).await?;
    assert_eq!(tally.get("tally-1", "pears").await?, 0);
    Ok(())
}

#[armadillo::test]
async fn a_fresh_server_has_counted_nothing(tally: Fresh<Tally>) -> TestResult {
    assert_eq!(tally.get("tally-1", "apples").await?, 0);
    tally.server("tally-1").pause().await?;
    assert!(!tally.health().await?.is_good());
    tally.server("tally-1").resume().await?;
    Ok(())
}

#[armadillo::test(tally(servers = 2))]
async fn what_acts_on_any_deployment_acts_on_this(tally: Tally, any: Orchestrator) -> TestResult {
    any.wait_until(healthy()).await?;
    assert_eq!(any.servers(), tally.orchestrator().servers());
    Ok(())
}

#[armadillo::test]
fn arithmetic_needs_no_server() {
    assert_eq!([2, 3].iter().sum::<i32>(), 5);
}
