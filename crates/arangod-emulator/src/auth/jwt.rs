//! JSON web tokens as arangod reads them (`TokenCache.cpp` of arangodb/arangodb).

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::Value;

/// Whom a token names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// `preferred_username`; a token without one is the superuser's.
    pub(crate) user: Option<String>,
    /// The only paths it is good for, if it names any.
    pub(crate) allowed_paths: Option<Vec<String>>,
}

/// The parts of a token, of which nothing is verified.
pub(crate) struct Parts<'a> {
    pub(crate) algorithm: String,
    pub(crate) message: &'a str,
    pub(crate) signature: &'a str,
    pub(crate) claims: Value,
}

impl<'a> Parts<'a> {
    pub(crate) fn of(token: &'a str) -> Option<Self> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let header = decoded(header)?;
        if header.get("typ")?.as_str()? != "JWT" {
            return None;
        }
        Some(Self {
            algorithm: String::from(header.get("alg")?.as_str()?),
            message,
            signature,
            claims: decoded(claims)?,
        })
    }
}

/// Whom these claims name, unless they are no good, or no longer.
pub(crate) fn token_of(claims: &Value) -> Option<Token> {
    if claims.get("iss")?.as_str()? != "arangodb" {
        return None;
    }
    if let Some(expiry) = claims.get("exp")
        && expiry.as_f64()? <= now()
    {
        return None;
    }
    let allowed_paths = match claims.get("allowed_paths") {
        None => None,
        Some(paths) => Some(texts(paths).filter(|paths| !paths.is_empty())?),
    };
    match claims.get("roles") {
        None | Some(Value::Null) => {}
        Some(roles) => drop(texts(roles)?),
    }
    let user = match claims.get("preferred_username") {
        None => {
            claims.get("server_id")?;
            None
        }
        Some(name) => Some(name.as_str().filter(|name| !name.is_empty())?.to_owned()),
    };
    Some(Token {
        user,
        allowed_paths,
    })
}

/// The texts of an array that has nothing else.
fn texts(value: &Value) -> Option<Vec<String>> {
    let values = value.as_array()?.iter();
    values
        .map(|value| value.as_str().map(String::from))
        .collect()
}

/// The salted hash of a password. arangod hashes with SHA-256; this is HMAC-SHA-256 with the salt
/// as its key, and `_users` says so.
pub(crate) fn password_hash(salt: &str, password: &str) -> Option<String> {
    let key = EncodingKey::from_secret(salt.as_bytes());
    crypto::sign(password.as_bytes(), &key, Algorithm::HS256).ok()
}

fn decoded(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// Seconds since 1970.
pub(crate) fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |past| past.as_secs_f64())
}
