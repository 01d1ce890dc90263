//! Where a collection's shards are, by the names of the deployment's servers.
//!
//! The agency is asked, with the harness' own rights: a user who may use a collection need not see where it lies.

use std::time::{Duration, Instant};

use armadillo_orchestrator::{Deadline, Poll, Request, ServerKey};
use serde::Deserialize;
use serde_json::json;

use super::collection::Collection;
use super::core::ArangoClient;
use super::error::ArangoError;
use super::path::segment;
use crate::agency::{Agency, AgencyError};
use crate::shards::{self, Shard};
use crate::topology::CLUSTER;

/// How long a look may take although the wait is over: one cut short would say nothing.
const LOOK: Duration = Duration::from_millis(500);

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
    #[error("no collection {database}/{collection} in the plan of the cluster")]
    NoCollection {
        /// The database.
        database: String,
        /// The collection.
        collection: String,
    },
    /// The collection has another number of shards than one.
    #[error(
        "{collection} has {count} shards: `shard_leader_of(key)` returns the leader for a document"
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
    #[error("timed out after {waited:.1?} waiting for {what}: {}", seen(shards, unanswered.as_deref()))]
    Late {
        /// What was waited for.
        what: &'static str,
        /// How long.
        waited: Duration,
        /// How the shards were when they were last seen; none if they never were.
        shards: Vec<Shard>,
        /// Why they could not be seen at the end, if so.
        unanswered: Option<String>,
    },
}

fn seen(shards: &[Shard], unanswered: Option<&str>) -> String {
    let shards = shards.iter().map(ToString::to_string);
    let all: Vec<String> = shards.chain(unanswered.map(str::to_owned)).collect();
    all.join("; ")
}

/// A wait for something of a collection's shards.
#[derive(Clone, Copy)]
struct Wait {
    what: &'static str,
    begun: Instant,
    deadline: Deadline,
}

impl Wait {
    fn late(self, shards: Vec<Shard>, unanswered: Option<String>) -> ShardError {
        ShardError::Late {
            what: self.what,
            waited: self.begun.elapsed(),
            shards,
            unanswered,
        }
    }

    /// How long what is asked now may take.
    fn limit(self) -> Duration {
        self.deadline.left().max(LOOK)
    }
}

impl Collection {
    /// Its shards as they are now, by name.
    ///
    /// # Errors
    /// When the agency cannot be asked, or knows no such collection.
    pub async fn shards(&self) -> Result<Vec<Shard>, ShardError> {
        self.shards_within(self.database().client().limit()).await
    }

    /// The server that leads its one shard; waits until there is one, at most for what is left of the test's
    /// time. A server that the supervision calls failed is no leader; one that has just died still is, until the supervision
    /// has noticed. For a client that belongs to no test, or has a [limit](ArangoClient::with_limit), for that limit.
    ///
    /// # Errors
    /// When it has several shards, or no leader in time.
    pub async fn shard_leader(&self) -> Result<ServerKey, ShardError> {
        let wait = self.wait("its shard to have a leader");
        self.wait_for(wait, |shards| match shards {
            [shard] => Ok(shard.live_leader().cloned()),
            several => Err(ShardError::NotOneShard {
                collection: self.name().to_owned(),
                count: several.len(),
            }),
        })
        .await
    }

    /// The server that leads the shard of the document with this key, whether there is one or not; waits for a leader as
    /// [`Self::shard_leader`] does.
    ///
    /// # Errors
    /// When no coordinator says which shard that is, or the shard has no leader in time.
    pub async fn shard_leader_of(&self, key: &str) -> Result<ServerKey, ShardError> {
        let wait = self.wait("its shard to have a leader");
        let client = self.database().client().with_limit(wait.limit());
        let shard = match self.responsible_by(&client, key).await {
            Ok(shard) => shard,
            Err(error) if wait.deadline.passed() => {
                return Err(wait.late(Vec::new(), Some(error.to_string())));
            }
            Err(error) => return Err(error.into()),
        };
        self.wait_for(wait, |shards| {
            let mut all = shards.iter();
            match all.find(|known| known.name == shard) {
                Some(known) => Ok(known.live_leader().cloned()),
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
        self.responsible_by(self.database().client(), key).await
    }

    async fn responsible_by(
        &self,
        client: &ArangoClient,
        key: &str,
    ) -> Result<String, ArangoError> {
        #[derive(Deserialize)]
        struct Responsible {
            #[serde(rename = "shardId")]
            shard: String,
        }
        let name = segment(self.name());
        let path = format!("/_api/collection/{name}/responsibleShard");
        let request = Request::put(self.database().path(&path)).json(&json!({ "_key": key }));
        let Responsible { shard } = client.call(request).await?;
        Ok(shard)
    }

    /// Whether each shard has its leader, exactly the planned servers have everything, and none of them has failed.
    ///
    /// # Errors
    /// Those of [`Self::shards`].
    pub async fn in_sync(&self) -> Result<bool, ShardError> {
        Ok(self.shards().await?.iter().all(Shard::is_in_sync))
    }

    /// Waits until it is [in sync](Self::in_sync), as long as [`Self::shard_leader`] does.
    ///
    /// # Errors
    /// Then, with what is missing.
    pub async fn wait_in_sync(&self) -> Result<(), ShardError> {
        let wait = self.wait("its shards to be in sync");
        self.wait_for(wait, |shards| {
            Ok(shards.iter().all(Shard::is_in_sync).then_some(()))
        })
        .await
    }

    fn wait(&self, what: &'static str) -> Wait {
        Wait {
            what,
            begun: Instant::now(),
            deadline: self.database().client().wait_end(),
        }
    }

    /// Looks until there is what is looked for.
    async fn wait_for<T>(
        &self,
        wait: Wait,
        found: impl Fn(&[Shard]) -> Result<Option<T>, ShardError>,
    ) -> Result<T, ShardError> {
        let mut poll = Poll::new(Duration::from_millis(10), Duration::from_millis(200));
        let mut last = Vec::new();
        loop {
            match self.shards_within(wait.limit()).await {
                Ok(shards) => {
                    if let Some(found) = found(&shards)? {
                        return Ok(found);
                    }
                    last = shards;
                }
                Err(ShardError::Agency(error)) if wait.deadline.passed() => {
                    return Err(wait.late(last, Some(error.to_string())));
                }
                Err(error) => return Err(error),
            }
            if wait.deadline.passed() {
                return Err(wait.late(last, None));
            }
            poll.pause(wait.deadline).await;
        }
    }

    async fn shards_within(&self, limit: Duration) -> Result<Vec<Shard>, ShardError> {
        let view = self.database().client().view();
        if view.topology.shape != CLUSTER {
            return Err(ShardError::NotACluster);
        }
        let agency = Agency::new(view).with_limit(limit);
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
    fn a_leader_that_has_failed_is_waited_out() {
        let mut failed = tree(TWO, Some(TWO));
        failed["arango"]["Supervision"]["Health"]["PRMR-1"]["Status"] = "FAILED".into();
        let answers = vec![
            answer(200, &json!([failed]).to_string()),
            answer(200, &json!([failed]).to_string()),
            layout(&["PRMR-2", "PRMR-1"], &["PRMR-2"]),
        ];
        let ((in_sync, leader), _) = run_as(cluster_view(1, 3, 1), answers, async |view| {
            let docs = docs(&view);
            (docs.in_sync().await, docs.shard_leader().await)
        });
        assert!(!in_sync.unwrap());
        assert_eq!(leader.unwrap().as_str(), "dbserver-2");
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
    }

    /// How a wait ends in a test that has this much time left.
    async fn waited(view: &armadillo_orchestrator::View, limit: Duration) -> ShardError {
        let end = Deadline::after(limit);
        let client = ArangoClient::superuser(view).waiting_until(move || end);
        let docs = client.database("db").collection("docs");
        docs.wait_in_sync().await.unwrap_err()
    }

    #[test]
    fn a_look_at_the_very_end_still_names_the_shards() {
        let answers = vec![layout(TWO, &["PRMR-1"])];
        let (late, _) = run_as(cluster_view(1, 3, 1), answers, async |view| {
            let docs = docs(&view);
            let wait = Wait {
                what: "its shards to be in sync",
                begun: Instant::now(),
                deadline: Deadline::after(Duration::ZERO),
            };
            let look = |shards: &[Shard]| Ok(shards.iter().all(Shard::is_in_sync).then_some(()));
            docs.wait_for(wait, look).await
        });
        let late = late.unwrap_err().to_string();
        let (waited, what) = late.split_once(" for ").unwrap();
        assert!(waited.starts_with("timed out after "), "{late}");
        assert_eq!(
            what,
            "its shards to be in sync: s8: dbserver-1 leads, dbserver-2 not in sync"
        );
    }

    #[test]
    fn a_look_that_fails_at_the_end_hides_nothing() {
        // After the first answer nobody listens any more.
        let answers = vec![layout(TWO, &["PRMR-1"])];
        let limit = Duration::from_secs(5);
        let (late, _) = run_as(cluster_view(1, 3, 1), answers, async |view| {
            waited(&view, limit).await
        });
        let ShardError::Late {
            shards, unanswered, ..
        } = late
        else {
            panic!("{late}");
        };
        assert_eq!(
            shards[0].to_string(),
            "s8: dbserver-1 leads, dbserver-2 not in sync"
        );
        assert!(unanswered.is_some_and(|why| why.contains("had no leader")));
        let (never, _) = run_as(cluster_view(1, 3, 1), vec![], async |view| {
            waited(&view, limit).await
        });
        let never = never.to_string();
        assert!(
            never.contains("for its shards to be in sync: the agency had no leader"),
            "{never}"
        );
    }

    #[test]
    fn a_wait_is_no_longer_than_what_its_client_may_take() {
        let view = cluster_view(1, 3, 1);
        let in_test = |left| {
            let end = Deadline::after(Duration::from_secs(left));
            ArangoClient::superuser(&view).waiting_until(move || end)
        };
        let about = |client: ArangoClient, seconds: u64| {
            let left = client.wait_end().left();
            left <= Duration::from_secs(seconds) && left > Duration::from_secs(seconds / 2)
        };
        let limit = Duration::from_secs(20);
        assert!(about(in_test(300), 300));
        assert!(about(in_test(300).with_limit(limit), 20));
        assert!(about(in_test(8).with_limit(limit), 8));
        assert!(about(in_test(0), 60), "that test is over");
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
            "no collection db/others in the plan of the cluster"
        );
    }
}
