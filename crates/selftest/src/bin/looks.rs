//! Tests that leave something that only a look at a deployment that nobody uses can find. `tests/looks.rs` says when it
//! is found and whom it is charged to.

use armadillo::prelude::*;
use armadillo_selftest::brittle::Brittle;

fn main() -> std::process::ExitCode {
    armadillo::main()
}

#[armadillo::test]
async fn shared_leaves_something(brittle: Brittle) -> TestResult {
    brittle.leave().await
}

#[armadillo::test]
async fn alone_finds_nothing(brittle: Exclusive<Brittle>) -> TestResult {
    assert_eq!(brittle.left().await?, "0");
    Ok(())
}

#[armadillo::test]
async fn alone_leaves_something(brittle: Exclusive<Brittle>) -> TestResult {
    brittle.leave().await
}

/// Says itself that nobody looks.
#[armadillo::test(checkers(leftovers = "off"))]
async fn alone_leaves_something_unseen(brittle: Exclusive<Brittle>) -> TestResult {
    brittle.leave().await
}

/// Says itself that it is only said.
#[armadillo::test(checkers(leftovers = "warn"))]
async fn alone_leaves_something_and_says_so(brittle: Exclusive<Brittle>) -> TestResult {
    brittle.leave().await
}

/// A hundred MiB, and then something that matters.
#[armadillo::test]
async fn logs_very_much(brittle: Fresh<Brittle>) -> TestResult {
    brittle.log("the first words").await?;
    let mebibyte = "x".repeat((1 << 20) - 1);
    for _ in 0..100 {
        brittle.log(&mebibyte).await?;
    }
    brittle.log("the last words").await?;
    // So that what was logged is kept.
    Err("on purpose".into())
}
