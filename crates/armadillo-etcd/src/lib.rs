//! The etcd system for Armadillo: clusters of real etcd servers with a leader, a client whose keys belong to a lease,
//! and what is looked at when a test has left something behind.

mod all;
mod attach;
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
mod health;
mod launch;
mod leader;
mod log;
mod names;
mod options;
mod plan;
pub mod prelude;
mod probe;
mod purge;
mod system;
mod topology;

pub use client::{
    Code, EtcdClient, EtcdConnection, EtcdError, Expected, KeyValue, Member, MemberStatus, Swapped,
};
#[cfg(feature = "proof")]
pub use consistency::EtcdRegisters;
pub use fixture::Etcd;
pub use health::GROUP;
pub use system::Etcd as EtcdSystem;
pub use topology::{EtcdTopology, etcd};
