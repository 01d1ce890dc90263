//! The etcd system for Armadillo: clusters of real etcd servers with a leader, a client whose keys belong to a lease,
//! and what is looked at when a test has left something behind.

mod all;
mod attach;
mod auth;
mod backup;
#[cfg(test)]
mod canned;
mod checker;
mod client;
#[cfg(feature = "proof")]
mod consistency;
mod doctor;
mod evidence;
mod exit;
pub mod fixture;
mod grow;
mod health;
mod launch;
mod leader;
mod links;
mod log;
mod membership;
mod names;
mod options;
mod plan;
pub mod prelude;
mod probe;
mod purge;
mod rolling;
pub mod state;
mod statistics;
mod steps;
mod system;
mod topology;

pub use backup::{BackupError, Backups};
pub use client::{
    Code, EtcdClient, EtcdConnection, EtcdError, Expected, KeyValue, Member, MemberStatus,
    Snapshot, StoreHash, StoreHashes, Swapped,
};
#[cfg(feature = "proof")]
pub use consistency::EtcdRegisters;
pub use fixture::{AsEtcd, Etcd};
pub use health::GROUP;
pub use membership::{Members, MembersError};
pub use state::{EtcdState, ServerState, StateError};
pub use system::Etcd as EtcdSystem;
pub use topology::{EtcdTopology, etcd};
