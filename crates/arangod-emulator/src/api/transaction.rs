//! `/_api/transaction`: beginning, listing and aborting stream transactions. What a transaction is
//! good for, requests in it and its commit, is not there. Coordinators ask each other, as a
//! transaction is known to the one that has begun it.

use std::time::Duration;

use hyper::Method;
use serde_json::{Map, Value, json};

use crate::auth::{Identity, Right};
use crate::coordinator::join_all;
use crate::errors::ApiError;
use crate::http::{Answer, Reply, Request, percent};
use crate::role::Role;
use crate::server::Server;
use crate::transactions::{Owner, State};

/// How long another coordinator may take.
const ANSWER: Duration = Duration::from_secs(2);

/// All of `/_api/transaction`.
pub(crate) async fn transaction(
    server: &Server,
    request: &Request,
    rest: &[&str],
) -> Result<Answer, ApiError> {
    let idle = server.settings.transaction_idle;
    server.transactions.borrow_mut().expire(idle);
    match (&request.method, rest) {
        (&Method::POST, ["begin"]) => begin(server, request).await,
        (&Method::POST, []) => {
            permit(server, request)?;
            Err(ApiError::not_implemented("JavaScript transactions"))
        }
        (&Method::GET, []) => list(server, request).await,
        (&Method::DELETE, ["write"]) => abort_all(server, request).await,
        (&Method::GET | &Method::DELETE, [id]) => one(server, request, id).await,
        (&Method::PUT, [id]) => {
            one(server, request, id).await?;
            let what = "the commit of a stream transaction: nothing can be done in one";
            Err(ApiError::not_implemented(what))
        }
        _ => Err(ApiError::method_not_allowed()),
    }
}

/// Who asks; another coordinator says for whom.
fn owner(request: &Request) -> Owner {
    let user = match &request.identity {
        Identity::User(name) => Some(name.clone()),
        Identity::Superuser | Identity::Nobody => request.query("user").map(String::from),
    };
    Owner {
        database: request.database.clone(),
        user,
    }
}

/// The collections that a transaction names for one kind of access.
fn named(collections: &Map<String, Value>, kind: &str) -> Result<Vec<String>, ApiError> {
    let wrong = || ApiError::bad_parameter("invalid collection name in transaction");
    match collections.get(kind) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(name)) => Ok(vec![name.clone()]),
        Some(Value::Array(list)) => list
            .iter()
            .map(|name| name.as_str().map(String::from).ok_or_else(wrong))
            .collect(),
        Some(_) => Err(wrong()),
    }
}

async fn begin(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    if let Some(cluster) = server.cluster() {
        cluster.refresh(server).await?;
    }
    permit(server, request)?;
    let id = match server.cluster() {
        Some(cluster) => server.numbers.take(cluster, 1).await?.start,
        None => server.transactions.borrow().next_id(),
    };
    let mut transactions = server.transactions.borrow_mut();
    transactions.begin(id, owner(request));
    Ok(described(201, &id.to_string(), State::Running))
}

/// Refuses a transaction to those who may not use its collections.
fn permit(server: &Server, request: &Request) -> Result<(), ApiError> {
    let body = request.json_object()?;
    let Some(Value::Object(collections)) = body.get("collections") else {
        let text = "missing/invalid collections definition for transaction";
        return Err(ApiError::bad_parameter(text));
    };
    for (kind, right) in [
        ("read", Right::Ro),
        ("write", Right::Rw),
        ("exclusive", Right::Rw),
    ] {
        for name in named(collections, kind)? {
            server.require_collection(request, &name, right)?;
            server.read(|store| store.collection(&request.database, &name).map(drop))?;
        }
    }
    Ok(())
}

fn described(status: u16, id: &str, state: State) -> Answer {
    Answer::result(status, json!({ "id": id, "status": state.name() }))
}

async fn list(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    let owner = owner(request);
    let mut found: Vec<Value> = {
        let own = server.transactions.borrow();
        own.running(&owner)
            .map(|id| json!({ "id": id.to_string(), "state": State::Running.name() }))
            .collect()
    };
    for reply in ask_others(server, request, "", &owner).await {
        if let Value::Array(more) = reply.json()["transactions"].take() {
            found.extend(more);
        }
    }
    Ok(Answer::json(200, &json!({ "transactions": found })))
}

/// `DELETE write`
async fn abort_all(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    let owner = owner(request);
    server.transactions.borrow_mut().abort_all(&owner);
    ask_others(server, request, "/write", &owner).await;
    Ok(Answer::good(200, json!({})))
}

async fn one(server: &Server, request: &Request, id: &str) -> Result<Answer, ApiError> {
    let owner = owner(request);
    let number = id
        .parse()
        .map_err(|_| ApiError::bad_parameter("invalid transaction ID"))?;
    let aborts = request.method == Method::DELETE;
    let known = {
        let mut own = server.transactions.borrow_mut();
        match aborts {
            true => own.abort(number, &owner),
            false => own.state(number, &owner),
        }
    };
    if let Some(state) = known {
        return Ok(described(200, id, state));
    }
    let others = ask_others(server, request, &format!("/{number}"), &owner).await;
    match others.into_iter().find(|reply| reply.status == 200) {
        Some(reply) => Ok(Answer::json(200, &reply.json())),
        None => Err(ApiError::new(404, 1655, "transaction not found")),
    }
}

/// The answers of the other coordinators to the same request, of those that answer. A client that
/// is asked by a coordinator asks nobody.
async fn ask_others(server: &Server, request: &Request, path: &str, owner: &Owner) -> Vec<Reply> {
    let Some(cluster) = server.cluster() else {
        return Vec::new();
    };
    if server.settings.role != Role::Coordinator || request.query_flag("local") == Some(true) {
        return Vec::new();
    }
    let others: Vec<String> = cluster.look("Current/Coordinators", |servers| {
        let names = servers.as_object().into_iter().flatten().map(|(id, _)| id);
        names.filter(|id| **id != cluster.id).cloned().collect()
    });
    let endpoint = |id: &String| {
        let path = format!("Current/ServersRegistered/{id}/endpoint");
        cluster.look(&path, |endpoint| endpoint.as_str().map(String::from))
    };
    let mut address = format!(
        "/_db/{}/_api/transaction{path}?local=true",
        percent::encode(&request.database)
    );
    if let Some(user) = &owner.user {
        address.push_str(&format!("&user={}", percent::encode_query(user)));
    }
    let asked = others.iter().filter_map(endpoint).map(|endpoint| {
        let (method, address) = (request.method.clone(), address.clone());
        async move {
            let client = cluster.agency.client();
            let sent = client.send(&endpoint, method, &address, Vec::new(), ANSWER);
            sent.await.ok()
        }
    });
    join_all(asked).await.into_iter().flatten().collect()
}
