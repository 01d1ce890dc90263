//! Tests that harm their servers, or share them with one that does.

use armadillo::prelude::*;
use armadillo_selftest::brittle::{Brittle, brittle};
use armadillo_selftest::meeting;
use tally_system::{Tally, tally};

#[armadillo::test(tally(servers = 2))]
async fn crashes_a_server(tally: Tally) -> TestResult {
    meeting::with("culprit", "neighbour").await?;
    tally.crash("tally-1").await;
    meeting::come("crashed")
}

/// Has done nothing, but a server it holds crashes.
#[armadillo::test(tally(servers = 2))]
async fn was_there_when_it_crashed(_tally: Tally) -> TestResult {
    meeting::with("neighbour", "culprit").await?;
    meeting::wait_for("crashed").await
}

/// Finds a deployment that works, before the crash or after the repair.
#[armadillo::test(tally(servers = 2))]
async fn finds_both_servers(tally: Exclusive<Tally>) -> TestResult {
    for server in ["tally-1", "tally-2"] {
        tally.add(server, "visits", 1).await?;
    }
    Ok(())
}

#[armadillo::test(brittle(broken))]
async fn its_server_cannot_start(brittle: Brittle) -> TestResult {
    brittle.add(1).await
}

#[armadillo::test]
async fn leaves_a_counter(brittle: Brittle) -> TestResult {
    println!("pid {}", brittle.pid().await?);
    brittle.add(7).await
}

/// Says itself that this is no failure.
#[armadillo::test(checkers(counters = "warn"))]
async fn leaves_a_counter_and_says_so(brittle: Brittle) -> TestResult {
    brittle.add(8).await
}

/// Nobody looks.
#[armadillo::test(checkers(counters = "off"))]
async fn leaves_a_counter_unseen(brittle: Brittle) -> TestResult {
    brittle.add(9).await
}

/// Its server says that it gives up, and goes on.
#[armadillo::test]
async fn makes_its_server_complain(brittle: Fresh<Brittle>) -> TestResult {
    brittle.complain().await
}

/// Runs beside [`fails_in_its_own_way`], on the same server, and fails otherwise.
#[armadillo::test]
async fn fails_in_one_way(brittle: Brittle) -> TestResult {
    meeting::with("one", "other").await?;
    println!("pid {}", brittle.pid().await?);
    panic!("one way");
}

#[armadillo::test]
async fn fails_in_its_own_way(brittle: Brittle) -> TestResult {
    meeting::with("other", "one").await?;
    println!("pid {}", brittle.pid().await?);
    Err("its own way".into())
}

#[armadillo::test]
async fn adds_up_and_cleans_up(brittle: Brittle) -> TestResult {
    brittle.add(7).await?;
    brittle.add(-7).await
}
