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

/// How long one coordinator may take to say where a document belongs: one that is frozen does not answer at all.
const WHERE: Duration = Duration::from_millis(500);

/// The documents of a collection as registers, for a `Proof`: inserted or replaced, and read, by their keys.
///
/// The clients of the proof are spread over the coordinators: each has one of its own.
#[derive(Clone, Debug)]
pub struct ArangoRegisters {
    looks: Collection,
    coordinators: Vec<ServerKey>,
    /// At each of the coordinators.
    at: Vec<Collection>,
    /// The same for those who do not wait.
    hasty: Vec<Collection>,
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
        let clients = coordinators.iter().map(|server| cluster.client_at(server));
        let clients: Vec<ArangoClient> = clients.collect();
        Self {
            looks: by(cluster.client().with_limit(LOOK)),
            at: clients.iter().cloned().map(by).collect(),
            hasty: clients
                .iter()
                .map(|client| by(client.with_limit(WHERE)))
                .collect(),
            coordinators,
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
        let name = self.responsible_shard(key).await?;
        let found = shards.into_iter().find(|shard| shard.name == name);
        found.ok_or_else(|| format!("there is no shard {name}"))
    }

    /// The name of the shard that the document belongs to, as the first coordinator says that answers.
    async fn responsible_shard(&self, key: &str) -> Result<String, String> {
        let mut why = String::from("there is no coordinator");
        for collection in &self.hasty {
            match collection.responsible_shard(key).await {
                Ok(name) => return Ok(name),
                Err(error) => why = error.to_string(),
            }
        }
        Err(why)
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

    fn fronts(&self) -> Vec<ServerKey> {
        self.coordinators.clone()
    }

    async fn forget(&self, _prefix: &str) -> Result<(), String> {
        let all = self.at_own_coordinator(0).truncate().await;
        all.map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scripted::{answer, run_as};
    use crate::system::tests::cluster_view;

    fn registers(view: &armadillo_orchestrator::View) -> ArangoRegisters {
        let client = ArangoClient::superuser(view);
        let docs = client.database("db").collection("docs");
        ArangoRegisters {
            looks: docs.clone(),
            coordinators: vec![ServerKey::from("coordinator-1")],
            at: vec![docs.clone()],
            hasty: vec![docs],
        }
    }

    fn refusal(status: u16, number: u32) -> Vec<u8> {
        let body = json!({"error": true, "code": status, "errorNum": number, "errorMessage": "no"});
        answer(status, &body.to_string())
    }

    #[test]
    fn only_what_surely_was_not_done_is_a_refusal() {
        let done = r#"{"_id":"docs/k","_key":"k","_rev":"_1"}"#;
        let answers = vec![
            answer(202, done),
            refusal(503, 1457),
            refusal(503, 1465),
            refusal(403, 1004),
            refusal(500, 4),
            answer(202, "what?"),
        ];
        let (told, seen) = run_as(cluster_view(1, 3, 1), answers, async |view| {
            let registers = registers(&view);
            let mut told = Vec::new();
            for client in 0..6 {
                told.push(match registers.write(client, "k", "b").await {
                    Wrote::Acknowledged => "acknowledged",
                    Wrote::Refused(_) => "refused",
                    Wrote::Unknown(_) => "unknown",
                });
            }
            told
        });
        assert_eq!(
            told,
            [
                "acknowledged",
                "unknown",
                "unknown",
                "refused",
                "unknown",
                "unknown"
            ]
        );
        assert_eq!(
            seen[0].line,
            "POST /_db/db/_api/document/docs?overwriteMode=replace"
        );
        assert_eq!(seen[0].body, json!({"_key": "k", "body": "b"}));
    }

    #[test]
    fn no_document_is_an_answer_and_a_failure_is_none() {
        let document = r#"{"_id":"docs/k","_key":"k","_rev":"_1","body":"b"}"#;
        let answers = vec![
            answer(200, document),
            refusal(404, 1202),
            refusal(503, 1457),
        ];
        let (found, _) = run_as(cluster_view(1, 3, 1), answers, async |view| {
            let registers = registers(&view);
            let mut found = Vec::new();
            for client in 0..3 {
                found.push(registers.read(client, "k").await.map_err(drop));
            }
            found
        });
        assert_eq!(found, [Ok(Some("b".to_owned())), Ok(None), Err(())]);
    }
}
