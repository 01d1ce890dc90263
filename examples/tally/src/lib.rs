//! A system of one's own in about a hundred lines: [`server`] is the product, a TCP server that adds numbers up;
//! [`system`] tells Armadillo how it is started and looked at; [`fixture`] is what tests receive.
//!
//! Real products are programs of their own ([`armadillo::orchestrator::Candidate::OnPath`]); this one is built into the
//! test executable, so that the example needs nothing else.

pub mod fixture;
pub mod server;
pub mod system;

pub use fixture::Tally;
pub use system::tally;
