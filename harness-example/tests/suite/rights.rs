//! Who may do what. Authentication is on in every deployment, as it is where it counts; [`Auth`] makes users and tokens, and
//! removes the users after the test.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use armadillo::arangodb::{ArangoError, Grant};
use armadillo::prelude::*;
use serde_json::{Value, json};

/// Whether a request was refused for want of rights: 401 for who may not even look, 403 for who may not do this.
fn is_refused<T>(result: &Result<T, ArangoError>) -> bool {
    result
        .as_ref()
        .is_err_and(|error| matches!(error.status(), Some(401 | 403)))
}

#[armadillo::test(markers(smoke_test))]
async fn a_new_user_may_do_nothing(auth: Auth, articles: &Collection) -> TestResult {
    let user = auth.create_user().await?;
    let theirs = user.client().database(articles.database().name());
    let counted = theirs.collection(articles.name()).count().await;
    assert!(is_refused(&counted), "{counted:?}");
    Ok(())
}

#[armadillo::test]
async fn a_reader_may_read_and_not_write(auth: &Auth, articles: &Collection) -> TestResult {
    articles.insert(&json!({ "_key": "apples" })).await?;
    let user = auth.create_user().await?;
    let database = articles.database().name();
    auth.grant(&user, database, Grant::ReadOnly).await?;

    let theirs = user.client().database(database).collection(articles.name());
    assert!(theirs.get::<Value>("apples").await?.is_some());
    let written = theirs.insert(&json!({ "_key": "pears" })).await;
    assert!(is_refused(&written), "{written:?}");
    assert_eq!(articles.count().await?, 1);
    Ok(())
}

#[armadillo::test]
async fn a_token_is_as_good_as_a_password(auth: &Auth, articles: &Collection) -> TestResult {
    let user = auth.create_user().await?;
    let database = articles.database().name();
    auth.grant(&user, database, Grant::ReadWrite).await?;
    for client in [user.client(), auth.with_token(&user.token())] {
        let theirs = client.database(database).collection(articles.name());
        theirs.insert(&json!({})).await?;
    }
    assert_eq!(articles.count().await?, 2);
    Ok(())
}

/// A token for one path only, signed with the deployment's key.
#[armadillo::test(requires(signing_key))]
async fn a_token_is_good_for_its_paths(tokens: &Tokens) -> TestResult {
    let token = tokens
        .service("backup")
        .allowed_paths(["/_api/version"])
        .sign()?;
    let client = tokens.client(&token);
    assert!(!client.version().await?.version.is_empty());
    let listed = client.databases().await;
    assert!(is_refused(&listed), "{listed:?}");
    Ok(())
}

/// What was taken from a user stays refused: the password, and every token.
#[armadillo::test]
async fn a_revoked_token_is_refused(auth: &Auth, tokens: &Tokens) -> TestResult {
    let user = auth.create_user().await?;
    auth.grant(&user, "_system", Grant::ReadOnly).await?;
    let token = tokens.log_in(&user).await?;
    tokens.client(&token).version().await?;
    tokens.revoke(&token).await?;
    let asked = tokens.client(&token).version().await;
    assert!(is_refused(&asked), "{asked:?}");
    assert!(tokens.log_in(&user).await.is_err());
    Ok(())
}

/// Any claims at all, for what no server should accept.
#[armadillo::test(requires(signing_key))]
async fn an_expired_token_is_refused(auth: &Auth) -> TestResult {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let past = now - Duration::from_secs(3600);
    let claims = json!({ "iss": "arangodb", "preferred_username": "root", "exp": past.as_secs() });
    let expired = auth.with_token(&auth.sign(&claims)?);
    let listed = expired.databases().await;
    assert!(is_refused(&listed), "{listed:?}");
    Ok(())
}
