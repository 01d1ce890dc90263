//! Wherever tests run, everything that can be said holds, or is refused by name.

mod blocks;
mod cells;
mod ends;
mod own_main;
mod retries;
mod trials;

use armadillo_selftest::{Suite, meeting};

/// The ways to run tests that have executors of their own.
const EVERYWHERE: [&str; 4] = ["workers", "process", "in-process", "none"];

fn suite(args: &[&str]) -> Suite {
    let suite = Suite::new(env!("CARGO_BIN_EXE_isolations")).args(args);
    let place = suite.home().join("meeting");
    suite.env(meeting::PLACE, place)
}
