//! ArangoDB's tokens and their claims.
//!
//! arangod's tokens are JWTs: the issuer is `arangodb`; `preferred_username` names a user, and without it `server_id` makes the
//! holder a superuser; `exp` is the end in seconds since 1970; `allowed_paths` lists the only paths it is good for, which are
//! compared as a whole (`TokenCache.cpp`, `VocbaseContext.cpp` of arangodb/arangodb).

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use armadillo_orchestrator::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::auth::{self, ISSUER};

/// A token and its claims. Its `Debug` output shows the claims, never the token.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    secret: Secret,
    claims: Claims,
}

/// The claims of a token. They are not verified: see [`Tokens::verify`](crate::fixture::Tokens::verify).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claims {
    /// The signature algorithm: `HS256`, `ES256`.
    pub algorithm: String,
    /// The user or service that the token belongs to.
    pub holder: Holder,
    /// When it was issued, if it has this claim.
    pub issued_at: Option<SystemTime>,
    /// When it expires; `None` if it does not expire.
    pub expires_at: Option<SystemTime>,
    /// The only paths it is valid for; `None` means all.
    pub allowed_paths: Option<Vec<String>>,
    /// All claims, as they were signed.
    pub all: Value,
}

/// The user or service that a token belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Those of this user, on servers that know users: coordinators and single servers.
    User(String),
    /// All rights on every server; the name is for logs.
    Service(String),
}

/// Why a token is invalid or cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It does not have the form of a token.
    #[error("not a token: {0}")]
    Malformed(String),
    /// No server accepts its claims.
    #[error("no server accepts the token: {0}")]
    Unacceptable(String),
    /// It was not signed with the deployment's key.
    #[error("the token is signed with another key than the deployment's")]
    Foreign,
    /// It has expired.
    #[error("the token expired {ago:.1?} ago")]
    Expired {
        /// How long ago it expired.
        ago: Duration,
    },
    /// A service token cannot be revoked alone: it expires, or the key of all tokens is rotated.
    #[error("a service token cannot be revoked; give it a lifetime, or rotate the key")]
    Irrevocable,
    /// It cannot be signed.
    #[error(transparent)]
    Sign(#[from] auth::SignError),
}

impl Token {
    /// Parses a token from any source, without verifying its signature.
    ///
    /// # Errors
    /// [`TokenError::Malformed`]; [`TokenError::Unacceptable`] if no server accepts its claims.
    pub fn read(secret: &Secret) -> Result<Self, TokenError> {
        Ok(Self {
            claims: Claims::read(secret.reveal())?,
            secret: secret.clone(),
        })
    }

    /// The token itself.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Its claims.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The header that authenticates with it, for any client: its name and its value.
    #[must_use]
    pub fn header(&self) -> (&'static str, Secret) {
        ("authorization", auth::bearer(&self.secret))
    }

    /// The time until it expires; `None` if it does not expire.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        let end = self.claims.expires_at?;
        Some(end.duration_since(SystemTime::now()).unwrap_or_default())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Token").field(&self.claims).finish()
    }
}

impl Claims {
    fn read(token: &str) -> Result<Self, TokenError> {
        let malformed = |why: &str| TokenError::Malformed(why.to_owned());
        let parts: Vec<&str> = token.split('.').collect();
        let [header, claims, _signature] = parts[..] else {
            return Err(malformed(
                "it does not consist of three parts separated by dots",
            ));
        };
        let header = json(header).ok_or_else(|| malformed("its first part is not JSON"))?;
        let all = json(claims).ok_or_else(|| malformed("its second part is not JSON"))?;
        let refused = |why: &str| Err(TokenError::Unacceptable(why.to_owned()));
        let text = |value: &Value| value.as_str().map(str::to_owned);
        if header["typ"] != "JWT" {
            return refused("its header does not say that it is a JWT");
        }
        if all["iss"] != ISSUER {
            return refused("its issuer (iss) is not arangodb");
        }
        let time = |name: &str| match all.get(name) {
            None => Ok(None),
            Some(value) => match value.as_f64().and_then(time_of) {
                Some(time) => Ok(Some(time)),
                None => Err(TokenError::Unacceptable(format!(
                    "its {name} is not a time"
                ))),
            },
        };
        let holder = match (all.get("preferred_username"), all.get("server_id")) {
            (Some(name), _) => match text(name).filter(|name| !name.is_empty()) {
                Some(name) => Holder::User(name),
                None => return refused("its preferred_username is not a name"),
            },
            (None, Some(id)) => match text(id) {
                Some(id) => Holder::Service(id),
                None => return refused("its server_id is not a string"),
            },
            (None, None) => return refused("it names neither a user nor a server"),
        };
        let allowed_paths = match all.get("allowed_paths") {
            None => None,
            Some(Value::Array(paths)) if !paths.is_empty() => {
                match paths.iter().map(text).collect() {
                    Some(paths) => Some(paths),
                    None => return refused("its allowed_paths are not all strings"),
                }
            }
            Some(_) => return refused("its allowed_paths are not a list, or the list is empty"),
        };
        Ok(Self {
            algorithm: text(&header["alg"]).unwrap_or_default(),
            holder,
            issued_at: time("iat")?,
            expires_at: time("exp")?,
            allowed_paths,
            all,
        })
    }
}

fn json(part: &str) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn time_of(seconds: f64) -> Option<SystemTime> {
    let past = Duration::try_from_secs_f64(seconds).ok()?;
    UNIX_EPOCH.checked_add(past)
}

/// Seconds since 1970, as tokens have them.
pub(crate) fn seconds_of(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0.0, |past| past.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::system::tests::view;

    fn read(claims: &Value) -> Result<Token, TokenError> {
        Token::read(&auth::sign(&view(), claims).unwrap())
    }

    #[test]
    fn a_token_says_whose_it_is_and_for_how_long() {
        let claims = json!({
            "iss": "arangodb", "preferred_username": "ann", "iat": 10, "exp": 20.5, "allowed_paths": ["/_api/version"],
        });
        let token = read(&claims).unwrap();
        let says = token.claims();
        assert_eq!(says.algorithm, "HS256");
        assert_eq!(says.holder, Holder::User("ann".to_owned()));
        assert_eq!(says.issued_at.map(seconds_of), Some(10.0));
        assert_eq!(says.expires_at.map(seconds_of), Some(20.5));
        assert_eq!(
            says.allowed_paths.as_deref(),
            Some(&["/_api/version".to_owned()][..])
        );
        assert_eq!(token.time_left(), Some(Duration::ZERO));
        let shown = format!("{token:?}");
        assert!(!shown.contains(token.secret().reveal()), "{shown}");
    }

    #[test]
    fn what_no_server_accepts_is_named() {
        for (claims, why) in [
            (json!({"iss": "x", "server_id": "s"}), "issuer"),
            (json!({"iss": "arangodb"}), "neither a user nor a server"),
            (
                json!({"iss": "arangodb", "preferred_username": ""}),
                "preferred_username",
            ),
            (json!({"iss": "arangodb", "server_id": 1}), "server_id"),
            (
                json!({"iss": "arangodb", "server_id": "s", "exp": "x"}),
                "exp",
            ),
            (
                json!({"iss": "arangodb", "server_id": "s", "allowed_paths": []}),
                "allowed_paths",
            ),
            (
                json!({"iss": "arangodb", "server_id": "s", "allowed_paths": [1]}),
                "allowed_paths",
            ),
        ] {
            let error = read(&claims).unwrap_err().to_string();
            assert!(error.contains(why), "{claims}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[ -~]{0,60}", cut in 0usize..200) {
            let _ = Token::read(&Secret::new(text));
            let whole = auth::superuser_token(&view());
            let part: String = whole.reveal().chars().take(cut).collect();
            let read = Token::read(&Secret::new(part.clone()));
            prop_assert_eq!(read.is_ok(), part.matches('.').count() == 2);
        }
    }
}
