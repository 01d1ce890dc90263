//! Asking the leader of a shard (rule 14 of `consistency.md`): what surely was not done is tried
//! again, at whoever leads then; what may have been done is never said to have failed or succeeded.

use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::Planned;
use crate::cluster::Cluster;
use crate::errors::ApiError;
use crate::http::{ClientError, Reply, percent};
use crate::server::{Server, Stage};

/// So long it may take when the plan names another one.
const LAST_WORD: Duration = Duration::from_secs(1);
/// The first pause before the next try, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));

/// A request to a shard.
#[derive(Debug)]
pub(crate) struct Ask {
    /// The verb.
    pub(crate) method: Method,
    /// The path behind the database; `{}` stands for the shard.
    pub(crate) path: String,
    /// The parameters.
    pub(crate) query: Vec<(String, String)>,
    /// Headers beside those that every request carries.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The body.
    pub(crate) body: Bytes,
    /// It changes nothing, so that it may be asked again whatever happened.
    pub(crate) reads: bool,
}

impl Ask {
    fn address(&self, collection: &Planned, shard: &str) -> String {
        let database = percent::encode(&collection.database);
        let mut address = format!("/_db/{database}{}", self.path.replacen("{}", shard, 1));
        let name = [(
            String::from("collectionName"),
            String::from(collection.name()),
        )];
        for (index, (key, value)) in self.query.iter().chain(&name).enumerate() {
            address.push(if index == 0 { '?' } else { '&' });
            address.push_str(&percent::encode_query(key));
            address.push('=');
            address.push_str(&percent::encode_query(value));
        }
        address
    }
}

/// Who has to be asked, as far as it is known here.
#[derive(Debug, PartialEq)]
struct Seat {
    /// Whether the shard is planned at all.
    planned: bool,
    /// The leader; nobody while one resigns.
    leader: Option<String>,
    endpoint: Option<String>,
    /// What the leader says itself: a change of it is worth a try.
    current: Value,
}

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It is the answer.
    Final,
    /// Nothing was done there, and may be done elsewhere or later.
    NotThere,
    /// There is no such shard, which may be news or old.
    Missing,
    /// Nobody knows whether it was done.
    Unknown(String),
}

fn verdict(reply: &Reply) -> Verdict {
    if reply.status < 400 {
        return Verdict::Final;
    }
    let body = reply.json();
    let number = body["errorNum"].as_u64().unwrap_or(0);
    match (reply.status, u32::try_from(number).unwrap_or(0)) {
        (421, _) | (503, 30 | 503 | 1478) => Verdict::NotThere,
        (404, 1203 | 1228) => Verdict::Missing,
        (_, number) if ApiError::UNKNOWN_OUTCOMES.contains(&number) => {
            Verdict::Unknown(String::from(body["errorMessage"].as_str().unwrap_or("")))
        }
        _ => Verdict::Final,
    }
}

/// An answer as clients get it: that a write concern is not fulfilled is 503 for them.
fn for_clients(mut reply: Reply) -> Reply {
    if reply.status == 403 {
        let mut body = reply.json();
        if body["errorNum"] == ApiError::WRITE_CONCERN {
            reply.status = 503;
            body["code"] = json!(reply.status);
            reply.body = Bytes::from(body.to_string());
        }
    }
    reply
}

fn unknown(shard: &str, reason: &str) -> ApiError {
    let text = format!(
        "timeout in cluster operation: result unknown, the leader of shard {shard} has not \
         confirmed what it was asked to do: {reason}"
    );
    ApiError::new(500, ApiError::CLUSTER_TIMEOUT, text)
}

/// The connection was closed before an answer came (`fuerteToArangoErrorCode`).
fn connection_lost(shard: &str, reason: &str) -> ApiError {
    let text = format!(
        "connection to a server in the cluster was lost: result unknown, the leader of shard {shard} \
         has not confirmed what it was asked to do: {reason}"
    );
    ApiError::new(503, ApiError::CONNECTION_LOST, text)
}

fn unavailable(shard: &str, reason: &str) -> ApiError {
    let text = format!(
        "cluster backend unavailable: no leader of shard {shard} could be reached: {reason}"
    );
    ApiError::new(503, 1478, text)
}

impl Cluster {
    fn seat(&self, collection: &Planned, shard: &str) -> Seat {
        let path = collection.path();
        let (planned, leader) = self.look(&format!("Plan/{path}/shards/{shard}"), |servers| {
            let first = servers[0].as_str().filter(|id| !id.starts_with('_'));
            (servers.is_array(), first.map(String::from))
        });
        let endpoint = leader.as_ref().and_then(|id| {
            let path = format!("Current/ServersRegistered/{id}/endpoint");
            self.look(&path, |endpoint| endpoint.as_str().map(String::from))
        });
        Seat {
            planned,
            leader,
            endpoint,
            current: self.look(&format!("Current/{path}/{shard}/servers"), Value::clone),
        }
    }

    /// Asks until the leader of the shard has answered, or it cannot be found, or it is unknown
    /// what became of the request.
    pub(crate) async fn ask_leader(
        &self,
        server: &Server,
        collection: &Planned,
        shard: &str,
        ask: &Ask,
    ) -> Result<Reply, ApiError> {
        let (reads, writes) = self.settings.retries;
        let patience = if ask.reads { reads } else { writes };
        let end = Instant::now() + patience;
        let mut pause = PAUSES.0;
        loop {
            let seat = self.seat(collection, shard);
            let problem = match self
                .try_leader(collection, shard, &seat, (ask, patience))
                .await
            {
                Ok(reply) => match verdict(&reply) {
                    Verdict::Final => return Ok(for_clients(reply)),
                    Verdict::NotThere => format!("it answered {}", reply.status),
                    Verdict::Missing => {
                        self.refresh(server).await?;
                        String::from("it does not have the shard")
                    }
                    Verdict::Unknown(reason) if ask.reads => reason,
                    Verdict::Unknown(reason) => return Err(unknown(shard, &reason)),
                },
                Err(ClientError::NotSent(reason)) => reason,
                Err(ClientError::Lost(reason) | ClientError::Closed(reason)) if ask.reads => reason,
                Err(ClientError::Lost(reason)) => return Err(unknown(shard, &reason)),
                Err(ClientError::Closed(reason)) => return Err(connection_lost(shard, &reason)),
            };
            if !self.seat(collection, shard).planned {
                self.refresh(server).await?;
                if !self.seat(collection, shard).planned {
                    return Err(ApiError::collection_not_found(collection.name()));
                }
            }
            if server.stage() == Stage::Stopping {
                return Err(ApiError::shutting_down());
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(unavailable(shard, &problem));
            }
            let changed =
                self.until(|cluster| (cluster.seat(collection, shard) != seat).then_some(()));
            drop(timeout(pause.min(left), changed).await);
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    async fn try_leader(
        &self,
        collection: &Planned,
        shard: &str,
        seat: &Seat,
        (ask, patience): (&Ask, Duration),
    ) -> Result<Reply, ClientError> {
        let Some(endpoint) = &seat.endpoint else {
            return Err(ClientError::NotSent(String::from("none is planned")));
        };
        let address = ask.address(collection, shard);
        let answer = self.agency.client().send_with(
            endpoint,
            ask.method.clone(),
            &address,
            &ask.headers,
            ask.body.clone(),
            patience,
        );
        let deposed = async {
            let other = |cluster: &Self| {
                (cluster.seat(collection, shard).leader != seat.leader).then_some(())
            };
            self.until(other).await;
            sleep(LAST_WORD).await;
        };
        tokio::select! {
            biased;
            answer = answer => answer,
            () = deposed => {
                let text = format!("{endpoint} does not lead any more, and has not answered");
                Err(ClientError::Lost(text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, number: u64) -> Reply {
        let body = json!({ "errorNum": number, "errorMessage": "m" }).to_string();
        Reply {
            status,
            location: None,
            headers: hyper::header::HeaderMap::new(),
            body: Bytes::from(body),
        }
    }

    #[test]
    fn what_may_be_tried_again() {
        let verdicts = [
            (202, 0, Verdict::Final),
            (404, 1202, Verdict::Final),
            (404, 1203, Verdict::Missing),
            (409, 1210, Verdict::Final),
            (421, 1491, Verdict::NotThere),
            (503, 30, Verdict::NotThere),
            (503, 503, Verdict::NotThere),
            (503, 1478, Verdict::NotThere),
            (403, 1429, Verdict::Final),
            (403, 1004, Verdict::Final),
            (500, 2, Verdict::Final),
            (500, 1457, Verdict::Unknown(String::from("m"))),
            (503, 1465, Verdict::Unknown(String::from("m"))),
        ];
        for (status, number, expected) in verdicts {
            assert_eq!(
                verdict(&reply(status, number)),
                expected,
                "{status}/{number}"
            );
        }
    }

    #[test]
    fn the_address_at_the_shard() {
        let collection = Planned {
            database: String::from("d"),
            id: String::from("7"),
            entry: json!({ "name": "a b" }),
        };
        let ask = Ask {
            method: Method::GET,
            path: String::from("/_api/document/{}/k%7B%7D"),
            query: vec![(String::from("returnNew"), String::from("true"))],
            headers: Vec::new(),
            body: Bytes::new(),
            reads: true,
        };
        assert_eq!(
            ask.address(&collection, "s8"),
            "/_db/d/_api/document/s8/k%7B%7D?returnNew=true&collectionName=a%20b"
        );
    }
}
