//! `/_api/document`: single documents. Batches are in [`super::batch`].

use hyper::Method;
use serde_json::{Map, Value, json};

use super::batch;
use crate::auth::Right;
use crate::errors::ApiError;
use crate::failure_points::{INSERT, READ};
use crate::http::{Answer, Request, percent};
use crate::server::Server;
use crate::store::{Change, Expected, Mode, Outcome, Store, attributes, revision_text};

/// All of `/_api/document`.
pub(crate) fn document(
    server: &Server,
    request: &Request,
    rest: &[&str],
) -> Result<Answer, ApiError> {
    let named = request.query("collection");
    match (&request.method, rest) {
        (&Method::GET | &Method::HEAD, [name, key]) => read(server, request, name, key),
        (&Method::POST, [name]) => insert(server, request, name),
        (&Method::POST, []) => match named {
            Some(name) => insert(server, request, name),
            None => Err(ApiError::bad_parameter("the collection is missing")),
        },
        (&Method::PUT | &Method::PATCH | &Method::DELETE, [name]) => {
            batch::change(server, request, name)
        }
        (&Method::PUT | &Method::PATCH, [name, key]) => change(server, request, name, key),
        (&Method::DELETE, [name, key]) => remove(server, request, name, key),
        (&Method::GET | &Method::HEAD | &Method::POST, _) => {
            Err(ApiError::unknown_path(&request.path))
        }
        _ => Err(ApiError::method_not_allowed()),
    }
}

/// How the query parameters want documents to be changed.
pub(super) fn wishes(request: &Request) -> Result<Change, ApiError> {
    let set = |name: &str, default: bool| request.query_flag(name).unwrap_or(default);
    let mode = match request.query("overwriteMode") {
        None if set("overwrite", false) => Mode::Replace,
        None | Some("conflict") => Mode::Conflict,
        Some("ignore") => Mode::Ignore,
        Some("replace") => Mode::Replace,
        Some("update") => Mode::Update,
        Some(_) => return Err(ApiError::bad_parameter("invalid overwriteMode")),
    };
    let version = request.query("versionAttribute");
    Ok(Change {
        mode,
        keep_null: set("keepNull", true),
        merge_objects: set("mergeObjects", true),
        version_attribute: version.filter(|name| !name.is_empty()).map(String::from),
        return_new: set("returnNew", false),
        return_old: set("returnOld", false),
    })
}

/// Checks the right, starts the change, and makes it durable if it must be. The flag tells whether
/// it was, for the status.
pub(super) fn with_collection<T>(
    server: &Server,
    request: &Request,
    name: &str,
    change: impl FnOnce(&mut Store, u64) -> Result<T, ApiError>,
) -> Result<(T, bool), ApiError> {
    server.require_collection(request, name, Right::Rw)?;
    let asked = request.query_flag("waitForSync") == Some(true);
    server.write(|store| {
        let found = store.collection(&request.database, name)?;
        let (id, sync) = (found.id, store.waits_for_sync(found, asked));
        if sync {
            store.require_sync();
        }
        Ok((change(store, id)?, sync))
    })
}

/// The JSON of an outcome, with the old and the new document where they are wanted.
pub(super) fn outcome_json(outcome: &Outcome) -> String {
    let mut text = format!(
        "{{\"_id\":{},\"_key\":{},\"_rev\":\"{}\"",
        json!(outcome.id),
        json!(outcome.key),
        revision_text(outcome.revision),
    );
    if let Some(old) = outcome.old_revision {
        text.push_str(&format!(",\"_oldRev\":\"{}\"", revision_text(old)));
    }
    for (name, document) in [("new", &outcome.new), ("old", &outcome.old)] {
        if let Some(document) = document {
            text.push_str(&format!(",\"{name}\":{document}"));
        }
    }
    text.push('}');
    text
}

fn answer(request: &Request, status: u16, outcome: &Outcome) -> Answer {
    let silent = request.query_flag("silent") == Some(true);
    let body = if silent {
        String::from("{}")
    } else {
        outcome_json(outcome)
    };
    let (collection, key) = outcome.id.split_once('/').unwrap_or((&outcome.id, ""));
    let location = format!(
        "/_db/{}/_api/document/{}/{}",
        percent::encode(&request.database),
        percent::encode(collection),
        percent::encode(key),
    );
    Answer::raw_json(status, body)
        .with("etag", format!("\"{}\"", revision_text(outcome.revision)))
        .with("location", location)
}

/// The revision in an `If-Match` or `If-None-Match` header, without its quotes.
fn revision_header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let text = request.header(name)?.trim();
    Some(text.trim_start_matches("W/").trim_matches('"'))
}

fn read(server: &Server, request: &Request, name: &str, key: &str) -> Result<Answer, ApiError> {
    server.require_collection(request, name, Right::Ro)?;
    server.failure_points.check(READ)?;
    server.read(|store| {
        let found = store.collection(&request.database, name)?;
        let document = found
            .documents
            .get(key)
            .ok_or_else(ApiError::document_not_found)?;
        let revision = revision_text(document.revision);
        let etag = format!("\"{revision}\"");
        if revision_header(request, "if-none-match") == Some(&revision) {
            return Ok(Answer::text(304, String::new()).with("etag", etag));
        }
        if revision_header(request, "if-match").is_some_and(|wanted| wanted != revision) {
            let id = found.id_of(key);
            return Err(ApiError::conflict(&id, key, &revision));
        }
        Ok(Answer::raw_json(200, document.render(found, key)).with("etag", etag))
    })
}

fn insert(server: &Server, request: &Request, name: &str) -> Result<Answer, ApiError> {
    server.failure_points.check(INSERT)?;
    let how = wishes(request)?;
    let body = request.json()?;
    if let Value::Array(list) = body {
        return batch::insert(server, request, name, list, &how);
    }
    let (outcome, sync) = with_collection(server, request, name, |store, collection| {
        store.insert(collection, attributes(body)?, &how)
    })?;
    Ok(answer(request, if sync { 201 } else { 202 }, &outcome))
}

/// The revision that the document must have: from the header, or from the body where
/// `ignoreRevs=false` asks to look there.
fn expected<'a>(request: &'a Request, body: &'a Map<String, Value>) -> Expected<'a> {
    if let Some(revision) = revision_header(request, "if-match") {
        return Expected::Revision(revision);
    }
    match body.get("_rev").and_then(Value::as_str) {
        Some(revision) if request.query_flag("ignoreRevs") == Some(false) => {
            Expected::Revision(revision)
        }
        _ => Expected::Any,
    }
}

fn change(server: &Server, request: &Request, name: &str, key: &str) -> Result<Answer, ApiError> {
    let how = wishes(request)?;
    let body = attributes(request.json()?)?;
    let (outcome, sync) = with_collection(server, request, name, |store, collection| {
        let expected = expected(request, &body);
        if request.method == Method::PATCH {
            store.update(collection, key, body.clone(), expected, &how)
        } else {
            store.replace(collection, key, body.clone(), expected, &how)
        }
    })?;
    Ok(answer(request, if sync { 201 } else { 202 }, &outcome))
}

/// Removes one document.
pub(super) fn remove(
    server: &Server,
    request: &Request,
    name: &str,
    key: &str,
) -> Result<Answer, ApiError> {
    let return_old = request.query_flag("returnOld") == Some(true);
    let (outcome, sync) = with_collection(server, request, name, |store, collection| {
        let expected = match revision_header(request, "if-match") {
            Some(revision) => Expected::Revision(revision),
            None => Expected::Any,
        };
        store.remove(collection, key, expected, return_old)
    })?;
    Ok(answer(request, if sync { 200 } else { 202 }, &outcome))
}
