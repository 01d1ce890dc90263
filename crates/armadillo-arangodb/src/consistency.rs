//! The vocabulary of the proof that acknowledged data survives: the documents of a sharded collection as registers.

use std::time::Duration;

use armadillo_consistency::{Leadership, Subject, Wrote};
use armadillo_orchestrator::ServerKey;
use serde::{Deserialize, Serialize};

use crate::client::{ArangoClient, ArangoError, Collection};
use crate::fixture::Cluster;
use crate::shards::Shard;

/// How long a look at the cluster's plan may take.
const LOOK: Duration = Duration::from_secs(1);

/// The documents of a collection as registers, for a `Proof`: inserted or replaced, and read, by their keys.
///
/// The clients of the proof are spread over the coordinators: each has one of its own.
#[derive(Clone, Debug)]
pub struct ArangoRegisters {
    looks: Collection,
    at: Vec<Collection>,
}

/// A register: a document with one attribute.
#[derive(Serialize, Deserialize)]
struct Register {
    #[serde(rename = "_key")]
    key: String,
    body: String,
}

impl ArangoRegisters {
    /// The documents of this collection of the cluster.
    #[must_use]
    pub fn new(cluster: &Cluster, collection: &Collection) -> Self {
        let by = |client: ArangoClient| {
            let database = client.database(collection.database().name());
            database.collection(collection.name())
        };
        let coordinators = cluster.coordinators();
        let at = coordinators
            .iter()
            .map(|server| by(cluster.client_at(server)));
        Self {
            looks: by(cluster.client().with_limit(LOOK)),
            at: at.collect(),
        }
    }

    /// The collection by way of the coordinator that this client of the proof has for its own.
    fn at_own_coordinator(&self, client: usize) -> &Collection {
        self.at.iter().cycle().nth(client).unwrap_or(&self.looks)
    }

    async fn shard_of(&self, key: &str) -> Result<Shard, String> {
        let shards = self
            .looks
            .shards()
            .await
            .map_err(|error| error.to_string())?;
        if let [only] = &shards[..] {
            return Ok(only.clone());
        }
        let name = self.looks.responsible_shard(key).await;
        let name = name.map_err(|error| error.to_string())?;
        let found = shards.into_iter().find(|shard| shard.name == name);
        found.ok_or_else(|| format!("there is no shard {name}"))
    }
}

impl Subject for ArangoRegisters {
    async fn write(&self, client: usize, key: &str, body: &str) -> Wrote {
        let document = Register {
            key: key.to_owned(),
            body: body.to_owned(),
        };
        let written = self.at_own_coordinator(client).insert_or_replace(&document);
        match written.await {
            Ok(_) => Wrote::Acknowledged,
            // An answer that cannot be read was none.
            Err(error @ ArangoError::Answer { .. }) => Wrote::Unknown(error.to_string()),
            Err(error) if error.outcome_unknown() => Wrote::Unknown(error.to_string()),
            Err(error) => Wrote::Refused(error.to_string()),
        }
    }

    async fn read(&self, client: usize, key: &str) -> Result<Option<String>, String> {
        let found = self.at_own_coordinator(client).get::<Register>(key).await;
        let found = found.map_err(|error| error.to_string())?;
        Ok(found.map(|register| register.body))
    }

    async fn leadership(&self, key: &str) -> Result<Leadership, String> {
        let shard = self.shard_of(key).await?;
        let leader = shard.leader.clone().ok_or_else(|| shard.to_string())?;
        let followers = shard.planned.into_iter().filter(|server| *server != leader);
        Ok(Leadership {
            group: shard.name,
            followers: followers.collect(),
            leader,
        })
    }

    async fn not_in_sync(&self, except: &[ServerKey]) -> Vec<String> {
        let shards = match self.looks.shards().await {
            Ok(shards) => shards,
            Err(error) => return vec![error.to_string()],
        };
        let is_missing = |shard: &&Shard| {
            let mut behind = shard.behind();
            behind.retain(|server| !except.contains(server));
            shard.leader.is_none() || !behind.is_empty() || !shard.leaving().is_empty()
        };
        let missing = shards.iter().filter(is_missing);
        missing.map(Shard::to_string).collect()
    }

    async fn forget(&self, _prefix: &str) -> Result<(), String> {
        let all = self.at_own_coordinator(0).truncate().await;
        all.map_err(|error| error.to_string())
    }
}
