//! A crowd of tests on one deployment, one of which crashes a server of it.

use std::time::Duration;

use armadillo::prelude::*;
use armadillo_selftest::meeting;
use tally_system::Tally;

fn main() -> std::process::ExitCode {
    armadillo::main()
}

/// Crashes a server that others may be using, once they had time to come.
#[armadillo::test]
async fn a_culprit(tally: Tally) -> TestResult {
    tokio::time::sleep(Duration::from_millis(30)).await;
    tally.crash("tally-1").await;
    tally.wait_until(healthy().except("tally-1")).await?;
    Ok(())
}

/// Uses a server for a moment, and fails if it is not there.
#[armadillo::test]
async fn uses_it(tally: Tally) -> TestResult {
    let sum = tally.add("tally-1", "sum", 1).await?;
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(tally.get("tally-1", "sum").await? >= sum);
    Ok(())
}

/// Does nothing with it.
#[armadillo::test]
fn holds_it(_tally: Tally) {}

/// Keeps its run from ending until it is told to.
#[armadillo::test]
#[ignore]
async fn stays(tally: Tally) -> TestResult {
    meeting::with("stays", "leave").await?;
    tally.get("tally-1", "sum").await?;
    Ok(())
}

/// Prints what would move a terminal's cursor, and what XML cannot carry.
#[armadillo::test]
#[ignore]
fn plays_with_the_terminal() {
    println!("\x1b]0;mine\x07\x1b[2J\x1b[31mred\x1b[0m \x1b[10A10%\r20% \u{fffe}\u{ffff}\u{9b}2J.");
    println!("\x1b[32mgreen and so on");
    panic!("\x1b[1Aafter \x1bc that");
}

macro_rules! crowd {
    ($($name:ident)*) => {$(
        #[armadillo::test]
        async fn $name(tally: Tally) -> TestResult {
            uses_it(tally).await
        }
    )*};
}

crowd!(
    b01 b02 b03 b04 b05 b06 b07 b08 b09 b10 b11 b12 b13 b14 b15 b16 b17 b18 b19 b20
    b21 b22 b23 b24 b25 b26 b27 b28 b29 b30 b31 b32 b33 b34 b35 b36 b37
);
