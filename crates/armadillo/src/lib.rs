//! Write integration tests against real clusters as easily as unit tests.
//!
//! This is the one crate a test's author names. A harness target is `harness = false` in `Cargo.toml` and
//!
//! ```ignore
//! fn main() -> std::process::ExitCode {
//!     armadillo::main()
//! }
//! ```
//!
//! Tests are functions with [`macro@test`], fixtures are types that implement [`prelude::Fixture`] or functions with
//! [`macro@fixture`], hooks are functions with [`macro@collect`]; [`prelude`] has what they need. `docs/writing-tests.md` has examples of each.

pub mod deployment;
pub mod prelude;

#[doc(hidden)]
pub mod __private;
#[cfg(feature = "emulator")]
mod emulator;

#[cfg(feature = "proof")]
pub use armadillo_consistency as consistency;
pub use armadillo_harness::collect::CollectedTest;
pub use armadillo_harness::event::Tone;
pub use armadillo_harness::flags::FlagText;
pub use armadillo_harness::load;
pub use armadillo_harness::outcome::Inconclusive;
pub use armadillo_harness::{flags, inconclusive, markers, skip};
pub use armadillo_harness::{init, libtest_mimic, main, trials};
pub use armadillo_macros::{collect, fixture, test};
pub use {armadillo_harness as harness, armadillo_orchestrator as orchestrator};

#[cfg(feature = "arangodb")]
pub use armadillo_arangodb as arangodb;
#[cfg(feature = "etcd")]
pub use armadillo_etcd as etcd;
