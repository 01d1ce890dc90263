//! Lists of things that the emulator cannot create, so that they are empty and true, and the index
//! that every collection has.

use hyper::Method;
use serde_json::{Value, json};

use crate::auth::Right;
use crate::errors::ApiError;
use crate::http::{Answer, Request};
use crate::server::Server;

/// `GET` on views, graphs, analyzers and tasks.
///
/// arangod lists thirteen built-in analyzers. The emulator has no analyzers, so it lists none; a
/// check that compares the list before and after a test sees no difference either way.
pub(crate) fn listing(request: &Request, name: &str, rest: &[&str]) -> Result<Answer, ApiError> {
    let refuse = || ApiError::not_implemented(format_args!("{} {}", request.method, request.path));
    if request.method != Method::GET {
        return Err(refuse());
    }
    match (name, rest) {
        ("tasks", []) => Ok(Answer::json(200, &json!([]))),
        ("tasks", [_]) => Err(ApiError::new(404, 1852, "task not found")),
        ("gharial", []) => Ok(Answer::good(200, json!({ "graphs": [] }))),
        ("gharial", [_]) => Err(ApiError::new(404, 1924, "graph not found")),
        ("view", []) => Ok(Answer::result(200, json!([]))),
        ("view", [view]) => Err(ApiError::collection_not_found(view)),
        ("analyzer", []) => Ok(Answer::result(200, json!([]))),
        _ => Err(refuse()),
    }
}

/// The primary index of a collection. Edge collections of arangod list an edge index too; the
/// emulator has none.
pub(super) fn primary_index(collection: &str) -> Value {
    json!({
        "fields": ["_key"],
        "id": format!("{collection}/0"),
        "name": "primary",
        "selectivityEstimate": 1,
        "sparse": false,
        "type": "primary",
        "unique": true,
    })
}

/// The collection whose indexes are asked for, and the number of one of them if that alone is meant.
pub(crate) fn asked_index<'a>(
    request: &'a Request,
    rest: &[&'a str],
) -> Result<(&'a str, Option<&'a str>), ApiError> {
    if request.method != Method::GET {
        return Err(ApiError::not_implemented("secondary indexes"));
    }
    match rest {
        [] => {
            let missing = || ApiError::bad_parameter("the collection is missing");
            Ok((request.query("collection").ok_or_else(missing)?, None))
        }
        [name, number] => Ok((*name, Some(*number))),
        _ => Err(ApiError::unknown_path(&request.path)),
    }
}

/// `GET /_api/index?collection=...` and `GET /_api/index/<collection>/0`
pub(crate) fn index(server: &Server, request: &Request, rest: &[&str]) -> Result<Answer, ApiError> {
    let (name, number) = asked_index(request, rest)?;
    server.require_collection(request, name, Right::Ro)?;
    let name = server.read(|store| {
        let found = store.collection(&request.database, name)?;
        Ok(found.meta.name.clone())
    })?;
    index_answer(vec![primary_index(&name)], number)
}

/// All indexes, or the one that is asked for.
pub(super) fn index_answer(indexes: Vec<Value>, number: Option<&str>) -> Result<Answer, ApiError> {
    let Some(number) = number else {
        let identifiers: serde_json::Map<String, Value> = indexes
            .iter()
            .filter_map(|index| Some((String::from(index["id"].as_str()?), index.clone())))
            .collect();
        let body = json!({ "indexes": indexes, "identifiers": identifiers });
        return Ok(Answer::good(200, body));
    };
    let wanted = format!("/{number}");
    let found = indexes
        .into_iter()
        .find(|index| index["id"].as_str().is_some_and(|id| id.ends_with(&wanted)));
    match found {
        Some(index) => Ok(Answer::good(200, index)),
        None => Err(ApiError::new(404, 1212, "index not found")),
    }
}
