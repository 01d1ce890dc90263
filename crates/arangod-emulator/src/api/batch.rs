//! `/_api/document` with an array as body: a result for each element, and an HTTP status that tells
//! nothing about them.

use std::collections::BTreeMap;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::document::{outcome_json, wishes, with_collection};
use crate::auth::Right;
use crate::errors::ApiError;
use crate::http::{Answer, Reply, Request};
use crate::server::Server;
use crate::store::{Change, Expected, Outcome, Store, attributes};

/// `POST` with an array.
pub(super) fn insert(
    server: &Server,
    request: &Request,
    name: &str,
    list: Vec<Value>,
    how: &Change,
) -> Result<Answer, ApiError> {
    let (results, sync) = with_collection(server, request, name, |store, collection| {
        Ok(list
            .into_iter()
            .map(|element| store.insert(collection, attributes(element)?, how))
            .collect::<Vec<_>>())
    })?;
    Ok(answer(request, if sync { 201 } else { 202 }, &results))
}

/// `PUT`, `PATCH` and `DELETE` with an array; `PUT ...?onlyget=true` reads.
pub(super) fn change(server: &Server, request: &Request, name: &str) -> Result<Answer, ApiError> {
    let list = match request.json()? {
        Value::Array(list) => list,
        _ if request.method != Method::DELETE => {
            return Err(ApiError::bad("expecting a JSON array as body"));
        }
        // A document, or a key, that is to be removed.
        element => {
            let key = key_of(&element)?;
            return super::document::remove(server, request, name, &key);
        }
    };
    if request.method == Method::PUT && request.query_flag("onlyget") == Some(true) {
        return read(server, request, name, &list);
    }
    let how = wishes(request)?;
    let ignore = request.query_flag("ignoreRevs") != Some(false);
    let (results, sync) = with_collection(server, request, name, |store, collection| {
        Ok(list
            .into_iter()
            .map(|element| one(store, collection, request, element, ignore, &how))
            .collect::<Vec<_>>())
    })?;
    let status = match (request.method == Method::DELETE, sync) {
        (true, true) => 200,
        (false, true) => 201,
        (_, false) => 202,
    };
    Ok(answer(request, status, &results))
}

fn one(
    store: &mut Store,
    collection: u64,
    request: &Request,
    element: Value,
    ignore: bool,
    how: &Change,
) -> Result<Outcome, ApiError> {
    let key = key_of(&element)?;
    let revision = element
        .get("_rev")
        .and_then(Value::as_str)
        .map(String::from);
    let expected = match &revision {
        Some(revision) if !ignore => Expected::Revision(revision),
        _ => Expected::Any,
    };
    if request.method == Method::DELETE {
        return store.remove(collection, &key, expected, how.return_old);
    }
    let object = attributes(element)?;
    if request.method == Method::PATCH {
        store.update(collection, &key, object, expected, how)
    } else {
        store.replace(collection, &key, object, expected, how)
    }
}

/// The key that an element names: a key, an id, or a document with one of them.
pub(super) fn key_of(element: &Value) -> Result<String, ApiError> {
    let text = match element {
        Value::String(text) => Some(text),
        Value::Object(object) => match object.get("_key").or_else(|| object.get("_id")) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        },
        _ => None,
    };
    let text = text.ok_or_else(ApiError::bad_key)?;
    let key = text.split_once('/').map_or(text.as_str(), |(_, key)| key);
    Ok(String::from(key))
}

fn read(
    server: &Server,
    request: &Request,
    name: &str,
    list: &[Value],
) -> Result<Answer, ApiError> {
    server.require_collection(request, name, Right::Ro)?;
    let ignore = request.query_flag("ignoreRevs") != Some(false);
    let mut codes = Codes::default();
    let body = server.read(|store| {
        let found = store.collection(&request.database, name)?;
        let mut texts = Vec::with_capacity(list.len());
        for element in list {
            let result = key_of(element).and_then(|key| {
                let document = found
                    .documents
                    .get(key.as_str())
                    .ok_or_else(ApiError::document_not_found)?;
                let revision = crate::store::revision_text(document.revision);
                let wanted = element.get("_rev").and_then(Value::as_str);
                if !ignore && wanted.is_some_and(|wanted| wanted != revision) {
                    let id = found.id_of(&key);
                    return Err(ApiError::conflict(&id, &key, &revision));
                }
                Ok(document.render(found, &key))
            });
            texts.push(result.unwrap_or_else(|error| codes.count(&error)));
        }
        Ok(format!("[{}]", texts.join(",")))
    })?;
    Ok(codes.add_to(Answer::raw_json(200, body)))
}

/// How often each error number occurred.
#[derive(Debug, Default)]
pub(super) struct Codes(BTreeMap<u32, u64>);

impl Codes {
    /// Counts an error and gives its element.
    pub(super) fn count(&mut self, error: &ApiError) -> String {
        *self.0.entry(error.number).or_default() += 1;
        error.element().to_string()
    }

    /// The counts in the header of another server's answer.
    pub(super) fn read(reply: &Reply) -> Self {
        let header = reply.headers.get("x-arango-error-codes");
        let counts = header.and_then(|text| serde_json::from_slice(text.as_bytes()).ok());
        Self(counts.unwrap_or_default())
    }

    /// Adds the counts of others.
    pub(super) fn merge(&mut self, others: Self) {
        for (number, count) in others.0 {
            *self.0.entry(number).or_default() += count;
        }
    }

    /// Puts the counts into the header of the answer.
    pub(super) fn add_to(self, answer: Answer) -> Answer {
        if self.0.is_empty() {
            return answer;
        }
        let codes: Map<String, Value> = self
            .0
            .into_iter()
            .map(|(number, count)| (number.to_string(), json!(count)))
            .collect();
        answer.with("x-arango-error-codes", Value::Object(codes).to_string())
    }
}

fn answer(request: &Request, status: u16, results: &[Result<Outcome, ApiError>]) -> Answer {
    let silent = request.query_flag("silent") == Some(true);
    let mut codes = Codes::default();
    let texts: Vec<String> = results
        .iter()
        .filter_map(|result| match result {
            Ok(_) if silent => None,
            Ok(outcome) => Some(outcome_json(outcome)),
            Err(error) => Some(codes.count(error)),
        })
        .collect();
    codes.add_to(Answer::raw_json(status, format!("[{}]", texts.join(","))))
}
