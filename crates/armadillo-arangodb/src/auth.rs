//! Secrets and tokens of a deployment. All of them are derived from the one secret that was made for it, so that the
//! process that starts the server and the process that runs a test agree on them without telling each other.
//!
//! A token is a JWT signed by the deployment's key of the moment ([`crate::keys`]). With the claims `iss` and `server_id` it is a superuser's,
//! which every role accepts; with `preferred_username` it is that user's (documentation, "HTTP interface for
//! authentication"; `TokenCache.cpp`).

use std::time::{Duration, SystemTime};

use armadillo_orchestrator::{Credentials, Login, Secret, View};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::keys::{self, Key, derive};
use crate::token::{Token, TokenError, seconds_of};

/// What every valid token has as its issuer.
pub(crate) const ISSUER: &str = "arangodb";

/// The key that a deployment's servers sign tokens with at this moment, as its file has it: 43 characters (`arangod` takes at most
/// 64 bytes), or a private key in PEM if the topology says `es256`.
#[must_use]
pub fn jwt_key(view: &View) -> Secret {
    keys::active(view).content()
}

/// A token with all rights on every server of the deployment. It does not expire.
#[must_use]
pub fn superuser_token(view: &View) -> Secret {
    token(
        view,
        &SuperuserClaims {
            iss: ISSUER,
            server_id: "armadillo",
            exp: None,
        },
    )
}

/// The same, signed with the key that a rotation ends.
pub(crate) fn outgoing_superuser_token(view: &View) -> Result<Secret, SignError> {
    let claims = SuperuserClaims {
        iss: ISSUER,
        server_id: "armadillo",
        exp: None,
    };
    signed_by(&keys::outgoing(view), &claims)
}

/// The same for so long.
pub(crate) fn superuser_token_for(view: &View, lifetime: Duration) -> Secret {
    token(
        view,
        &SuperuserClaims {
            iss: ISSUER,
            server_id: "armadillo",
            exp: in_seconds(lifetime),
        },
    )
}

/// What shows that somebody has all rights, as the value of the header `Authorization`: a superuser's token, or on servers that
/// somebody else started the login that was given for them. `None`: nothing was given.
pub(crate) fn of_superuser(view: &View) -> Option<Secret> {
    match view.attached() {
        None => Some(bearer(&superuser_token(view))),
        Some(attached) => Some(of_login(attached.login.as_ref()?)),
    }
}

/// The header's value for a login.
pub(crate) fn of_login(login: &Credentials) -> Secret {
    match login {
        Credentials::Login(Login { user, password }) => basic(user, password),
        Credentials::Token(token) => bearer(token),
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
            exp: None,
        },
    )
}

/// The same for so long.
pub(crate) fn user_token_for(view: &View, user: &str, lifetime: Duration) -> Secret {
    token(
        view,
        &UserClaims {
            iss: ISSUER,
            preferred_username: user,
            exp: in_seconds(lifetime),
        },
    )
}

/// The end of a token that is valid so long from now on.
fn in_seconds(lifetime: Duration) -> Option<u64> {
    let end = SystemTime::now().checked_add(lifetime)?;
    Some(seconds_of(end).ceil() as u64)
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
    key_is_known(view)?;
    sign_with_key(view, claims)
}

fn sign_with_key(view: &View, claims: &impl Serialize) -> Result<Secret, SignError> {
    signed_by(&keys::active(view), claims)
}

fn signed_by(key: &Key, claims: &impl Serialize) -> Result<Secret, SignError> {
    key.sign(claims).map_err(|error| SignError {
        reason: error.to_string(),
    })
}

/// Whether a token is signed with the deployment's key of the moment and its time is not over.
pub(crate) fn verify(view: &View, token: &Token) -> Result<(), TokenError> {
    key_is_known(view)?;
    let refused = || TokenError::Foreign;
    let key = keys::active(view);
    let (message, signature) = (token.secret().reveal().rsplit_once('.')).ok_or_else(refused)?;
    if token.claims().algorithm != key.algorithm() || !key.has_signed(message, signature) {
        return Err(refused());
    }
    let ended = token.claims().expires_at.map(|end| end.elapsed());
    match ended {
        Some(Ok(ago)) => Err(TokenError::Expired { ago }),
        _ => Ok(()),
    }
}

/// Nobody knows the key of servers that somebody else started.
pub(crate) fn key_is_known(view: &View) -> Result<(), SignError> {
    match view.attached() {
        None => Ok(()),
        Some(attached) => Err(SignError {
            reason: format!(
                "the key of {attached} is not known, because Armadillo did not start it"
            ),
        }),
    }
}

/// Claims that cannot be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot sign or verify a token: {reason}")]
pub struct SignError {
    reason: String,
}

#[derive(Serialize)]
struct SuperuserClaims {
    iss: &'static str,
    server_id: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<u64>,
}

#[derive(Serialize)]
struct UserClaims<'a> {
    iss: &'static str,
    preferred_username: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<u64>,
}

#[expect(
    clippy::expect_used,
    reason = "the claims are strings and numbers, which are always JSON"
)]
fn token(view: &View, claims: &impl Serialize) -> Secret {
    sign_with_key(view, claims).expect("strings and numbers can be signed")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
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
