//! What both suites have.

use std::fs::File;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use armadillo::prelude::*;
use armadillo_selftest::meeting;
use tally_system::Tally;

/// If this is set, the main functions print.
const SPEAKS: &str = "PAIR_SPEAKS";

pub(crate) fn main() -> ExitCode {
    // Whoever asks for a plan reads one; and what a process of the harness prints is a protocol.
    let is_part = std::env::args()
        .nth(1)
        .is_some_and(|word| word == "__armadillo");
    let is_run = std::env::var_os("ARMADILLO_GROUP").is_some() && !is_part;
    if std::env::var_os(SPEAKS).is_some() && is_run {
        println!("{} speaks", own());
        eprintln!("{} mutters", own());
    }
    armadillo::main()
}

/// The suite that this is.
fn own() -> &'static str {
    module_path!().split("::").next().unwrap_or_default()
}

#[armadillo::test]
fn passes() {}

#[armadillo::test]
fn prints() {
    println!("printed by {}", own());
}

#[armadillo::test(ignore = "not today")]
fn is_ignored() {}

#[armadillo::test]
async fn counts(tally: Tally) -> TestResult {
    tally.add("tally-1", "apples", 1).await?;
    Ok(())
}

/// Fails if it is this suite's turn.
#[armadillo::test]
fn fails() {
    assert!(!is_to_fail(), "as it was told to");
}

fn is_to_fail() -> bool {
    std::env::var("PAIR_FAILS").is_ok_and(|suite| suite == own())
}

/// Fails when the test of the other suite runs that stays, if it is this suite's turn.
#[armadillo::test(timeout = "3m")]
async fn fails_beside_the_other() -> TestResult {
    if !is_to_fail() {
        return Ok(());
    }
    let other = if own() == "left" { "right" } else { "left" };
    meeting::wait_for(other).await?;
    panic!("while {other} stays");
}

/// Notes in a file of both suites that it begins and that it ends.
async fn takes_a_while() -> TestResult {
    let note = |what: &str| -> TestResult {
        let notes = meeting::path("notes")?;
        let mut notes = File::options().create(true).append(true).open(notes)?;
        notes.write_all(format!("{what} {}\n", own()).as_bytes())?;
        Ok(())
    };
    note("begins")?;
    // Long enough that the other suite comes meanwhile.
    tokio::time::sleep(Duration::from_millis(100)).await;
    note("ends")
}

#[armadillo::test(cases(one(1), two(2), three(3), four(4)))]
async fn takes_a_while_alone(#[case] _number: u32) -> TestResult {
    takes_a_while().await
}

#[armadillo::test(cases(one(1), two(2), three(3), four(4)))]
async fn takes_a_while_on_a_tally(_tally: Tally, #[case] _number: u32) -> TestResult {
    takes_a_while().await
}

/// Runs until it is told to leave.
#[armadillo::test(timeout = "3m")]
async fn stays() -> TestResult {
    meeting::with(own(), "leave").await
}
