//! What a suite and its `armadillo.toml` say of tests when they are collected, and flags of a suite's own.

mod flags;
mod hooks;
mod known;
mod rules;

use armadillo_selftest::{Ran, Suite};

/// The ways to run tests that have executors of their own.
const EVERYWHERE: [&str; 4] = ["workers", "process", "in-process", "none"];

fn suite(args: &[&str]) -> Suite {
    Suite::new(env!("CARGO_BIN_EXE_collecting")).args(args)
}

/// With this `armadillo.toml`.
fn with_file(file: &str, args: &[&str]) -> Ran {
    suite(args).file("armadillo.toml", file).run()
}

/// The names in a list of tests.
fn listed(ran: &Ran) -> Vec<&str> {
    let lines = ran.stdout.lines();
    lines
        .filter_map(|line| line.strip_suffix(": test"))
        .collect()
}
