//! Creating a collection.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use armadillo_orchestrator::Request;
use serde::Serialize;

use super::collection::Collection;
use super::database::Database;
use super::error::ArangoError;

/// A collection about to be created; awaiting it does so. What is not said is left to the server.
#[derive(Clone, Debug)]
#[must_use = "nothing is created before it is awaited"]
pub struct CreateCollection {
    database: Database,
    properties: Properties,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    name: String,
    /// 3 for edges.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number_of_shards: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replication_factor: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    write_concern: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_for_sync: Option<bool>,
}

impl CreateCollection {
    pub(super) fn new(database: Database, name: &str) -> Self {
        Self {
            database,
            properties: Properties {
                name: name.to_owned(),
                kind: None,
                number_of_shards: None,
                replication_factor: None,
                write_concern: None,
                wait_for_sync: None,
            },
        }
    }

    /// For edges: documents with `_from` and `_to`.
    pub fn edges(mut self) -> Self {
        self.properties.kind = Some(3);
        self
    }

    /// The number of shards; a single server ignores it.
    pub fn shards(mut self, shards: u32) -> Self {
        self.properties.number_of_shards = Some(shards);
        self
    }

    /// How many servers keep each shard, its leader among them; a single server ignores it.
    pub fn replication_factor(mut self, servers: u32) -> Self {
        self.properties.replication_factor = Some(servers);
        self
    }

    /// How many servers must be in sync for a write to be accepted; a single server ignores it.
    pub fn write_concern(mut self, servers: u32) -> Self {
        self.properties.write_concern = Some(servers);
        self
    }

    /// Whether a write is on disk before it is acknowledged.
    pub fn wait_for_sync(mut self, wait: bool) -> Self {
        self.properties.wait_for_sync = Some(wait);
        self
    }
}

impl IntoFuture for CreateCollection {
    type Output = Result<Collection, ArangoError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let path = self.database.path("/_api/collection");
            let request = Request::post(path).json(&self.properties);
            self.database.client().ask(request).await?;
            Ok(self.database.collection(&self.properties.name))
        })
    }
}
