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
mod existing_data;
pub mod exit_codes;
pub mod fixture;
mod health;
mod keys;
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
mod rolling;
#[cfg(test)]
mod scripted;
mod shards;
mod statistics;
mod steps;
mod system;
mod tls;
pub mod token;
pub mod topology;

pub use agency::{Agency, AgencyError, Answer, Precondition, Query, Transaction, Written};
pub use client::{
    Analyzer, AqlQuery, ArangoClient, ArangoError, Collection, Connection, Cursor, Direction,
    DocumentMeta, EdgeDefinition, Grant, Graph, Imported, Index, Locks, LoginMethod, NewIndex,
    NewView, OnDuplicate, Refusal, SearchView, ShardError, StreamTransaction, TransactionState,
    User, Version, ViewInfo,
};
#[cfg(feature = "proof")]
pub use consistency::ArangoRegisters;
pub use fixture::{
    AgencyState, ClusterState, FailurePointError, LogLevelError, Rotation, RotationError,
    ServerState, StateError,
};
pub use health::AGENCY;
pub use members::{Member, ServerStatus};
pub use role::Role;
pub use shards::Shard;
pub use system::ArangoDb;
pub use token::{Claims, Holder, Token, TokenError};
