//! Tests on a server in C (`--brittle PATH`) that fails as programs in C do. `tests/exits` says how each must end.

use armadillo::deployment::ExitExpectation;
use armadillo::prelude::*;
use armadillo_selftest::brittle::Brittle;
use armadillo_selftest::meeting;

/// The one server.
const SERVER: &str = "tally-1";

fn main() -> std::process::ExitCode {
    armadillo::main()
}

/// The server commits a fault; it may not live to say that it did.
async fn commit(brittle: &Brittle, fault: &str) {
    let _ = brittle.log(fault).await;
}

#[armadillo::test]
async fn follows_null(brittle: Brittle) {
    commit(&brittle, "null").await;
}

#[armadillo::test]
async fn follows_null_as_expected(brittle: Exclusive<Brittle>) -> TestResult {
    let segmentation_fault = ExitExpectation::signal(11);
    let exit = brittle
        .server(SERVER)
        .expect_exit(segmentation_fault)
        .await?;
    commit(&brittle, "null").await;
    assert!(exit.seen().await?.core);
    Ok(())
}

#[armadillo::test]
async fn asserts(brittle: Brittle) {
    commit(&brittle, "assert").await;
}

#[armadillo::test]
async fn throws(brittle: Brittle) {
    commit(&brittle, "throw").await;
}

#[armadillo::test]
async fn reads_behind_the_last(brittle: Brittle) {
    commit(&brittle, "last").await;
}

#[armadillo::test]
async fn finds_a_server(brittle: Brittle) -> TestResult {
    brittle.add(0).await
}

/// They have the server at the same time, and one of them is to blame.
mod together {
    use super::*;

    #[armadillo::test]
    async fn overflows(brittle: Brittle) -> TestResult {
        meeting::with("one", "other").await?;
        commit(&brittle, "overflow").await;
        meeting::with("one.done", "other.done").await
    }

    #[armadillo::test]
    async fn is_there(_brittle: Brittle) -> TestResult {
        meeting::with("other", "one").await?;
        meeting::with("other.done", "one.done").await
    }
}

#[armadillo::test]
async fn adds_too_much(brittle: Brittle) {
    commit(&brittle, "sum").await;
}

#[armadillo::test]
async fn races(brittle: Brittle) {
    commit(&brittle, "race").await;
}

#[armadillo::test]
async fn forgets(brittle: Brittle) {
    commit(&brittle, "leak").await;
}

#[armadillo::test]
async fn forgets_and_restarts(brittle: Exclusive<Brittle>) -> TestResult {
    commit(&brittle, "leak").await;
    brittle.server(SERVER).restart().await?;
    Ok(())
}
