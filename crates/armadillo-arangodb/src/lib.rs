//! The arangodb system for Armadillo: how `arangod` is started, watched, judged and cleaned, a small client, and
//! fixtures.
//!
//! What is assumed of `arangod` is listed in `docs/assumptions.md`, each with its source.

#[cfg(test)]
mod against_contract;
pub mod agency;
mod attach;
pub mod auth;
mod capabilities;
pub mod checkers;
pub mod client;
#[cfg(feature = "proof")]
mod consistency;
mod doctor;
mod evidence;
pub mod exit_codes;
pub mod fixture;
mod health;
mod launch;
mod log;
pub mod members;
mod names;
pub mod options;
mod plan;
pub mod prelude;
mod probe;
mod programs;
mod purge;
mod role;
#[cfg(test)]
mod scripted;
mod shards;
mod system;
pub mod topology;

pub use agency::{Agency, AgencyError, Answer, Precondition, Query, Transaction, Written};
pub use client::{
    AqlQuery, ArangoClient, ArangoError, Collection, Connection, Cursor, Direction, DocumentMeta,
    EdgeDefinition, Grant, Graph, Imported, Index, Locks, NewIndex, OnDuplicate, Refusal,
    ShardError, StreamTransaction, TransactionState, User, Version,
};
#[cfg(feature = "proof")]
pub use consistency::ArangoRegisters;
pub use health::AGENCY;
pub use members::{Member, ServerStatus};
pub use role::Role;
pub use shards::Shard;
pub use system::ArangoDb;
