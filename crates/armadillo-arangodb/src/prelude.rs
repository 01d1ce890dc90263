//! What a test of ArangoDB names: `use armadillo_arangodb::prelude::*`.

pub use crate::agency::{Agency, AgencyError, Answer, Precondition, Query, Transaction, Written};
pub use crate::client::{
    ArangoClient, ArangoError, Collection, Connection, DocumentMeta, Grant, Refusal, ShardError,
    User, Version,
};
#[cfg(feature = "proof")]
pub use crate::consistency::ArangoRegisters;
pub use crate::fixture::{
    Agents, Auth, Cluster, Coordinators, Database, DbServers, Deployment, Jobs, Maintenance,
    SingleServer, TestUser,
};
pub use crate::members::ServerStatus;
pub use crate::shards::Shard;
pub use crate::topology::{Single, cluster, single};
pub use armadillo_orchestrator::{Request, Secret};
