//! Suites that must fail, and the tests that run them through the front door.
//!
//! The suites are the executables in `src/bin`; each is an ordinary harness target. The tests in `tests` start them as a
//! person would, and look at stdout, stderr, the exit code, the files of the run, and at what is left of it.

pub mod brittle;
pub mod broken;
pub mod browser;
pub mod cargo;
pub mod faulty;
pub mod foreign;
pub mod junk;
pub mod meeting;
pub mod past;
pub mod ran;
pub mod remains;
pub mod rounds;
pub mod suite;
pub mod wait;

pub use ran::Ran;
pub use suite::{Running, Suite};
