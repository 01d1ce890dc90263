//! Tests that leave something that only a look at a deployment that nobody uses can find. `tests/looks.rs` says when it
//! is found and whom it is charged to.

use std::time::Duration;

use armadillo::deployment::LogLine;
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

/// Lines are found from the test's beginning, or from a mark on; what others have logged before is not.
#[armadillo::test]
async fn reads_a_log(brittle: Exclusive<Brittle>) -> TestResult {
    let server = brittle.servers().remove(0);
    let log = brittle.server_log(&server);
    brittle.log("one").await?;
    let first = log.wait_for("one").await?;
    assert!(first.line.ends_with("one") && first.record.is_none());
    let mark = log.mark().await?;
    brittle.log("two").await?;
    // What is there already needs no waiting.
    log.wait_for("one").await?;
    let later = log.since(mark);
    let two = later.wait_for(|line: &LogLine| line.line.ends_with("two"));
    assert_eq!(two.await?, later.lines().await?[0]);
    // It goes on after a restart.
    brittle.server(&server).restart().await?;
    brittle.log("three").await?;
    brittle
        .server(&server)
        .log()
        .wait_for(String::from("three"))
        .await?;
    Ok(())
}

#[armadillo::test]
async fn waits_in_vain_for_a_line(brittle: Brittle) -> TestResult {
    let server = brittle.servers().remove(0);
    brittle.log("something").await?;
    let log = brittle
        .server_log(&server)
        .within(Duration::from_millis(200));
    log.wait_for("another thing").await?;
    Ok(())
}

#[armadillo::test]
async fn reads_the_log_of_nobody(brittle: Brittle) -> TestResult {
    brittle.server_log("nobody").lines().await?;
    Ok(())
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
