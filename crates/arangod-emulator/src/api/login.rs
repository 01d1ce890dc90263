//! `POST /_open/auth`: a token for a password.

use hyper::Method;
use serde_json::{Value, json};

use crate::auth::{Credentials, Identity, users};
use crate::errors::ApiError;
use crate::http::{Answer, Request};
use crate::role::Role;
use crate::server::Server;

/// `POST /_open/auth/renew`: another token for who comes with one.
pub(crate) fn renew(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    if request.method != Method::POST {
        return Err(ApiError::method_not_allowed());
    }
    let credentials = Credentials::read(request.header("authorization"));
    match (&request.identity, credentials) {
        (Identity::User(name), Credentials::Bearer(_)) => token(server, name),
        _ => Err(ApiError::new(404, 1703, "user not found")),
    }
}

fn token(server: &Server, name: &str) -> Result<Answer, ApiError> {
    let token = server
        .secrets
        .sign(name, server.settings.session_timeout)
        .ok_or_else(|| ApiError::storage("the token cannot be signed"))?;
    Ok(Answer::json(200, &json!({ "jwt": token })))
}

/// `POST /_open/auth`
pub(crate) fn open_auth(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    if !server.settings.authentication {
        return Err(ApiError::unknown_path(&request.path));
    }
    if request.method != Method::POST {
        return Err(ApiError::method_not_allowed());
    }
    if !matches!(server.settings.role, Role::Single | Role::Coordinator) {
        let text = "This server does not support users";
        return Err(ApiError::new(401, 401, text));
    }
    let invalid = || ApiError::bad("invalid JSON");
    let body: Value = serde_json::from_slice(&request.body).map_err(|_| invalid())?;
    let name = body["username"].as_str().ok_or_else(invalid)?;
    let password = body["password"].as_str().ok_or_else(invalid)?;
    let user = server.read(|store| Ok(users::find(store, name)))?;
    if !user.is_some_and(|user| user.opens_with(password)) {
        return Err(ApiError::new(401, 401, "Wrong credentials"));
    }
    token(server, name)
}
