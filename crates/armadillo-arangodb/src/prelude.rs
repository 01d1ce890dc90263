//! What most tests of ArangoDB name.

pub use crate::agency::Agency;
pub use crate::client::{ArangoClient, Collection};
pub use crate::fixture::{
    Agents, Auth, Cluster, Coordinators, Database, DbServers, Deployment, FailurePoints, Jobs,
    LogLevels, Maintenance, Scaling, SingleServer, TestUser, Tokens,
};
pub use crate::topology::{cluster, single};
