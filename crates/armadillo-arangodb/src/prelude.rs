//! What a test of ArangoDB names: `use armadillo_arangodb::prelude::*`.

pub use crate::client::{
    ArangoClient, ArangoError, Collection, Connection, DocumentMeta, Grant, Refusal, User, Version,
};
pub use crate::fixture::{Auth, Database, Deployment, SingleServer, TestUser};
pub use crate::topology::{Single, cluster, single};
