//! Lists of things that the emulator cannot create, so that they are empty and true, and the index
//! that every collection has.

use hyper::Method;
use serde_json::{Value, json};

use crate::auth::Right;
use crate::errors::ApiError;
use crate::http::{Answer, Request};
use crate::role::Role;
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

/// What is asked about things that do not exist here: queries, cursors, stored answers, caches. All of
/// them are gone, and what is to be cleared away is cleared.
pub(crate) fn nothing(
    server: &Server,
    request: &Request,
    route: &[&str],
) -> Option<Result<Answer, ApiError>> {
    if !matches!(server.settings.role, Role::Single | Role::Coordinator) {
        return None;
    }
    let (get, delete) = (Method::GET, Method::DELETE);
    let none = || Ok(Answer::json(200, &json!([])));
    let cleared = || Ok(Answer::good(200, json!({})));
    Some(match route {
        ["_api", "query", "current" | "slow"] if request.method == get => none(),
        ["_api", "query", "slow"] if request.method == delete => cleared(),
        ["_api", "query", _] if request.method == delete => {
            Err(ApiError::new(404, 1591, "query ID not found"))
        }
        ["_api", "query-cache", "entries"] | ["_api", "query-plan-cache"]
            if request.method == get =>
        {
            none()
        }
        ["_api", "query-cache" | "query-plan-cache"] if request.method == delete => cleared(),
        ["_api", "cursor", _, ..] if request.method != get => {
            Err(ApiError::new(404, 1600, "cursor not found"))
        }
        ["_api", "index", "sync-caches"] if request.method == Method::POST => cleared(),
        ["_api" | "_admin", "job", "done" | "pending"] if request.method == get => none(),
        ["_api" | "_admin", "job", "all" | "expired"] if request.method == delete => {
            Ok(Answer::json(200, &json!({ "result": true })))
        }
        ["_api" | "_admin", "job", _, ..] => Err(ApiError::new(404, 404, "not found")),
        _ => return None,
    })
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
    match rest {
        [] | ["selectivity"] => {
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
    permit_index(server, request, rest, name)?;
    let name = server.read(|store| {
        let found = store.collection(&request.database, name)?;
        Ok(found.meta.name.clone())
    })?;
    index_answer(vec![primary_index(&name)], number)
}

/// Refuses what is asked about the indexes of a collection to those who may not, and then what the
/// emulator has not got.
pub(crate) fn permit_index(
    server: &Server,
    request: &Request,
    rest: &[&str],
    name: &str,
) -> Result<(), ApiError> {
    if request.method != Method::GET {
        server.require_collection_ddl(request, name)?;
        return Err(ApiError::not_implemented("secondary indexes"));
    }
    // A coordinator lists indexes to all who may read the database.
    if !(rest.is_empty() && server.settings.role == Role::Coordinator) {
        server.require_collection(request, name, Right::Ro)?;
    }
    match rest {
        ["selectivity"] => Err(ApiError::not_implemented("the selectivity of indexes")),
        _ => Ok(()),
    }
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
