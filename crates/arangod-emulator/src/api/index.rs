//! `/_api/index`

use hyper::Method;
use serde_json::{Map, Value, json};

use crate::auth::Right;
use crate::errors::ApiError;
use crate::http::{Answer, Request};
use crate::indexes::{Ensured, built_in, define, position, shown};
use crate::role::Role;
use crate::server::Server;

/// What a request asks of the indexes of a collection.
#[derive(Debug)]
pub(super) enum Asked<'a> {
    /// All of them.
    All,
    /// How selective each of them is.
    Selectivity,
    /// One of them, by number or by name.
    One(&'a str),
    /// One that the body describes, new if need be.
    Ensure,
    /// That one is not there any longer.
    Drop(&'a str),
}

/// The collection whose indexes are asked for, and what of them.
pub(super) fn asked<'a>(
    request: &'a Request,
    rest: &[&'a str],
) -> Result<(&'a str, Asked<'a>), ApiError> {
    let named = || {
        let missing = || ApiError::bad_parameter("the collection is missing");
        request.query("collection").ok_or_else(missing)
    };
    match (&request.method, rest) {
        (&Method::GET, []) => Ok((named()?, Asked::All)),
        (&Method::GET, ["selectivity"]) => Ok((named()?, Asked::Selectivity)),
        (&Method::GET, [name, called]) => Ok((name, Asked::One(called))),
        (&Method::POST, []) => Ok((named()?, Asked::Ensure)),
        (&Method::DELETE, [name, called]) => Ok((name, Asked::Drop(called))),
        (&Method::GET | &Method::POST | &Method::DELETE, _) => {
            Err(ApiError::unknown_path(&request.path))
        }
        _ => Err(ApiError::method_not_allowed()),
    }
}

impl Asked<'_> {
    /// Refuses it to those who may not.
    pub(super) fn permit(
        &self,
        server: &Server,
        request: &Request,
        name: &str,
    ) -> Result<(), ApiError> {
        match self {
            Self::Ensure | Self::Drop(_) => server.require_collection_ddl(request, name),
            // A coordinator lists indexes to all who may read the database.
            Self::All if server.settings.role == Role::Coordinator => Ok(()),
            Self::All | Self::Selectivity | Self::One(_) => {
                server.require_collection(request, name, Right::Ro)
            }
        }
    }
}

/// `/_api/index` on a single server.
pub(crate) fn index(server: &Server, request: &Request, rest: &[&str]) -> Result<Answer, ApiError> {
    let (name, asked) = asked(request, rest)?;
    asked.permit(server, request, name)?;
    let database = &request.database;
    let meta = server.read(|store| Ok(store.collection(database, name)?.meta.clone()))?;
    let is_edge = meta.is_edge();
    match asked {
        Asked::All => Ok(all(&meta.name, is_edge, &meta.indexes)),
        Asked::Selectivity => Ok(selectivity(&meta.name, is_edge, &meta.indexes)),
        Asked::One(called) => one(&meta.name, is_edge, &meta.indexes, called),
        Asked::Ensure => {
            let wanted = define(&request.json_object()?)?;
            let ensured = server.write(|store| store.ensure_index(database, name, wanted))?;
            Ok(answer(&meta.name, &ensured))
        }
        Asked::Drop(called) => {
            let place = droppable(is_edge, &meta.indexes, called)?;
            let gone = server.write(|store| store.drop_index(database, name, place))?;
            Ok(dropped(&meta.name, &gone))
        }
    }
}

/// All indexes of a collection.
pub(super) fn all(collection: &str, is_edge: bool, indexes: &[Value]) -> Answer {
    let indexes: Vec<Value> = built_in(is_edge)
        .iter()
        .chain(indexes)
        .map(|index| shown(index, collection))
        .collect();
    let identifiers: Map<String, Value> = indexes
        .iter()
        .filter_map(|index| Some((String::from(index["id"].as_str()?), index.clone())))
        .collect();
    let body = json!({ "indexes": indexes, "identifiers": identifiers });
    Answer::good(200, body)
}

/// How selective the indexes of a collection are, as far as that is estimated.
pub(super) fn selectivity(collection: &str, is_edge: bool, indexes: &[Value]) -> Answer {
    let all = built_in(is_edge).into_iter().chain(indexes.iter().cloned());
    let estimates: Map<String, Value> = all
        .filter(|index| !index["selectivityEstimate"].is_null())
        .map(|index| {
            let number = index["id"].as_str().unwrap_or_default();
            (
                format!("{collection}/{number}"),
                index["selectivityEstimate"].clone(),
            )
        })
        .collect();
    Answer::good(200, json!({ "indexes": estimates }))
}

/// One index of a collection.
pub(super) fn one(
    collection: &str,
    is_edge: bool,
    indexes: &[Value],
    called: &str,
) -> Result<Answer, ApiError> {
    let all: Vec<Value> = built_in(is_edge).iter().chain(indexes).cloned().collect();
    let place = position(&all, called).ok_or_else(missing)?;
    Ok(Answer::good(200, shown(&all[place], collection)))
}

/// The answer to a wish for an index.
pub(super) fn answer(collection: &str, ensured: &Ensured) -> Answer {
    let (index, status) = match ensured {
        Ensured::There(index) => (index, 200),
        Ensured::New(index) => (index, 201),
    };
    let mut body = shown(index, collection);
    body["isNewlyCreated"] = json!(status == 201);
    Answer::good(status, body)
}

/// The place of an index that may be dropped.
pub(super) fn droppable(is_edge: bool, indexes: &[Value], called: &str) -> Result<usize, ApiError> {
    if position(&built_in(is_edge), called).is_some() {
        return Err(ApiError::forbidden());
    }
    position(indexes, called).ok_or_else(missing)
}

/// The answer when an index was dropped.
pub(super) fn dropped(collection: &str, index: &Value) -> Answer {
    Answer::good(200, json!({ "id": shown(index, collection)["id"] }))
}

fn missing() -> ApiError {
    ApiError::new(404, 1212, "index not found")
}
