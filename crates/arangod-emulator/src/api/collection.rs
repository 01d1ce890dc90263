//! `/_api/collection`

use hyper::Method;
use serde_json::{Map, Value, json};

use crate::auth::{Right, collection_right};
use crate::errors::ApiError;
use crate::failure_points::{CRASH_AFTER_TRUNCATE, TRUNCATE};
use crate::http::{Answer, Request, percent};
use crate::server::Server;
use crate::store::{Collection, CollectionMeta, KeyGenerator, revision_text};

/// All of `/_api/collection`.
pub(crate) fn collection(
    server: &Server,
    request: &Request,
    rest: &[&str],
) -> Result<Answer, ApiError> {
    match (&request.method, rest) {
        (&Method::GET, []) => list(server, request),
        (&Method::POST, []) => create(server, request),
        (&Method::GET, [name, what @ ..]) if what.len() <= 1 => {
            look(server, request, name, what.first().copied())
        }
        (&Method::PUT, [name, what]) => change(server, request, name, what),
        (&Method::DELETE, [name]) => drop_collection(server, request, name),
        _ => Err(ApiError::method_not_allowed()),
    }
}

/// The attributes that every answer about a collection has.
fn brief(server: &Server, found: &Collection) -> Value {
    json!({
        "id": found.id.to_string(),
        "name": found.meta.name,
        "status": 3,
        "type": found.meta.kind,
        "isSystem": found.meta.system,
        "globallyUniqueId": server.globally_unique(found.id, &found.meta.name),
    })
}

/// All attributes, as recorded from a single server of 3.12.10.
fn full(server: &Server, found: &Collection) -> Value {
    let mut body = brief(server, found);
    let more = json!({
        "cacheEnabled": found.meta.cache_enabled,
        "computedValues": null,
        "internalValidatorType": 0,
        "isSmartChild": false,
        "keyOptions": found.meta.key_options(found.last_value),
        "objectId": found.meta.object_id.to_string(),
        "schema": null,
        "statusString": "loaded",
        "supportsRBAC": true,
        "syncByRevision": true,
        "usesRevisionsAsDocumentIds": true,
        "waitForSync": found.meta.wait_for_sync,
        "writeConcern": found.meta.write_concern,
    });
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}

fn list(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    let without_system = request.query_flag("excludeSystem") == Some(true);
    let result = server.read(|store| {
        Ok(store
            .collections(&request.database)
            .filter(|found| !(without_system && found.meta.system))
            .filter(|found| {
                let name = &found.meta.name;
                collection_right(store, &request.identity, &request.database, name) >= Right::Ro
            })
            .map(|found| brief(server, found))
            .collect::<Vec<_>>())
    })?;
    Ok(Answer::result(200, json!(result)))
}

pub(super) fn flag(body: &Map<String, Value>, name: &str, default: bool) -> Result<bool, ApiError> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(default),
        Some(Value::Bool(set)) => Ok(*set),
        Some(_) => Err(ApiError::bad_parameter(format!("{name} must be a boolean"))),
    }
}

/// Attributes that would change how documents are checked or stored.
pub(super) fn refuse_unable(body: &Map<String, Value>) -> Result<(), ApiError> {
    for name in ["schema", "computedValues"] {
        let nothing = match body.get(name) {
            None | Some(Value::Null) => true,
            Some(Value::Object(object)) => object.is_empty(),
            Some(Value::Array(list)) => list.is_empty(),
            Some(_) => false,
        };
        if !nothing {
            return Err(ApiError::not_implemented(format_args!(
                "collections with '{name}'"
            )));
        }
    }
    Ok(())
}

/// Name and properties from the body of a request.
pub(super) fn meta_of(body: &Map<String, Value>) -> Result<CollectionMeta, ApiError> {
    let name = body
        .get("name")
        .and_then(Value::as_str)
        .ok_or_else(|| ApiError::new(400, 1208, "illegal name"))?;
    refuse_unable(body)?;
    let mut meta = CollectionMeta::named(name);
    meta.system = flag(body, "isSystem", false)? && name.starts_with('_');
    meta.wait_for_sync = flag(body, "waitForSync", false)?;
    meta.cache_enabled = flag(body, "cacheEnabled", false)?;
    meta.kind = match body.get("type") {
        None | Some(Value::Null) => 2,
        Some(kind) => match (kind.as_u64(), kind.as_str()) {
            (Some(2), _) | (_, Some("document")) => 2,
            (Some(3), _) | (_, Some("edge")) => 3,
            _ => return Err(ApiError::new(400, 1218, "collection type invalid")),
        },
    };
    if let Some(concern) = body.get("writeConcern").and_then(Value::as_u64) {
        meta.write_concern = concern;
    }
    if let Some(keys) = body.get("keyOptions").and_then(Value::as_object) {
        key_options(&mut meta, keys)?;
    }
    Ok(meta)
}

fn key_options(meta: &mut CollectionMeta, keys: &Map<String, Value>) -> Result<(), ApiError> {
    let invalid = || ApiError::new(400, 1232, "invalid key generator");
    meta.allow_user_keys = flag(keys, "allowUserKeys", true)?;
    meta.keys = match keys.get("type").map(Value::as_str) {
        None | Some(Some("traditional")) => KeyGenerator::Traditional,
        Some(Some("autoincrement")) => KeyGenerator::Autoincrement,
        Some(Some("uuid")) => KeyGenerator::Uuid,
        Some(Some("padded")) => KeyGenerator::Padded,
        _ => return Err(invalid()),
    };
    let number = |name: &str, default: u64| match keys.get(name) {
        None => Ok(default),
        Some(value) => value.as_u64().ok_or_else(invalid),
    };
    meta.increment = number("increment", 1)?;
    meta.offset = number("offset", 0)?;
    if meta.increment == 0 || meta.increment >= 1 << 16 {
        return Err(invalid());
    }
    Ok(())
}

fn create(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    server.require_ddl(request)?;
    let meta = meta_of(&request.json_object()?)?;
    let name = meta.name.clone();
    server.write(|store| store.create_collection(&request.database, meta))?;
    let body = server.read(|store| {
        let found = store.collection(&request.database, &name)?;
        Ok(full(server, found))
    })?;
    Ok(Answer::good(200, body))
}

/// The `location` that answers with a suffix carry.
pub(super) fn located(answer: Answer, request: &Request, name: &str, what: &str) -> Answer {
    let database = percent::encode(&request.database);
    let name = percent::encode(name);
    answer.with(
        "location",
        format!("/_db/{database}/_api/collection/{name}/{what}"),
    )
}

fn look(
    server: &Server,
    request: &Request,
    name: &str,
    what: Option<&str>,
) -> Result<Answer, ApiError> {
    server.require_collection(request, name, Right::Ro)?;
    let body = server.read(|store| {
        let found = store.collection(&request.database, name)?;
        Ok(match what {
            None => brief(server, found),
            Some("properties") => full(server, found),
            Some("count") => {
                let mut body = full(server, found);
                body["count"] = json!(found.documents.len());
                body
            }
            Some("revision") => {
                let mut body = full(server, found);
                body["revision"] = match found.revision {
                    // arangod reads its own "0" as a digit, whose value this is (`RevisionId::fromString`).
                    0 => json!("54"),
                    revision => json!(revision_text(revision)),
                };
                body
            }
            Some("shards") => return Err(ApiError::new(501, 9, "not implemented")),
            Some(other) => {
                return Err(ApiError::not_implemented(format_args!(
                    "GET /_api/collection/.../{other}"
                )));
            }
        })
    })?;
    let answer = Answer::good(200, body);
    Ok(match what {
        Some(what) => located(answer, request, name, what),
        None => answer,
    })
}

/// Refuses a change to those who may not make it.
pub(super) fn permit_change(
    server: &Server,
    request: &Request,
    name: &str,
    what: &str,
) -> Result<(), ApiError> {
    match what {
        "rename" | "properties" => server.require_collection_ddl(request, name),
        "truncate" => server.require_collection(request, name, Right::Rw),
        _ => server.require_collection(request, name, Right::Ro),
    }
}

fn change(server: &Server, request: &Request, name: &str, what: &str) -> Result<Answer, ApiError> {
    permit_change(server, request, name, what)?;
    let database = &request.database;
    // A rename changes the name under which the collection is found afterwards.
    let id = server.read(|store| Ok(store.collection(database, name)?.id.to_string()))?;
    match what {
        // There is nothing to be loaded, or to be made smaller.
        "load" | "unload" | "recalculateCount" | "loadIndexesIntoMemory" | "compact" => {}
        "truncate" => {
            server.failure_points.check(TRUNCATE)?;
            let asked = request.query_flag("waitForSync") == Some(true);
            server.write(|store| {
                if store.waits_for_sync(store.collection(database, name)?, asked) {
                    store.require_sync();
                }
                store.truncate(database, name)
            })?;
            server.failure_points.crash(CRASH_AFTER_TRUNCATE);
        }
        "rename" => {
            rename(server, request, name)?;
        }
        "properties" => {
            set_properties(server, request, name)?;
        }
        "responsibleShard" => return Err(ApiError::only_on_coordinators()),
        other => {
            return Err(ApiError::not_implemented(format_args!(
                "PUT /_api/collection/.../{other}"
            )));
        }
    }
    let body = server.read(|store| {
        let found = store.collection(database, &id)?;
        let count = found.documents.len();
        Ok(match what {
            "properties" => full(server, found),
            "recalculateCount" => json!({ "result": true, "count": count }),
            "loadIndexesIntoMemory" => json!({ "result": true }),
            "load" => {
                let mut body = brief(server, found);
                let wanted = request.json_object().ok();
                let counted = wanted.and_then(|body| body.get("count")?.as_bool());
                if counted.unwrap_or(true) {
                    body["count"] = json!(count);
                }
                body
            }
            _ => brief(server, found),
        })
    })?;
    Ok(located(Answer::good(200, body), request, name, what))
}

fn rename(server: &Server, request: &Request, name: &str) -> Result<(), ApiError> {
    let body = request.json_object()?;
    let new = body
        .get("name")
        .and_then(Value::as_str)
        .ok_or_else(|| ApiError::new(400, 1208, "name is empty"))?;
    server.write(|store| {
        let mut meta = store.collection(&request.database, name)?.meta.clone();
        if meta.system {
            return Err(ApiError::forbidden());
        }
        meta.name = String::from(new);
        store.change_collection(&request.database, name, meta)
    })
}

fn set_properties(server: &Server, request: &Request, name: &str) -> Result<(), ApiError> {
    let body = request.json_object()?;
    refuse_unable(&body)?;
    server.write(|store| {
        let mut meta = store.collection(&request.database, name)?.meta.clone();
        meta.wait_for_sync = flag(&body, "waitForSync", meta.wait_for_sync)?;
        meta.cache_enabled = flag(&body, "cacheEnabled", meta.cache_enabled)?;
        if let Some(concern) = body.get("writeConcern").and_then(Value::as_u64) {
            meta.write_concern = concern;
        }
        store.change_collection(&request.database, name, meta)
    })
}

fn drop_collection(server: &Server, request: &Request, name: &str) -> Result<Answer, ApiError> {
    server.require_collection_ddl(request, name)?;
    let system = request.query_flag("isSystem") == Some(true);
    let id = server.write(|store| {
        if store.collection(&request.database, name)?.meta.system && !system {
            return Err(ApiError::forbidden());
        }
        store.drop_collection(&request.database, name)
    })?;
    Ok(Answer::good(200, json!({ "id": id.to_string() })))
}
