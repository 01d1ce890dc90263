//! Tests whose servers end by themselves, because the tests mean them to. `tests/exits.rs` says how each must end.

use std::time::Duration;

use armadillo::prelude::*;
use tally_system::Tally;

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

/// Whatever the others did, there is a server.
#[armadillo::test]
async fn finds_a_server(tally: Tally) -> TestResult {
    tally.add(SERVER, "visits", 1).await?;
    Ok(())
}
