//! The stand-in for arangod as a program of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    arangod_emulator::main(std::env::args_os().skip(1).collect())
}
