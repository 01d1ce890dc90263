//! A suite that is always in the middle of something: deployments that start and stop, tests that take their time, tests
//! that leave children behind. All of them pass.

use std::process::{Command, Stdio};
use std::time::Duration;

use armadillo::prelude::*;
use armadillo_selftest::remains;
use tally_system::{Tally, tally};

fn main() -> std::process::ExitCode {
    armadillo::main()
}

/// About how long a test takes.
const A_WHILE: Duration = Duration::from_millis(150);

#[armadillo::test(cases(one(1), two(2), three(3)))]
async fn counts_for_a_while(tally: Tally, #[case] number: i64) -> TestResult {
    for round in 1..=10 {
        let value = tally.add("tally-1", "rounds", number).await?;
        assert_eq!(value, number * round);
        tokio::time::sleep(A_WHILE / 10).await;
    }
    Ok(())
}

#[armadillo::test(tally(servers = 3))]
async fn kills_a_server(tally: Exclusive<Tally>) -> TestResult {
    tally.server("tally-1").kill().await?;
    tally.wait_until(healthy().except("tally-1")).await?;
    Ok(())
}

#[armadillo::test(tally(servers = 3))]
async fn finds_three_servers(tally: Tally) -> TestResult {
    for server in ["tally-1", "tally-2", "tally-3"] {
        assert_eq!(tally.add(server, "visits", 1).await?, 1);
    }
    Ok(())
}

#[armadillo::test]
async fn has_one_of_its_own(tally: Fresh<Tally>) -> TestResult {
    assert_eq!(tally.get("tally-1", "rounds").await?, 0);
    Ok(())
}

/// One child that keeps stdout, one that has left its session and its parents.
#[armadillo::test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test that blocks its thread is what this one is"
)]
fn has_children(cx: TestContext) -> TestResult {
    std::fs::write(cx.temporary_directory().join("file"), "text")?;
    let children = "sleep 600 & setsid sh -c 'sleep 600 & sleep 600' > /dev/null &";
    let shell = Command::new("sh")
        .args(["-c", children])
        .stdin(Stdio::null())
        .status()?;
    assert!(shell.success());
    std::thread::sleep(A_WHILE);
    Ok(())
}

/// A daemon: it has left its session and its parents, and has no environment by which it could be known.
#[armadillo::test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test that blocks its thread is what this one is"
)]
fn has_a_daemon() -> TestResult {
    let seconds = remains::nameless_seconds()?;
    let daemon = format!("setsid env -i sleep {seconds} > /dev/null 2>&1 &");
    let shell = Command::new("sh")
        .args(["-c", &daemon])
        .stdin(Stdio::null())
        .status()?;
    assert!(shell.success());
    std::thread::sleep(A_WHILE);
    Ok(())
}

#[armadillo::test]
fn does_nothing() {}
