//! Tests that end in every way a test can end. `tests/verdicts.rs` knows how each must be judged.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows the test functions of libtest only"
)]

mod dying;
mod fixtures;
mod leftovers;
mod printing;
mod servers;
mod words;

fn main() -> std::process::ExitCode {
    armadillo::main()
}
