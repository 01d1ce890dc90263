//! JSON web tokens as arangod makes and reads them (`TokenCache.cpp` of arangodb/arangodb).

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, crypto};
use serde_json::{Value, json};

use crate::options::Options;

/// arangod takes no longer secrets (option text of `--server.jwt-secret-keyfile`).
const LONGEST: usize = 64;

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    /// A file or folder cannot be read.
    #[error("unable to read JWT secret '{path}': {source}")]
    Unreadable {
        /// What.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A secret is too long.
    #[error("given JWT secret too long, the maximum is {LONGEST} bytes")]
    TooLong,
    /// The folder has no secrets.
    #[error("no JWT secret in folder '{0}'")]
    EmptyFolder(PathBuf),
    /// More than one option gives a secret.
    #[error("use only one of --server.jwt-secret, -keyfile and -folder")]
    Several,
    /// There is no randomness to make one.
    #[error("unable to make a JWT secret: {0}")]
    Random(std::io::Error),
}

/// The secrets: the first signs, all verify.
#[derive(Debug)]
pub(crate) struct Secrets {
    keys: Vec<Vec<u8>>,
    /// Superusers' tokens that were found good and stay so: servers send theirs all the time.
    trusted: std::cell::RefCell<Vec<String>>,
}

/// So many tokens are remembered.
const TRUSTED: usize = 16;

/// Whom a token names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// `preferred_username`; a token without one is the superuser's.
    pub(crate) user: Option<String>,
    /// The only paths it is good for, if it names any.
    pub(crate) allowed_paths: Option<Vec<String>>,
}

impl Secrets {
    fn new(keys: Vec<Vec<u8>>) -> Self {
        let trusted = std::cell::RefCell::default();
        Self { keys, trusted }
    }

    /// Reads the secrets that the options name, or makes one up.
    pub(crate) fn from_options(options: &Options) -> Result<Self, SecretError> {
        let plain = options.text("--server.jwt-secret");
        let keyfile = options.text("--server.jwt-secret-keyfile");
        let folder = options.text("--server.jwt-secret-folder");
        let secrets = match (plain, keyfile, folder) {
            ("", "", "") => vec![
                crate::system::random::<32>()
                    .map_err(SecretError::Random)?
                    .to_vec(),
            ],
            (secret, "", "") => vec![Vec::from(secret)],
            ("", file, "") => vec![read(Path::new(file))?],
            ("", "", folder) => read_folder(Path::new(folder))?,
            _ => return Err(SecretError::Several),
        };
        if secrets.iter().any(|secret| secret.len() > LONGEST) {
            return Err(SecretError::TooLong);
        }
        Ok(Self::new(secrets))
    }

    /// The token by which servers of a cluster know each other, good for ever.
    pub(crate) fn sign_server(&self, id: &str) -> Option<String> {
        let claims = json!({ "iss": "arangodb", "server_id": id });
        let key = EncodingKey::from_secret(self.keys.first()?);
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).ok()
    }

    /// A token for a user, good for so many seconds.
    pub(crate) fn sign(&self, user: &str, seconds: f64) -> Option<String> {
        let now = now();
        let claims = json!({
            "exp": (now + seconds) as u64,
            "iat": now as u64,
            "iss": "arangodb",
            "preferred_username": user,
        });
        let key = EncodingKey::from_secret(self.keys.first()?);
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).ok()
    }

    /// Whom the token names, or nothing if it is not one of ours, or no longer good.
    pub(crate) fn verify(&self, token: &str) -> Option<Token> {
        if self.trusted.borrow().iter().any(|known| known == token) {
            return Some(Token {
                user: None,
                allowed_paths: None,
            });
        }
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let header = decoded(header)?;
        if header.get("alg")?.as_str()? != "HS256" || header.get("typ")?.as_str()? != "JWT" {
            return None;
        }
        let signed = self.keys.iter().any(|secret| {
            let key = DecodingKey::from_secret(secret);
            crypto::verify(signature, message.as_bytes(), &key, Algorithm::HS256).unwrap_or(false)
        });
        if !signed {
            return None;
        }
        let claims = decoded(claims)?;
        let found = token_of(&claims)?;
        let lasting = found.user.is_none() && found.allowed_paths.is_none();
        let mut trusted = self.trusted.borrow_mut();
        if lasting && claims.get("exp").is_none() && trusted.len() < TRUSTED {
            trusted.push(String::from(token));
        }
        Some(found)
    }
}

fn token_of(claims: &Value) -> Option<Token> {
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
        Some(Value::Array(paths)) if !paths.is_empty() => Some(
            paths
                .iter()
                .map(|path| path.as_str().map(String::from))
                .collect::<Option<Vec<_>>>()?,
        ),
        Some(_) => return None,
    };
    let user = match claims.get("preferred_username") {
        None => {
            claims.get("server_id")?.as_str()?;
            None
        }
        Some(name) => Some(name.as_str().filter(|name| !name.is_empty())?.to_owned()),
    };
    Some(Token {
        user,
        allowed_paths,
    })
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

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |past| past.as_secs_f64())
}

fn read(path: &Path) -> Result<Vec<u8>, SecretError> {
    let bytes = std::fs::read(path).map_err(|source| SecretError::Unreadable {
        path: PathBuf::from(path),
        source,
    })?;
    Ok(Vec::from(bytes.trim_ascii()))
}

fn read_folder(folder: &Path) -> Result<Vec<Vec<u8>>, SecretError> {
    let unreadable = |source| SecretError::Unreadable {
        path: PathBuf::from(folder),
        source,
    };
    let mut files = std::fs::read_dir(folder)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable)?;
    files.retain(|file| !file.file_name().to_string_lossy().starts_with('.'));
    files.sort_by_key(std::fs::DirEntry::file_name);
    if files.is_empty() {
        return Err(SecretError::EmptyFolder(PathBuf::from(folder)));
    }
    files.iter().map(|file| read(&file.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(texts: &[&str]) -> Secrets {
        Secrets::new(texts.iter().map(|text| Vec::from(*text)).collect())
    }

    fn signed(secret: &str, claims: &Value) -> String {
        let key = EncodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key).unwrap()
    }

    #[test]
    fn tokens_of_servers_and_users() {
        let both = secrets(&["new", "old"]);
        let server = signed("old", &json!({"iss": "arangodb", "server_id": "none"}));
        assert_eq!(both.verify(&server).unwrap().user, None);
        assert_eq!(secrets(&["new"]).verify(&server), None);
        let user = both.sign("eve", 60.0).unwrap();
        assert_eq!(both.verify(&user).unwrap().user.as_deref(), Some("eve"));
    }

    #[test]
    fn what_is_no_good() {
        let ours = secrets(&["s"]);
        for claims in [
            json!({"server_id": "x"}),
            json!({"iss": "other", "server_id": "x"}),
            json!({"iss": "arangodb"}),
            json!({"iss": "arangodb", "preferred_username": ""}),
            json!({"iss": "arangodb", "server_id": "x", "exp": 0}),
            json!({"iss": "arangodb", "server_id": "x", "exp": now() - 1.0}),
            json!({"iss": "arangodb", "server_id": "x", "allowed_paths": []}),
        ] {
            assert_eq!(ours.verify(&signed("s", &claims)), None, "{claims}");
        }
        assert_eq!(ours.verify("a.b.c"), None);
        let key = EncodingKey::from_secret(b"s");
        let claims = json!({"iss": "arangodb", "server_id": "x"});
        let other = jsonwebtoken::encode(&Header::new(Algorithm::HS384), &claims, &key).unwrap();
        assert_eq!(ours.verify(&other), None);
    }
}
