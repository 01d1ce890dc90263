//! Everything that crosses a process boundary: versioned serde types, and nothing else.
//!
//! The daemon speaks HTTP/1.1 with JSON bodies over a Unix socket ([`daemon`]). A runner and its workers exchange one JSON
//! object a line over another Unix socket ([`worker`]): a test that does nothing takes about 20 µs there, and a request of
//! HTTP would be most of it.

pub mod daemon;
pub mod doctor;
pub mod endpoints;
pub mod findings;
pub mod keys;
pub mod links;
pub mod membership;
#[cfg(feature = "schema")]
pub mod openapi;
pub mod operations;
pub mod programs;
pub mod server_log;
pub mod start;
pub mod state;
pub mod statistics;
pub mod worker;

/// The version of both protocols. Runner, daemon and workers are one executable, so a mismatch is an error, not a
/// negotiation.
pub const VERSION: u32 = 1;
