//! `/_api/document` with an array on coordinators: each element goes to its shard, and the results
//! come back in the order of the elements. An element is said to be stored only if the leader of
//! its shard has said so.

use std::collections::BTreeMap;

use bytes::Bytes;
use hyper::Method;
use serde_json::Value;

use super::{Sharded, accepted, worse};
use crate::api::batch::{Codes, key_of};
use crate::api::document::wishes;
use crate::auth::Right;
use crate::coordinator::{Ask, Keys, Planned, join_all};
use crate::errors::ApiError;
use crate::http::Answer;
use crate::store::attributes;

/// So many documents are sent to a shard at once.
const CHUNK: usize = 5000;

/// What became of an element: what its leader said, which may be an error, or that none was asked
/// or has confirmed it.
pub(super) type Fate = Result<Value, ApiError>;

/// The elements for each shard with their places in the request.
#[derive(Debug, Default)]
pub(super) struct Parts(BTreeMap<String, Vec<(usize, Value)>>);

impl Parts {
    /// Adds an element with this key.
    pub(super) fn add(
        &mut self,
        collection: &Planned,
        key: &str,
        place: usize,
        element: Value,
    ) -> Result<(), ApiError> {
        let shard = collection.shard_of(key)?;
        self.0.entry(shard).or_default().push((place, element));
        Ok(())
    }
}

/// How leaders are to be asked.
#[derive(Debug)]
pub(super) struct How {
    pub(super) method: Method,
    pub(super) query: Vec<(String, String)>,
    pub(super) reads: bool,
}

/// What all leaders said.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// The fates by the places of the elements.
    pub(super) fates: BTreeMap<usize, Fate>,
    /// The status of those who took the request.
    pub(super) status: Option<u16>,
    /// The errors that they counted. A document that was read may look like an error.
    codes: Codes,
    /// The worst of what the others said.
    pub(super) refusal: Option<ApiError>,
}

/// Asks the leaders of all shards that have elements.
pub(super) async fn ask(
    asks: Sharded<'_>,
    collection: &Planned,
    parts: Parts,
    how: &How,
) -> Merged {
    let asked = parts
        .0
        .into_iter()
        .map(|(shard, part)| async move { ask_shard(asks, collection, &shard, part, how).await });
    let mut merged = Merged::default();
    for part in join_all(asked).await {
        merged.fates.extend(part.fates);
        merged.status = merged.status.or(part.status);
        merged.codes.merge(part.codes);
        if let Some(error) = part.refusal {
            merged.refusal = Some(worse(merged.refusal, error));
        }
    }
    merged
}

/// One chunk after the other, so that elements of one key keep their order; behind the first chunk
/// that failed nothing is sent.
async fn ask_shard(
    asks: Sharded<'_>,
    collection: &Planned,
    shard: &str,
    part: Vec<(usize, Value)>,
    how: &How,
) -> Merged {
    let mut merged = Merged::default();
    for chunk in part.chunks(CHUNK) {
        if let Some(error) = &merged.refusal {
            let number = match error.is_of_unknown_outcome() {
                true => 1478,
                false => error.number,
            };
            let text = format!("not sent after: {}", error.message);
            let error = ApiError::new(error.status, number, text);
            let fates = chunk.iter().map(|(place, _)| (*place, Err(error.clone())));
            merged.fates.extend(fates);
            continue;
        }
        let mut texts = String::from("[");
        for (index, (_, element)) in chunk.iter().enumerate() {
            if index > 0 {
                texts.push(',');
            }
            texts.push_str(&element.to_string());
        }
        texts.push(']');
        let ask = Ask {
            method: how.method.clone(),
            path: String::from("/_api/document/{}"),
            query: how.query.clone(),
            headers: Vec::new(),
            body: Bytes::from(texts),
            reads: how.reads,
        };
        let reply = asks.ask(collection, shard, &ask).await.and_then(accepted);
        let results = reply.and_then(|reply| match reply.json() {
            Value::Array(list) if list.len() == chunk.len() => Ok((reply, list)),
            _ => {
                let text = "result unknown, the leader of a shard gave another number of results";
                Err(ApiError::new(500, ApiError::CLUSTER_TIMEOUT, text))
            }
        });
        match results {
            Ok((reply, list)) => {
                merged.status = Some(reply.status);
                merged.codes.merge(Codes::read(&reply));
                let places = chunk.iter().map(|(place, _)| *place);
                merged.fates.extend(places.zip(list.into_iter().map(Ok)));
            }
            Err(error) => {
                let fates = chunk.iter().map(|(place, _)| (*place, Err(error.clone())));
                merged.fates.extend(fates);
                merged.refusal = Some(error);
            }
        }
    }
    merged
}

/// `POST` with an array.
pub(super) async fn insert(
    asks: Sharded<'_>,
    collection: &Planned,
    list: Vec<Value>,
) -> Result<Answer, ApiError> {
    let keyless = |element: &&Value| element.is_object() && element.get("_key").is_none();
    let count = list.iter().filter(keyless).count();
    let mut keys = Keys::take(asks.server, asks.cluster, collection, count).await?;
    send(asks, collection, list, |element| {
        let mut object = attributes(element)?;
        let key = keys.give(&mut object)?;
        Ok((key, Value::Object(object)))
    })
    .await
}

/// `PUT`, `PATCH` and `DELETE` with an array; `PUT ...?onlyget=true` reads.
pub(super) async fn change(asks: Sharded<'_>, name: &str) -> Result<Answer, ApiError> {
    let request = asks.request;
    let list = match request.json()? {
        Value::Array(list) => list,
        _ if request.method != Method::DELETE => {
            return Err(ApiError::bad("expecting a JSON array as body"));
        }
        // A document, or a key, that is to be removed.
        element => return super::document::change(asks, name, &key_of(&element)?).await,
    };
    let right = if only_reads(asks) {
        Right::Ro
    } else {
        wishes(request)?;
        Right::Rw
    };
    let collection = asks.collection(name, right).await?;
    send(asks, &collection, list, |element| {
        Ok((key_of(&element)?, element))
    })
    .await
}

fn only_reads(asks: Sharded<'_>) -> bool {
    asks.request.method == Method::PUT && asks.request.query_flag("onlyget") == Some(true)
}

/// Sends the elements as the request came, and puts the results together.
async fn send(
    asks: Sharded<'_>,
    collection: &Planned,
    list: Vec<Value>,
    mut keyed: impl FnMut(Value) -> Result<(String, Value), ApiError>,
) -> Result<Answer, ApiError> {
    let mut parts = Parts::default();
    let mut refused = BTreeMap::new();
    for (place, element) in list.into_iter().enumerate() {
        let taken =
            keyed(element).and_then(|(key, element)| parts.add(collection, &key, place, element));
        if let Err(error) = taken {
            refused.insert(place, Err(error));
        }
    }
    let how = How {
        method: asks.request.method.clone(),
        // Silent leaders would not say which element failed.
        query: asks.parameters(&["silent"]),
        reads: only_reads(asks),
    };
    let mut merged = ask(asks, collection, parts, &how).await;
    if let (None, Some(error)) = (merged.status, merged.refusal) {
        return Err(error);
    }
    merged.fates.append(&mut refused);
    let status = merged
        .status
        .unwrap_or_else(|| own_status(asks, collection));
    Ok(answer(asks, status, merged.fates, merged.codes))
}

/// The status where no leader was asked.
fn own_status(asks: Sharded<'_>, collection: &Planned) -> u16 {
    let asked = asks.request.query_flag("waitForSync") == Some(true);
    let sync = asked || collection.waits_for_sync();
    match (
        only_reads(asks),
        asks.request.method == Method::DELETE,
        sync,
    ) {
        (true, _, _) | (_, true, true) => 200,
        (_, false, true) => 201,
        (_, _, false) => 202,
    }
}

fn answer(
    asks: Sharded<'_>,
    status: u16,
    fates: BTreeMap<usize, Fate>,
    mut codes: Codes,
) -> Answer {
    let silent = asks.request.query_flag("silent") == Some(true) && !only_reads(asks);
    let mut texts = Vec::with_capacity(fates.len());
    for fate in fates.into_values() {
        match fate {
            Ok(result) if silent && result["error"] != true => {}
            Ok(result) => texts.push(result.to_string()),
            Err(error) => texts.push(codes.count(&error)),
        }
    }
    codes.add_to(Answer::raw_json(status, format!("[{}]", texts.join(","))))
}
