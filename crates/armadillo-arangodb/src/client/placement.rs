//! Where a collection's shards are, by the names of the deployment's servers.
//!
//! The agency is asked, with the harness' own rights: a user who may use a collection need not see where it lies.

use std::time::{Duration, Instant};

use armadillo_orchestrator::{Deadline, Poll, Request, ServerKey};
use serde::Deserialize;
use serde_json::json;

use super::collection::Collection;
use super::error::ArangoError;
use super::path::segment;
use crate::agency::{Agency, AgencyError};
use crate::shards::{self, Shard};
use crate::topology::CLUSTER;

/// What keeps somebody from being told where shards are.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShardError {
    /// The agency could not be asked.
    #[error(transparent)]
    Agency(#[from] AgencyError),
    /// A coordinator refused, or did not answer.
    #[error(transparent)]
    Request(#[from] ArangoError),
    /// The deployment is a single server.
    #[error("a single server has no shards")]
    NotACluster,
    /// The cluster has no plan for such a collection.
    #[error("there is no collection {database}/{collection} in the cluster's plan")]
    NoCollection {
        /// The database.
        database: String,
        /// The collection.
        collection: String,
    },
    /// The collection has another number of shards than one.
    #[error(
        "{collection} has {count} shards: `shard_leader_of(key)` tells which of their leaders has a document"
    )]
    NotOneShard {
        /// The collection.
        collection: String,
        /// How many shards it has.
        count: usize,
    },
    /// The collection has no such shard.
    #[error("{collection} has no shard {shard}")]
    NoShard {
        /// The collection.
        collection: String,
        /// The shard.
        shard: String,
    },
    /// It was not so in time.
    #[error("waited {waited:.1?} for {what}: {}", shards.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Late {
        /// What was waited for.
        what: &'static str,
        /// How long.
        waited: Duration,
        /// How the shards were at last.
        shards: Vec<Shard>,
    },
}

impl Collection {
    /// Its shards as they are now, by name.
    ///
    /// # Errors
    /// When the agency cannot be asked, or knows no such collection.
    pub async fn shards(&self) -> Result<Vec<Shard>, ShardError> {
        self.shards_by(Deadline::after(self.database().client().limit()))
            .await
    }

    /// The server that leads its one shard; waits until there is one, as long as a request of its client may take.
    ///
    /// # Errors
    /// When it has several shards, or no leader in time.
    pub async fn shard_leader(&self) -> Result<ServerKey, ShardError> {
        self.wait_for("its shard to have a leader", |shards| match shards {
            [shard] => Ok(shard.leader.clone()),
            several => Err(ShardError::NotOneShard {
                collection: self.name().to_owned(),
                count: several.len(),
            }),
        })
        .await
    }

    /// The server that leads the shard of the document with this key, whether there is one or not; waits until there is a
    /// leader.
    ///
    /// # Errors
    /// When no coordinator says which shard that is, or the shard has no leader in time.
    pub async fn shard_leader_of(&self, key: &str) -> Result<ServerKey, ShardError> {
        let shard = self.responsible_shard(key).await?;
        self.wait_for("its shard to have a leader", |shards| {
            let mut all = shards.iter();
            match all.find(|known| known.name == shard) {
                Some(known) => Ok(known.leader.clone()),
                None => Err(ShardError::NoShard {
                    collection: self.name().to_owned(),
                    shard: shard.clone(),
                }),
            }
        })
        .await
    }

    /// The name of the shard of the document with this key, whether there is one or not.
    ///
    /// # Errors
    /// When no coordinator says it.
    pub async fn responsible_shard(&self, key: &str) -> Result<String, ArangoError> {
        #[derive(Deserialize)]
        struct Responsible {
            #[serde(rename = "shardId")]
            shard: String,
        }
        let name = segment(self.name());
        let path = format!("/_api/collection/{name}/responsibleShard");
        let request = Request::put(self.database().path(&path)).json(&json!({ "_key": key }));
        let Responsible { shard } = self.database().client().call(request).await?;
        Ok(shard)
    }

    /// Whether each shard has its leader, and exactly the planned servers have everything.
    ///
    /// # Errors
    /// Those of [`Self::shards`].
    pub async fn in_sync(&self) -> Result<bool, ShardError> {
        Ok(self.shards().await?.iter().all(Shard::is_in_sync))
    }

    /// Waits until it is [in sync](Self::in_sync), as long as a request of its client may take.
    ///
    /// # Errors
    /// Then, with what is missing.
    pub async fn wait_in_sync(&self) -> Result<(), ShardError> {
        self.wait_for("its shards to be in sync", |shards| {
            Ok(shards.iter().all(Shard::is_in_sync).then_some(()))
        })
        .await
    }

    /// Looks until there is what is looked for.
    async fn wait_for<T>(
        &self,
        what: &'static str,
        found: impl Fn(&[Shard]) -> Result<Option<T>, ShardError>,
    ) -> Result<T, ShardError> {
        let begun = Instant::now();
        let deadline = Deadline::after(self.database().client().limit());
        let mut poll = Poll::new(Duration::from_millis(10), Duration::from_millis(200));
        loop {
            let shards = self.shards_by(deadline).await?;
            if let Some(found) = found(&shards)? {
                return Ok(found);
            }
            if deadline.passed() {
                return Err(ShardError::Late {
                    what,
                    waited: begun.elapsed(),
                    shards,
                });
            }
            poll.pause(deadline).await;
        }
    }

    async fn shards_by(&self, deadline: Deadline) -> Result<Vec<Shard>, ShardError> {
        let view = self.database().client().view();
        if view.topology.shape != CLUSTER {
            return Err(ShardError::NotACluster);
        }
        let agency = Agency::new(view).with_limit(deadline.left());
        let database = self.database().name();
        let layout = shards::layout(&agency, view, Some(database)).await?;
        let mut all = layout.collections.into_iter();
        let found = all.find(|placed| placed.collection == self.name());
        match found {
            Some(placed) => Ok(placed.shards),
            None => Err(ShardError::NoCollection {
                database: database.to_owned(),
                collection: self.name().to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ArangoClient;
    use crate::scripted::{answer, run, run_as};
    use crate::shards::tests::tree;
    use crate::system::tests::cluster_view;

    fn layout(planned: &[&str], there: &[&str]) -> Vec<u8> {
        answer(200, &json!([tree(planned, Some(there))]).to_string())
    }

    const TWO: &[&str] = &["PRMR-1", "PRMR-2"];

    fn docs(view: &armadillo_orchestrator::View) -> Collection {
        let client = ArangoClient::superuser(view).with_limit(Duration::from_secs(20));
        client.database("db").collection("docs")
    }

    #[test]
    fn the_leader_is_the_one_that_has_taken_over() {
        let answers = vec![
            layout(&["PRMR-2", "PRMR-1"], TWO),
            layout(&["PRMR-2", "PRMR-1"], &["PRMR-2"]),
        ];
        let (leader, seen) = run_as(cluster_view(1, 3, 1), answers, async |view| {
            docs(&view).shard_leader().await
        });
        assert_eq!(leader.unwrap().as_str(), "dbserver-2");
        assert_eq!(seen[0].line, "POST /_api/agency/read");
        assert_eq!(
            seen[0].body,
            json!([[
                "/arango/Plan/Collections/db",
                "/arango/Current/Collections/db",
                "/arango/Supervision/Health"
            ]])
        );
    }

    #[test]
    fn the_shard_of_a_document_is_asked_for() {
        let answers = vec![
            answer(200, r#"{"error":false,"code":200,"shardId":"s8"}"#),
            layout(TWO, TWO),
            answer(200, r#"{"error":false,"code":200,"shardId":"s9"}"#),
            layout(TWO, TWO),
        ];
        let ((leader, none), seen) = run_as(cluster_view(1, 3, 1), answers, async |view| {
            let docs = docs(&view);
            (
                docs.shard_leader_of("a b").await,
                docs.shard_leader_of("c").await,
            )
        });
        assert_eq!(leader.unwrap().as_str(), "dbserver-1");
        assert_eq!(none.unwrap_err().to_string(), "docs has no shard s9");
        assert_eq!(
            seen[0].line,
            "PUT /_db/db/_api/collection/docs/responsibleShard"
        );
        assert_eq!(seen[0].body, json!({"_key": "a b"}));
    }

    #[test]
    fn a_wait_says_what_is_missing() {
        let answers = vec![layout(TWO, &["PRMR-1"]), layout(TWO, TWO)];
        let (waited, _) = run_as(cluster_view(1, 3, 1), answers, async |view| {
            let docs = docs(&view);
            assert!(!docs.in_sync().await.unwrap());
            docs.wait_in_sync().await
        });
        waited.unwrap();
        let (late, _) = run_as(
            cluster_view(1, 3, 1),
            vec![layout(TWO, &["PRMR-1"])],
            async |view| {
                let docs = docs(&view);
                let mut looks = 0;
                let shards = docs.shards().await.unwrap();
                looks += shards.len();
                assert_eq!(looks, 1);
                ShardError::Late {
                    what: "its shards to be in sync",
                    waited: Duration::from_secs(1),
                    shards,
                }
            },
        );
        assert_eq!(
            late.to_string(),
            "waited 1.0s for its shards to be in sync: s8: dbserver-1 leads, dbserver-2 not in sync"
        );
    }

    #[test]
    fn what_has_no_shards_says_so() {
        let (single, _) = run(vec![], async |view| docs(&view).shards().await);
        assert_eq!(
            single.unwrap_err().to_string(),
            "a single server has no shards"
        );
        let answers = vec![layout(TWO, TWO)];
        let (unknown, _) = run_as(cluster_view(1, 3, 1), answers, async |view| {
            let database = docs(&view).database().clone();
            database.collection("others").shards().await
        });
        assert_eq!(
            unknown.unwrap_err().to_string(),
            "there is no collection db/others in the cluster's plan"
        );
    }
}
