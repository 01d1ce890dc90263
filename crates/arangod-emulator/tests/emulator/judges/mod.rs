//! Programs of ArangoDB's own, run against the emulator: they know arangod, and share nothing with
//! this repository.
//!
//! The official Go driver's test suite is a Go module; `judges/go-driver` pins its version. It needs
//! Go, and nothing of it is run without. What fails has to be on the list beside it, and what is on
//! the list has to fail.

mod expected;
mod go_driver;
mod verdicts;
