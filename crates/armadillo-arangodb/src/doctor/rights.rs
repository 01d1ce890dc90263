//! Users, their rights, and tokens.

use armadillo_orchestrator::Request;
use armadillo_orchestrator::doctor::CheckedDeployment;

use super::{NAME, REQUEST, Seen, short, superuser, words};
use crate::auth;
use crate::client::{ArangoClient, Grant};
use crate::keys::{SECRETS, is_under_way};

pub(super) async fn users(on: &CheckedDeployment) -> Seen {
    let client = superuser(on);
    let password = auth::user_password(on.view(), NAME);
    client.create_user(NAME, &password).await.map_err(words)?;
    client
        .grant(NAME, NAME, Grant::ReadWrite)
        .await
        .map_err(words)?;
    let user = ArangoClient::user(on.view(), NAME, &password).with_limit(REQUEST);
    user.database(NAME)
        .collections()
        .await
        .map_err(|error| format!("in its database: {error}"))?;
    refused(&user, "_system").await
}

/// A user has no rights there.
async fn refused(user: &ArangoClient, database: &str) -> Seen {
    match user.database(database).collections().await {
        Err(error) if matches!(error.status(), Some(401 | 403)) => {
            Ok(format!("HTTP {}", error.status().unwrap_or_default()))
        }
        Err(error) => Err(error.to_string()),
        Ok(_) => Err(format!("it may read {database}")),
    }
}

pub(super) async fn tokens(on: &CheckedDeployment) -> Seen {
    let token = auth::user_token(on.view(), NAME);
    let user = ArangoClient::bearer(on.view(), &token).with_limit(REQUEST);
    user.database(NAME).collections().await.map_err(words)?;
    refused(&user, "_system").await
}

pub(super) async fn inactive(on: &CheckedDeployment) -> Seen {
    let client = superuser(on);
    let password = auth::user_password(on.view(), NAME);
    let by_password = ArangoClient::user(on.view(), NAME, &password).with_limit(REQUEST);
    let token = auth::user_token(on.view(), NAME);
    let by_token = ArangoClient::bearer(on.view(), &token).with_limit(REQUEST);
    client.set_active(NAME, false).await.map_err(words)?;
    let by_password = by_password.database(NAME).collections().await;
    let by_token = by_token.database(NAME).collections().await;
    client.set_active(NAME, true).await.map_err(words)?;
    match (by_password, by_token) {
        (Err(error), Ok(_)) if error.status() == Some(401) => Ok(String::new()),
        (Ok(_), _) => Err("the password is accepted".to_owned()),
        (Err(error), Ok(_)) => Err(format!("the password: {error}")),
        (_, Err(error)) => Err(format!("the token: {error}")),
    }
}

pub(super) async fn rotation(on: &CheckedDeployment) -> Seen {
    let old = auth::superuser_token(on.view());
    let reload = async || superuser(on).request(Request::post(SECRETS)).await;
    if reload().await.map_err(words)?.status == 404 {
        return Ok("404: it cannot".to_owned());
    }
    loop {
        let known = on.view().keys.taken();
        on.deployment().advance_keys(known).map_err(words)?;
        let answer = reload().await.map_err(words)?;
        if answer.status != 200 {
            return Err(format!("HTTP {}: {}", answer.status, short(&answer)));
        }
        if !is_under_way(on.view()) {
            break;
        }
    }
    let old = ArangoClient::bearer(on.view(), &old).with_limit(REQUEST);
    match old.databases().await {
        Err(error) if error.status() == Some(401) => Ok("401".to_owned()),
        Err(error) => Err(error.to_string()),
        Ok(_) => Err("the old key is still accepted".to_owned()),
    }
}
