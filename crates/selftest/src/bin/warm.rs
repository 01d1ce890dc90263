//! Tests on a server that may be from an earlier run.

use std::io::Write;
use std::process::ExitCode;

use armadillo::prelude::*;
use armadillo_selftest::brittle::Brittle;
use serde::{Deserialize, Serialize};

fn main() -> ExitCode {
    armadillo::main()
}

/// Adds a line to the notes of whoever has started the run.
fn note(text: &str) -> TestResult {
    let path = std::env::var_os("SELFTEST_NOTES").ok_or("SELFTEST_NOTES is not set")?;
    let mut file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(path)?;
    Ok(writeln!(file, "{text}")?)
}

/// Says which server it has.
#[armadillo::test]
async fn shows(brittle: &Brittle) -> TestResult {
    let view = brittle.view();
    let place = view.places.values().next().ok_or("no server")?;
    let at = place.reach.values().next().ok_or("no port")?;
    note(&format!(
        "on {} {at} {}",
        view.deployment,
        place.dir_outside.display()
    ))
}

#[derive(Serialize, Deserialize)]
struct Kept;

#[armadillo::fixture(per = "deployment", teardown = tear_down)]
async fn kept(_brittle: &Brittle) -> TestResult<Kept> {
    note("set up")?;
    Ok(Kept)
}

async fn tear_down(_kept: &Kept) -> TestResult {
    note("torn down")
}

/// Uses what is kept for the server.
#[armadillo::test]
async fn keeps(_kept: &Kept) {}
