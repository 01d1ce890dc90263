//! The first contact with an `arangod` that is not the emulator: a program that answers as the sources of `arangod` say is
//! found, becomes ready and healthy, and stops, whatever it goes through on its way.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod finding;
mod phases;

/// The program: the executable file, which reads the file `phases` beside the path that it is started with.
const PROGRAM: &str = env!("CARGO_BIN_EXE_by-contract");

/// The suite that runs on it.
const SUITE: &str = env!("CARGO_BIN_EXE_contact");
