//! `/_api/document` on coordinators: single documents. Batches are in [`super::batch`].

use bytes::Bytes;
use hyper::Method;
use serde_json::Value;

use super::{Sharded, batch};
use crate::api::document::wishes;
use crate::auth::Right;
use crate::coordinator::{Ask, Keys, Planned};
use crate::errors::ApiError;
use crate::http::{Answer, Reply, percent};
use crate::store::attributes;

/// All of `/_api/document`.
pub(super) async fn document(asks: Sharded<'_>, rest: &[&str]) -> Result<Answer, ApiError> {
    let request = asks.request;
    match (&request.method, rest) {
        (&Method::GET | &Method::HEAD, [name, key]) => read(asks, name, key).await,
        (&Method::POST, [name]) => insert(asks, name).await,
        (&Method::POST, []) => match request.query("collection") {
            Some(name) => insert(asks, name).await,
            None => Err(ApiError::bad_parameter("the collection is missing")),
        },
        (&Method::PUT | &Method::PATCH | &Method::DELETE, [name]) => {
            batch::change(asks, name).await
        }
        (&Method::PUT | &Method::PATCH | &Method::DELETE, [name, key]) => {
            change(asks, name, key).await
        }
        (&Method::GET | &Method::HEAD | &Method::POST, _) => {
            Err(ApiError::unknown_path(&request.path))
        }
        _ => Err(ApiError::method_not_allowed()),
    }
}

/// The request for a shard that has this path there.
fn forwarded(asks: Sharded<'_>, method: Method, path: String, body: Bytes) -> Ask {
    let header = |name: &'static str| {
        let value = asks.request.header(name)?;
        Some((name, String::from(value)))
    };
    let headers = ["if-match", "if-none-match"].into_iter().filter_map(header);
    Ask {
        reads: method == Method::GET,
        method,
        path,
        query: asks.parameters(&[]),
        headers: headers.collect(),
        body,
    }
}

fn at_key(key: &str) -> String {
    format!("/_api/document/{{}}/{}", percent::encode(key))
}

/// The leader's answer as the client gets it.
fn passed_on(reply: &Reply) -> Answer {
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    let answer = match reply.body.is_empty() {
        true => Answer::text(reply.status, text),
        false => Answer::raw_json(reply.status, text),
    };
    let etag = reply
        .headers
        .get("etag")
        .and_then(|etag| etag.to_str().ok());
    match etag {
        Some(etag) => answer.with("etag", etag),
        None => answer,
    }
}

/// The same with the place of the document where it was changed.
fn changed(reply: &Reply, collection: &Planned, key: &str) -> Answer {
    let answer = passed_on(reply);
    if reply.status >= 400 {
        return answer;
    }
    let location = format!(
        "/_db/{}/_api/document/{}/{}",
        percent::encode(&collection.database),
        percent::encode(collection.name()),
        percent::encode(key),
    );
    answer.with("location", location)
}

async fn read(asks: Sharded<'_>, name: &str, key: &str) -> Result<Answer, ApiError> {
    let collection = asks.collection(name, Right::Ro).await?;
    let shard = collection.shard_of(key)?;
    // An error behind HEAD would have no number.
    let ask = forwarded(asks, Method::GET, at_key(key), Bytes::new());
    let reply = asks.ask(&collection, &shard, &ask).await?;
    Ok(passed_on(&reply))
}

async fn insert(asks: Sharded<'_>, name: &str) -> Result<Answer, ApiError> {
    let request = asks.request;
    wishes(request)?;
    let body = request.json()?;
    let collection = asks.collection(name, Right::Rw).await?;
    if let Value::Array(list) = body {
        return batch::insert(asks, &collection, list).await;
    }
    let mut object = attributes(body)?;
    let count = usize::from(!object.contains_key("_key"));
    let mut keys = Keys::take(asks.server, asks.cluster, &collection, count).await?;
    let key = keys.give(&mut object)?;
    let shard = collection.shard_of(&key)?;
    let body = Bytes::from(Value::Object(object).to_string());
    let path = String::from("/_api/document/{}");
    let ask = forwarded(asks, Method::POST, path, body);
    let reply = asks.ask(&collection, &shard, &ask).await?;
    Ok(changed(&reply, &collection, &key))
}

/// Changes or removes one document.
pub(super) async fn change(asks: Sharded<'_>, name: &str, key: &str) -> Result<Answer, ApiError> {
    let request = asks.request;
    let mut body = Bytes::new();
    if request.method != Method::DELETE {
        wishes(request)?;
        attributes(request.json()?)?;
        body = request.body.clone();
    }
    let collection = asks.collection(name, Right::Rw).await?;
    let shard = collection.shard_of(key)?;
    let ask = forwarded(asks, request.method.clone(), at_key(key), body);
    let reply = asks.ask(&collection, &shard, &ask).await?;
    Ok(changed(&reply, &collection, key))
}
