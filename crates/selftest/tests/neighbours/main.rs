//! Tools that know tests by libtest's conventions find and run ours: nextest, editors, debuggers, coverage.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows test functions, not the helpers beside them"
)]

mod debugger;
mod editor;
mod nextest;
mod reuse;
mod scratch;

use std::process::{Command, Output};

const BUSY: &str = env!("CARGO_BIN_EXE_busy");

/// Cargo in this workspace.
fn cargo(args: &[&str]) -> Command {
    let mut command = armadillo_selftest::cargo::cargo(BUSY);
    command.args(args);
    command
}

/// Runs it; what it printed, and how it ended.
fn output(mut command: Command) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code(), text(stdout), text(stderr))
}
