//! The agency: where a cluster keeps its plan, and who leads there.
//!
//! [`Agency`] talks to all agents of a deployment. It follows redirections to the leader and waits while there is none;
//! what may or may not have been done is asked about, and never done twice. Paths, bodies and answers are those of
//! `RestAgencyHandler.cpp`; operations and preconditions those of `Node.cpp` and `Store.cpp`.

mod ask;
mod calls;
mod client;
mod config;
mod conflict;
mod error;
mod leader;
mod poll;
#[cfg(test)]
mod tests;
mod transaction;
mod write;

pub use calls::{Answer, Query};
pub use client::Agency;
pub use config::{AgentConfig, LastAcked};
pub use conflict::Conflict;
pub use error::AgencyError;
pub use leader::Leadership;
pub(crate) use leader::{Look, agreed, rivals};
pub use poll::{Changes, LogEntry};
pub use transaction::{Precondition, Transaction};
pub use write::Written;
