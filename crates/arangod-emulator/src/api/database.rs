//! `/_api/database`

use hyper::Method;
use serde_json::{Map, Value, json};

use super::database_options;

use crate::auth::{Identity, Right, database_right, users};
use crate::cluster;
use crate::errors::ApiError;
use crate::http::{Answer, Request};
use crate::server::Server;
use crate::store::{SYSTEM, Store};

/// `/_api/database`, `/current`, `/user`, `/<name>`
pub(crate) async fn database(
    server: &Server,
    request: &Request,
    rest: &[&str],
) -> Result<Answer, ApiError> {
    match (&request.method, rest) {
        (&Method::GET, []) => list(server, request),
        (&Method::GET, ["user"]) => accessible(server, request),
        (&Method::GET, ["current"]) => current(server, request),
        (&Method::POST, []) => create(server, request).await,
        (&Method::DELETE, [name]) => drop_database(server, request, name).await,
        (&Method::GET, ["shardStatistics"]) => Err(ApiError::not_implemented(
            "the statistics of a database's shards",
        )),
        _ => Err(ApiError::method_not_allowed()),
    }
}

fn only_in_system(request: &Request) -> Result<(), ApiError> {
    if request.database != SYSTEM {
        return Err(ApiError::new(
            403,
            1230,
            "operation only allowed in system database",
        ));
    }
    Ok(())
}

fn list(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    only_in_system(request)?;
    let names = server.read(|store| {
        Ok(store
            .databases()
            .map(|found| found.name.clone())
            .collect::<Vec<_>>())
    })?;
    Ok(Answer::result(200, json!(names)))
}

fn accessible(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    let names = server.read(|store| {
        Ok(store
            .databases()
            .map(|found| found.name.clone())
            .filter(|name| database_right(store, &request.identity, name) >= Right::Ro)
            .collect::<Vec<_>>())
    })?;
    Ok(Answer::result(200, json!(names)))
}

fn current(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    let mut result = server.read(|store| {
        let found = store.database(&request.database)?;
        Ok(json!({
            "id": found.id.to_string(),
            "name": found.name,
            "isSystem": found.name == SYSTEM,
            "path": "none",
        }))
    })?;
    if let (Some(cluster), Value::Object(result)) = (server.cluster(), &mut result) {
        result.extend(database_options::of(cluster, &request.database));
    }
    Ok(Answer::result(200, result))
}

async fn create(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    only_in_system(request)?;
    server.require_ddl(request)?;
    let body = request.json_object()?;
    let name = body
        .get("name")
        .and_then(Value::as_str)
        .ok_or_else(|| ApiError::new(400, 1229, "database name invalid"))?;
    let asked = match body.get("users") {
        None | Some(Value::Null) => &[][..],
        Some(Value::Array(list)) => list.as_slice(),
        Some(_) => return Err(ApiError::bad("users must be an array")),
    };
    let options = match server.cluster() {
        Some(cluster) => database_options::wanted(cluster, &json!(body))?,
        None => Map::new(),
    };
    cluster::change_with(server, &options, |store| {
        if store.databases().count() as u64 >= server.settings.max_databases {
            return Err(ApiError::new(
                400,
                32,
                "unable to create additional database",
            ));
        }
        let users = prepare_users(store, asked)?;
        store.create_database(name)?;
        for user in &users {
            grant(store, user, name)?;
        }
        // Whoever creates a database may use it, also when the right on others came by name.
        if let Identity::User(creator) = &request.identity
            && let Some(user) = users::find(store, creator)
            && user.database_right(name) < Right::Rw
        {
            grant(store, &user, name)?;
        }
        Ok(())
    })
    .await?;
    Ok(Answer::result(201, json!(true)))
}

/// The users of the request, known or new, with nothing stored yet.
fn prepare_users(store: &Store, asked: &[Value]) -> Result<Vec<users::User>, ApiError> {
    let mut prepared = Vec::new();
    for entry in asked {
        let name = entry["username"]
            .as_str()
            .or_else(|| entry["user"].as_str())
            .filter(|name| !name.is_empty())
            .ok_or_else(|| ApiError::bad("a user has no name"))?;
        let user = match users::find(store, name) {
            Some(user) => user,
            None => {
                let password = entry["passwd"].as_str().unwrap_or("");
                let mut user = users::User::new(name, password)?;
                user.active = entry["active"].as_bool().unwrap_or(true);
                if entry["extra"].is_object() {
                    user.extra = entry["extra"].clone();
                }
                user
            }
        };
        prepared.push(user);
    }
    Ok(prepared)
}

fn grant(store: &mut Store, user: &users::User, database: &str) -> Result<(), ApiError> {
    let mut user = user.clone();
    user.databases
        .entry(String::from(database))
        .or_default()
        .database = Some(Right::Rw);
    users::save(store, &user)
}

async fn drop_database(server: &Server, request: &Request, name: &str) -> Result<Answer, ApiError> {
    only_in_system(request)?;
    server.require_ddl(request)?;
    cluster::change(server, |store| store.drop_database(name)).await?;
    Ok(Answer::result(200, json!(true)))
}
