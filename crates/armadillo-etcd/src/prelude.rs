//! What most tests of etcd name.

pub use crate::backup::Backups;
pub use crate::client::EtcdClient;
pub use crate::fixture::Etcd;
pub use crate::membership::Members;
pub use crate::topology::etcd;
