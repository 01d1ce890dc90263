//! Secrets and tokens of a deployment. All of them are derived from the one secret that was made for it, so that the
//! process that starts the server and the process that runs a test agree on them without telling each other.
//!
//! A token is a JWT signed with HS256 by the deployment's key. With the claims `iss` and `server_id` it is a superuser's,
//! which every role accepts; with `preferred_username` it is that user's (documentation, "HTTP interface for
//! authentication"; `TokenCache.cpp`).

use armadillo_orchestrator::{Secret, View};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

/// What every valid token has as its issuer.
const ISSUER: &str = "arangodb";

/// The key that a deployment's servers verify tokens with: the content of `--server.jwt-secret-keyfile`. It has 43
/// characters; `arangod` takes at most 64 bytes.
#[must_use]
pub fn jwt_key(view: &View) -> Secret {
    derive(view, "jwt key")
}

/// A token with all rights on every server of the deployment. It does not expire.
#[must_use]
pub fn superuser_token(view: &View) -> Secret {
    token(
        view,
        &SuperuserClaims {
            iss: ISSUER,
            server_id: "armadillo",
        },
    )
}

/// What shows that somebody has all rights, as the value of the header `Authorization`: a superuser's token, or on servers that
/// somebody else started the login that was given for them. `None`: nothing was given.
pub(crate) fn of_superuser(view: &View) -> Option<Secret> {
    match view.attached() {
        None => Some(bearer(&superuser_token(view))),
        Some(attached) => {
            let login = attached.login.as_ref()?;
            Some(basic(&login.user, &login.password))
        }
    }
}

/// The header's value for a token.
pub(crate) fn bearer(token: &Secret) -> Secret {
    Secret::new(format!("bearer {}", token.reveal()))
}

/// The header's value for a name and a password.
pub(crate) fn basic(user: &str, password: &Secret) -> Secret {
    let pair = format!("{user}:{}", password.reveal());
    Secret::new(format!("Basic {}", STANDARD.encode(pair)))
}

/// A token with the rights of `user`. It does not expire.
#[must_use]
pub fn user_token(view: &View, user: &str) -> Secret {
    token(
        view,
        &UserClaims {
            iss: ISSUER,
            preferred_username: user,
        },
    )
}

/// The password of the user `root`.
#[must_use]
pub fn root_password(view: &View) -> Secret {
    derive(view, "root password")
}

/// The password of a user that a fixture creates.
#[must_use]
pub fn user_password(view: &View, user: &str) -> Secret {
    derive(view, &format!("password of {user}"))
}

/// A token with any claims, signed with the deployment's key: for tests of what a server accepts.
///
/// # Errors
/// When the claims cannot be written as JSON, and on servers that somebody else started, whose key nobody knows.
pub fn sign(view: &View, claims: &impl Serialize) -> Result<Secret, SignError> {
    if let Some(attached) = view.attached() {
        return Err(SignError {
            reason: format!(
                "the key of {attached} is not known, because Armadillo did not start it"
            ),
        });
    }
    sign_with_key(view, claims)
}

fn sign_with_key(view: &View, claims: &impl Serialize) -> Result<Secret, SignError> {
    let key = EncodingKey::from_secret(jwt_key(view).reveal().as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key)
        .map(Secret::new)
        .map_err(|error| SignError {
            reason: error.to_string(),
        })
}

/// Claims that cannot be signed.
#[derive(Debug, thiserror::Error)]
#[error("cannot sign the claims: {reason}")]
pub struct SignError {
    reason: String,
}

#[derive(Serialize)]
struct SuperuserClaims {
    iss: &'static str,
    server_id: &'static str,
}

#[derive(Serialize)]
struct UserClaims<'a> {
    iss: &'static str,
    preferred_username: &'a str,
}

/// A secret for one purpose: HMAC-SHA-256 of the purpose under the deployment's secret, in URL-safe base64.
#[expect(
    clippy::expect_used,
    reason = "HMAC-SHA-256 takes keys and messages of any content and length"
)]
fn derive(view: &View, purpose: &str) -> Secret {
    let key = EncodingKey::from_secret(view.secret.reveal().as_bytes());
    let purpose = format!("armadillo arangodb {purpose}");
    let code = jsonwebtoken::crypto::sign(purpose.as_bytes(), &key, Algorithm::HS256)
        .expect("HMAC-SHA-256 cannot fail");
    Secret::new(code)
}

#[expect(
    clippy::expect_used,
    reason = "the claims are two strings, which are always JSON, and HMAC-SHA-256 cannot fail"
)]
fn token(view: &View, claims: &impl Serialize) -> Secret {
    sign_with_key(view, claims).expect("two strings can be signed")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use jsonwebtoken::{DecodingKey, Validation};
    use serde_json::Value;

    use super::*;
    use crate::system::tests::view;

    fn verify(view: &View, token: &Secret) -> (Header, Value) {
        let key = DecodingKey::from_secret(jwt_key(view).reveal().as_bytes());
        let mut rules = Validation::new(Algorithm::HS256);
        rules.required_spec_claims = HashSet::new();
        rules.set_issuer(&["arangodb"]);
        let data = jsonwebtoken::decode(token.reveal(), &key, &rules).unwrap();
        (data.header, data.claims)
    }

    #[test]
    fn a_superuser_has_a_server_id_and_no_name() {
        let view = view();
        let (header, claims) = verify(&view, &superuser_token(&view));
        assert_eq!(header.typ.as_deref(), Some("JWT"));
        assert_eq!(
            claims,
            serde_json::json!({"iss": "arangodb", "server_id": "armadillo"})
        );
    }

    #[test]
    fn a_user_has_a_name() {
        let view = view();
        let (_, claims) = verify(&view, &user_token(&view, "ann"));
        assert_eq!(
            claims,
            serde_json::json!({"iss": "arangodb", "preferred_username": "ann"})
        );
    }

    #[test]
    fn every_purpose_and_every_deployment_has_its_own_secret() {
        let (one, mut other) = (view(), view());
        other.secret = Secret::new("another");
        let all: HashSet<String> = [&one, &other]
            .into_iter()
            .flat_map(|view| {
                [
                    jwt_key(view),
                    root_password(view),
                    user_password(view, "ann"),
                    user_password(view, "bob"),
                ]
            })
            .map(|secret| secret.reveal().to_owned())
            .collect();
        assert_eq!(all.len(), 8);
        assert!(
            all.iter()
                .all(|secret| secret.len() <= 64 && secret.is_ascii())
        );
        assert!(!all.contains(one.secret.reveal()));
    }
}
