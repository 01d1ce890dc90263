//! What most tests of ArangoDB name.

pub use crate::agency::Agency;
pub use crate::client::{ArangoClient, Collection};
pub use crate::fixture::{
    Agents, Auth, Cluster, Coordinators, Database, DbServers, Deployment, Jobs, Maintenance,
    SingleServer, TestUser,
};
pub use crate::topology::{cluster, single};
