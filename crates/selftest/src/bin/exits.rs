//! Tests whose servers end by themselves, or do not even start, because the tests mean them to. `tests/exits.rs` says how each must end.

use std::time::Duration;

use armadillo::deployment::{Exit, ExitExpectation};
use armadillo::prelude::*;
use armadillo_selftest::brittle::{Brittle, brittle};
use tally_system::{Tally, tally};

/// What a server does that is told to crash.
const ABORT: ExitExpectation = ExitExpectation::signal(6);

/// The one server.
const SERVER: &str = "tally-1";

fn main() -> std::process::ExitCode {
    armadillo::main()
}

#[armadillo::test]
async fn sees_what_it_expects(tally: Exclusive<Tally>) -> TestResult {
    let server = tally.server(SERVER);
    let abort = server.expect_exit(ABORT).await?;
    tally.crash(SERVER).await;
    let exit = abort.seen().await?;
    assert_eq!(exit.signal, Some(6));
    assert_eq!(tally.health().await?.percent(), 0);
    server.start().await?;
    tally.add(SERVER, "visits", 1).await?;
    Ok(())
}

/// The server is started again before the next test.
#[armadillo::test]
async fn expects_anything_and_leaves_it(tally: Exclusive<Tally>) -> TestResult {
    let server = tally.server(SERVER);
    let exit = server.expect_exit(ExitExpectation::any()).await?;
    tally.crash(SERVER).await;
    exit.seen().await?;
    Ok(())
}

#[armadillo::test]
async fn expects_what_does_not_happen(tally: Exclusive<Tally>) -> TestResult {
    tally.server(SERVER).expect_exit(ABORT).await?;
    Ok(())
}

#[armadillo::test]
async fn waits_for_what_does_not_happen(tally: Exclusive<Tally>) -> TestResult {
    let server = tally.server(SERVER).within(Duration::from_millis(50));
    server.expect_exit(ABORT).await?.seen().await?;
    Ok(())
}

#[armadillo::test]
async fn expects_something_else(tally: Exclusive<Tally>) -> TestResult {
    let server = tally.server(SERVER);
    let killed = server.expect_exit(ExitExpectation::signal(9)).await?;
    tally.crash(SERVER).await;
    assert!(killed.seen().await.is_err());
    Ok(())
}

/// What was meant once is a crash the next time.
#[armadillo::test]
async fn expects_one_exit_of_two(tally: Exclusive<Tally>) -> TestResult {
    let server = tally.server(SERVER);
    let abort = server.expect_exit(ABORT).await?;
    tally.crash(SERVER).await;
    abort.seen().await?;
    server.start().await?;
    tally.crash(SERVER).await;
    Ok(())
}

#[armadillo::test(brittle(broken))]
async fn sees_a_start_fail(brittle: Unstarted<Brittle>) -> TestResult {
    let failed = brittle.server(SERVER).start_expecting_failure().await?;
    assert_eq!(failed.exit, Exit::with_code(2));
    assert_eq!(failed.to_string(), "exit code 2: called wrongly");
    assert_eq!(failed.log, "usage: tally ADDRESS\n");
    Ok(())
}

/// Its server starts, and is stopped again.
#[armadillo::test]
async fn expects_a_start_to_fail_that_does_not(tally: Unstarted<Tally>) -> TestResult {
    let server = tally.server(SERVER);
    let failed = server.start_expecting_failure().await;
    assert_eq!(tally.health().await?.percent(), 0);
    failed?;
    Ok(())
}

/// A start that fails and was not meant to.
#[armadillo::test(brittle(broken))]
async fn starts_what_cannot_start(brittle: Unstarted<Brittle>) -> TestResult {
    brittle.server(SERVER).start().await?;
    Ok(())
}

/// Nothing runs before the test says so.
#[armadillo::test(tally(servers = 2))]
async fn starts_one_and_then_all(tally: Unstarted<Tally>) -> TestResult {
    assert_eq!(tally.health().await?.percent(), 0);
    tally.server("tally-2").start().await?;
    tally.add("tally-2", "visits", 1).await?;
    assert_eq!(tally.health().await?.percent(), 50);
    tally.start_all().await?;
    assert!(tally.health().await?.is_good());
    assert_eq!(tally.get("tally-2", "visits").await?, 1);
    Ok(())
}

/// Nothing has to run at all.
#[armadillo::test]
async fn starts_nothing(_tally: Unstarted<Tally>) {}

/// Does not wait for its restarts, and finds the server up each time.
#[armadillo::test]
async fn drops_its_restarts(tally: Exclusive<Tally>) -> TestResult {
    let server = tally.server(SERVER);
    for round in 0..20 {
        let limit = Duration::from_millis(2 * round);
        // At another moment each time.
        let _ = tokio::time::timeout(limit, server.restart()).await;
        tally.wait_until(healthy()).await?;
    }
    Ok(())
}

/// Ends while the server restarts: the next test finds it up.
#[armadillo::test]
async fn leaves_a_restart(tally: Exclusive<Tally>) -> TestResult {
    let server = tally.server(SERVER);
    let _ = tokio::time::timeout(Duration::from_millis(5), server.restart()).await;
    Ok(())
}

/// Whatever the others did, there is a server.
#[armadillo::test]
async fn finds_a_server(tally: Tally) -> TestResult {
    tally.add(SERVER, "visits", 1).await?;
    Ok(())
}
