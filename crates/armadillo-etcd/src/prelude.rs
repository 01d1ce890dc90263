//! What a test of etcd names.

pub use crate::client::{
    Code, EtcdClient, EtcdConnection, EtcdError, Expected, KeyValue, Member, MemberStatus, Swapped,
};
#[cfg(feature = "proof")]
pub use crate::consistency::EtcdRegisters;
pub use crate::fixture::Etcd;
pub use crate::topology::{EtcdTopology, etcd};
