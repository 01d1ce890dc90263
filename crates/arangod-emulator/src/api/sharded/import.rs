//! `POST /_api/import` on coordinators: the lines go to their shards as batches of documents.

use std::collections::BTreeSet;

use hyper::Method;
use serde_json::{Map, Value};

use super::batch::{How, Merged, Parts, ask};
use super::{Sharded, collection, error_of};
use crate::api::import::{Line, Tally, Wanted, lines, prefixed};
use crate::auth::Right;
use crate::coordinator::{Keys, Planned};
use crate::errors::ApiError;
use crate::http::Answer;
use crate::store::Mode;

/// A document with its key, and its text for messages about it.
struct Document {
    key: String,
    object: Map<String, Value>,
    text: String,
}

/// `POST /_api/import`
pub(super) async fn import(asks: Sharded<'_>) -> Result<Answer, ApiError> {
    let request = asks.request;
    if request.method != Method::POST {
        return Err(ApiError::method_not_allowed());
    }
    let wanted = Wanted::read(request)?;
    let collection = asks.collection(wanted.name, Right::Rw).await?;
    let mut tally = Tally::default();
    let lines = lines(request, &mut tally)?;
    let documents = documents(asks, &collection, lines, &mut tally, wanted.complete).await?;
    if wanted.complete && wanted.mode == Mode::Conflict {
        check_keys(asks, &collection, &documents, wanted.overwrite).await?;
    }
    if wanted.overwrite {
        collection::truncate(asks, &collection).await?;
    }
    let mut parts = Parts::default();
    let mut texts = Vec::with_capacity(documents.len());
    for (position, document) in documents.into_iter().enumerate() {
        let element = Value::Object(document.object);
        parts.add(&collection, &document.key, position, element)?;
        texts.push(document.text);
    }
    let merged = ask(asks, &collection, parts, &how(asks, wanted.mode)).await;
    settle(&mut tally, &texts, merged, &wanted)?;
    Ok(tally.answer(request))
}

/// The documents of the lines; with `complete=true` the first line that is none is an error.
async fn documents(
    asks: Sharded<'_>,
    collection: &Planned,
    lines: Vec<Line>,
    tally: &mut Tally,
    complete: bool,
) -> Result<Vec<Document>, ApiError> {
    let keyless = |line: &&Line| matches!(line, Ok(object) if !object.contains_key("_key"));
    let count = lines.iter().filter(keyless).count();
    let mut keys = Keys::take(asks.server, asks.cluster, collection, count).await?;
    let mut documents = Vec::with_capacity(lines.len());
    for (number, line) in lines.into_iter().enumerate() {
        let mut object = match line {
            Ok(object) => object,
            Err(reason) if complete => return Err(ApiError::bad(reason)),
            Err(reason) => {
                tally.fail(number + 1, &reason);
                continue;
            }
        };
        prefixed(&mut object, asks.request);
        let text = Value::Object(object.clone()).to_string();
        let edge = object.contains_key("_from") && object.contains_key("_to");
        let key = match edge || !collection.is_edge() {
            true => keys.give(&mut object),
            false => Err(ApiError::new(
                400,
                1233,
                "missing '_from' or '_to' attribute",
            )),
        };
        match key {
            Ok(key) => documents.push(Document { key, object, text }),
            Err(error) if complete => return Err(error),
            Err(error) => tally.refuse(number, &error, &text),
        }
    }
    Ok(documents)
}

/// Refuses keys that are there already, here or in the collection. Another client may still be
/// faster: shards know nothing of each other.
async fn check_keys(
    asks: Sharded<'_>,
    collection: &Planned,
    documents: &[Document],
    emptied: bool,
) -> Result<(), ApiError> {
    let taken = || ApiError::new(409, 1210, "unique constraint violated");
    let mut seen = BTreeSet::new();
    let mut parts = Parts::default();
    for (position, document) in documents.iter().enumerate() {
        if !seen.insert(&document.key) {
            return Err(taken());
        }
        let key = Value::from(document.key.as_str());
        parts.add(collection, &document.key, position, key)?;
    }
    if emptied {
        return Ok(());
    }
    let how = How {
        method: Method::PUT,
        query: vec![(String::from("onlyget"), String::from("true"))],
        reads: true,
    };
    for fate in ask(asks, collection, parts, &how).await.fates.into_values() {
        // What was found has a revision; what was not is an error.
        if fate?["_rev"].is_string() {
            return Err(taken());
        }
    }
    Ok(())
}

/// Leaders do not say what they have left alone: what may be ignored is sent as what must be new.
fn how(asks: Sharded<'_>, mode: Mode) -> How {
    let overwrite = match mode {
        Mode::Conflict | Mode::Ignore => "conflict",
        Mode::Replace => "replace",
        Mode::Update => "update",
    };
    let mut query = vec![(String::from("overwriteMode"), String::from(overwrite))];
    if asks.request.query_flag("waitForSync") == Some(true) {
        query.push((String::from("waitForSync"), String::from("true")));
    }
    How {
        method: Method::POST,
        query,
        reads: false,
    }
}

/// Counts what the leaders have said. With `complete=true` the first error is the answer; what
/// other shards have stored by then stays.
fn settle(
    tally: &mut Tally,
    texts: &[String],
    merged: Merged,
    wanted: &Wanted<'_>,
) -> Result<(), ApiError> {
    if let (None, Some(error)) = (merged.status, merged.refusal) {
        return Err(error);
    }
    for (position, fate) in merged.fates {
        let error = match fate {
            Ok(result) if result["error"] == true => {
                let status = if result["errorNum"] == 1210 { 409 } else { 400 };
                error_of(status, &result)
            }
            Ok(result) if result["_oldRev"].is_string() => {
                tally.updated += 1;
                continue;
            }
            Ok(_) => {
                tally.created += 1;
                continue;
            }
            Err(error) => error,
        };
        if error.number == 1210 && wanted.mode == Mode::Ignore {
            tally.ignored += 1;
        } else if wanted.complete {
            return Err(error);
        } else {
            let text = texts.get(position).map_or("", String::as_str);
            tally.refuse(position, &error, text);
        }
    }
    Ok(())
}
