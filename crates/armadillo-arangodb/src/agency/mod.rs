//! The agency: where a cluster keeps its plan, and who leads there.
//!
//! [`Agency`] talks to all agents of a deployment. It follows redirections to the leader and waits while there is none;
//! what may or may not have been done is never done twice. Paths, bodies and answers are those of
//! `RestAgencyHandler.cpp`; operations and preconditions those of `Node.cpp` and `Store.cpp`.

mod calls;
mod client;
mod config;
mod error;
mod leader;
#[cfg(test)]
mod tests;
mod transaction;

pub use calls::{Answer, Changes, LogEntry, Query, Written};
pub use client::Agency;
pub use config::{AgentConfig, LastAcked};
pub use error::AgencyError;
pub use leader::Leadership;
pub(crate) use leader::{Look, agreed, rivals};
pub use transaction::{Precondition, Transaction};
