//! `/_api/user`: users and their rights.

use hyper::Method;
use serde_json::{Map, Value, json};

use crate::auth::users::{self, User};
use crate::auth::{Identity, Right};
use crate::cluster::{self, Cluster};
use crate::errors::ApiError;
use crate::http::{Answer, Request};
use crate::server::Server;
use crate::store::Store;

/// All of `/_api/user`.
pub(crate) async fn user(
    server: &Server,
    request: &Request,
    rest: &[&str],
) -> Result<Answer, ApiError> {
    require(server, request, rest.first().copied())?;
    match (&request.method, rest) {
        (&Method::GET, []) => list(server),
        (&Method::POST, []) => create(server, request).await,
        (&Method::POST, [name]) => check(server, request, name),
        (&Method::GET, [name]) => show(server, name),
        (&Method::PUT | &Method::PATCH, [name]) => change(server, request, name).await,
        (&Method::DELETE, [name]) => remove(server, request, name).await,
        (&Method::GET, [name, "database"]) => databases(server, request, name),
        (&Method::GET, [name, "database", database]) => database_right(server, name, database),
        (&Method::GET, [name, "database", database, collection]) => {
            collection_right(server, name, database, collection)
        }
        (&Method::PUT, [name, "database", database, collection @ ..]) if collection.len() < 2 => {
            grant(server, request, name, database, collection.first().copied()).await
        }
        (&Method::DELETE, [name, "database", database, collection @ ..])
            if collection.len() < 2 =>
        {
            revoke(server, request, name, database, collection.first().copied()).await
        }
        _ => Err(ApiError::not_implemented(format_args!(
            "{} {}",
            request.method, request.path
        ))),
    }
}

/// Administrators may do everything; others may look at themselves and change their own password.
/// Whether a password is right may be asked by everybody.
fn require(server: &Server, request: &Request, name: Option<&str>) -> Result<(), ApiError> {
    if request.method == Method::POST && name.is_some() {
        return Ok(());
    }
    let own = matches!((&request.identity, name), (Identity::User(me), Some(name)) if me == name);
    let looking = request.method == Method::GET;
    let changing =
        matches!(request.method, Method::PUT | Method::PATCH) && request.segments.len() == 3;
    if own && (looking || changing) {
        return Ok(());
    }
    match looking {
        true => server.require_admin(&request.identity),
        false => server.require_privilege(&request.identity),
    }
}

fn not_found() -> ApiError {
    ApiError::new(404, 1703, "user not found")
}

fn found(store: &Store, name: &str) -> Result<User, ApiError> {
    users::find(store, name).ok_or_else(not_found)
}

fn shape(user: &User) -> Value {
    json!({ "user": user.name, "active": user.active, "extra": user.extra })
}

fn list(server: &Server) -> Result<Answer, ApiError> {
    let result: Vec<Value> =
        server.read(|store| Ok(users::all(store).iter().map(shape).collect()))?;
    Ok(Answer::result(200, json!(result)))
}

fn show(server: &Server, name: &str) -> Result<Answer, ApiError> {
    let user = server.read(|store| found(store, name))?;
    Ok(Answer::good(200, shape(&user)))
}

/// Takes over what the body says about a user.
fn amend(user: &mut User, body: &Map<String, Value>) -> Result<(), ApiError> {
    match body.get("passwd") {
        None | Some(Value::Null) => {}
        Some(Value::String(password)) => user.set_password(password)?,
        Some(_) => return Err(ApiError::bad("passwd must be a string")),
    }
    match body.get("active") {
        None | Some(Value::Null) => {}
        Some(Value::Bool(active)) => user.active = *active,
        Some(_) => return Err(ApiError::bad("active must be a boolean")),
    }
    if let Some(extra @ Value::Object(_)) = body.get("extra") {
        user.extra = extra.clone();
    }
    Ok(())
}

async fn create(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    let body = request.json_object()?;
    let name = body
        .get("user")
        .or_else(|| body.get("username"))
        .and_then(Value::as_str)
        .filter(|name| !name.is_empty())
        .ok_or_else(|| ApiError::new(400, 1700, "invalid user name"))?;
    let user = cluster::change(server, |store| {
        if users::find(store, name).is_some() {
            return Err(ApiError::new(409, 1702, "duplicate user"));
        }
        let mut user = User::new(name, "")?;
        amend(&mut user, &body)?;
        users::save(store, &user)?;
        Ok(user)
    })
    .await?;
    Ok(Answer::good(201, shape(&user)))
}

/// Whether this is the user's password.
fn check(server: &Server, request: &Request, name: &str) -> Result<Answer, ApiError> {
    let body = request.json_object()?;
    let password = body.get("passwd").and_then(Value::as_str).unwrap_or("");
    let user = server.read(|store| Ok(users::find(store, name)))?;
    match user.is_some_and(|user| user.opens_with(password)) {
        true => Ok(Answer::result(200, json!(true))),
        false => Err(ApiError::new(401, 401, "unauthorized")),
    }
}

async fn change(server: &Server, request: &Request, name: &str) -> Result<Answer, ApiError> {
    let body = request.json_object()?;
    let user = cluster::change(server, |store| {
        let mut user = found(store, name)?;
        if request.method == Method::PUT {
            user.active = true;
            user.extra = json!({});
        }
        amend(&mut user, &body)?;
        users::save(store, &user)?;
        Ok(user)
    })
    .await?;
    Ok(Answer::good(200, shape(&user)))
}

async fn remove(server: &Server, request: &Request, name: &str) -> Result<Answer, ApiError> {
    server.require_privilege(&request.identity)?;
    cluster::change(server, |store| {
        let user = found(store, name)?;
        users::remove(store, &user)
    })
    .await?;
    Ok(Answer::good(202, json!({})))
}

fn databases(server: &Server, request: &Request, name: &str) -> Result<Answer, ApiError> {
    let full = request.query_flag("full") == Some(true);
    let result = server.read(|store| {
        let user = found(store, name)?;
        if full {
            return Ok(full_list(server, store, &user));
        }
        let visible: Map<String, Value> = store
            .databases()
            .map(|database| (&database.name, user.database_right(&database.name)))
            .filter(|(_, right)| *right > Right::None)
            .map(|(name, right)| (name.clone(), json!(right.name())))
            .collect();
        Ok(Value::Object(visible))
    })?;
    Ok(Answer::result(200, result))
}

/// Every database with its collections, and `*`; `undefined` is what nobody has said anything about.
fn full_list(server: &Server, store: &Store, user: &User) -> Value {
    let explicit = |database: &str, collection: &str| {
        user.databases
            .get(database)
            .and_then(|grants| grants.collections.get(collection))
            .map_or("undefined", |right| right.name())
    };
    let mut all = Map::new();
    for database in store.databases() {
        let mut collections: Map<String, Value> = store
            .collections(&database.name)
            .map(|found| &found.meta.name)
            // A coordinator's store knows the system collections before the cluster has them.
            .filter(|name| {
                let planned = |cluster: &Cluster| cluster.find_planned(&database.name, name);
                server
                    .cluster()
                    .is_none_or(|cluster| planned(cluster).is_some())
            })
            .map(|name| (name.clone(), json!(explicit(&database.name, name))))
            .collect();
        collections.insert(String::from("*"), json!(explicit(&database.name, "*")));
        let permission = user
            .databases
            .get(&database.name)
            .and_then(|grants| grants.database)
            .map_or("undefined", Right::name);
        all.insert(
            database.name.clone(),
            json!({ "permission": permission, "collections": collections }),
        );
    }
    let rest = user.databases.get("*").and_then(|grants| grants.database);
    let permission = rest.unwrap_or(Right::None).name();
    all.insert(String::from("*"), json!({ "permission": permission }));
    Value::Object(all)
}

fn database_right(server: &Server, name: &str, database: &str) -> Result<Answer, ApiError> {
    let right = server.read(|store| Ok(found(store, name)?.database_right(database)))?;
    Ok(Answer::result(200, json!(right.name())))
}

fn collection_right(
    server: &Server,
    name: &str,
    database: &str,
    collection: &str,
) -> Result<Answer, ApiError> {
    let right =
        server.read(|store| Ok(found(store, name)?.collection_right(database, collection)))?;
    Ok(Answer::result(200, json!(right.name())))
}

async fn grant(
    server: &Server,
    request: &Request,
    name: &str,
    database: &str,
    collection: Option<&str>,
) -> Result<Answer, ApiError> {
    let body = request.json_object()?;
    let right = body
        .get("grant")
        .and_then(Value::as_str)
        .and_then(Right::parse)
        .ok_or_else(|| ApiError::bad_parameter("invalid grant, expecting rw, ro or none"))?;
    cluster::change(server, |store| {
        let mut user = found(store, name)?;
        if database != "*" {
            store.database(database)?;
        }
        let grants = user.databases.entry(String::from(database)).or_default();
        match collection {
            None => grants.database = Some(right),
            Some(collection) => {
                if collection != "*" {
                    store.collection(database, collection)?;
                }
                grants.collections.insert(String::from(collection), right);
            }
        }
        users::save(store, &user)
    })
    .await?;
    let key = match collection {
        None => String::from(database),
        Some(collection) => format!("{database}/{collection}"),
    };
    let mut body = json!({});
    body[key] = json!(right.name());
    Ok(Answer::good(200, body))
}

async fn revoke(
    server: &Server,
    request: &Request,
    name: &str,
    database: &str,
    collection: Option<&str>,
) -> Result<Answer, ApiError> {
    server.require_privilege(&request.identity)?;
    cluster::change(server, |store| {
        let mut user = found(store, name)?;
        match collection {
            None => {
                user.databases.remove(database);
            }
            Some(collection) => {
                if let Some(grants) = user.databases.get_mut(database) {
                    grants.collections.remove(collection);
                }
            }
        }
        users::save(store, &user)
    })
    .await?;
    Ok(Answer::good(202, json!({})))
}
