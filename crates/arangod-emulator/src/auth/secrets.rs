//! The secrets of a server: where they come from, and how they are read again.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::jwt::{self, Token};
use super::key::Key;
use crate::logging::Logger;
use crate::options::Options;

/// arangod takes no longer secrets (option text of `--server.jwt-secret-keyfile`).
const LONGEST: usize = 64;

/// So many tokens are remembered.
const TRUSTED: usize = 16;

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
    #[error("Given JWT secret too long. Max length is {LONGEST}")]
    TooLong,
    /// The folder has no secrets.
    #[error("empty JWT secrets directory")]
    EmptyFolder,
    /// The active secret is PEM of something else.
    #[error("PEM file detected but does not contain a valid EC key")]
    NotEc,
    /// The active secret cannot sign.
    #[error("the active JWT secret is an ES256 public key, and a private key is required to sign")]
    Public,
    /// More than one option gives a secret.
    #[error("use only one of --server.jwt-secret, -keyfile and -folder")]
    Several,
    /// There is nothing to read again.
    #[error("no JWT secret file was specified")]
    NoFile,
    /// There is no randomness to make one.
    #[error("unable to make a JWT secret: {0}")]
    Random(std::io::Error),
}

/// Where the secrets come from.
#[derive(Debug)]
enum Source {
    /// The command line, or this process: for good.
    Given,
    File(PathBuf),
    Folder(PathBuf),
}

/// The secrets: the first signs, all verify.
#[derive(Debug)]
pub(crate) struct Secrets {
    source: Source,
    keys: RefCell<Vec<Key>>,
    /// Superusers' tokens that were found good and stay so: servers send theirs all the time.
    trusted: RefCell<Vec<String>>,
    own: RefCell<Own>,
}

/// By what other servers know this one.
#[derive(Debug, Default)]
struct Own {
    id: String,
    /// The header `Authorization` of its requests.
    header: Option<String>,
}

impl Secrets {
    fn new(source: Source, keys: Vec<Key>) -> Self {
        Self {
            source,
            keys: RefCell::new(keys),
            trusted: RefCell::default(),
            own: RefCell::default(),
        }
    }

    /// Reads the secrets that the options name, or makes one up.
    pub(crate) fn from_options(options: &Options) -> Result<Self, SecretError> {
        let plain = options.text("--server.jwt-secret");
        let keyfile = options.text("--server.jwt-secret-keyfile");
        let folder = options.text("--server.jwt-secret-folder");
        let source = match (plain, keyfile, folder) {
            ("", file, "") if !file.is_empty() => Source::File(PathBuf::from(file)),
            ("", "", folder) if !folder.is_empty() => Source::Folder(PathBuf::from(folder)),
            (_, "", "") => Source::Given,
            _ => return Err(SecretError::Several),
        };
        let keys = match &source {
            Source::Given if plain.is_empty() => {
                let made = crate::system::random::<32>().map_err(SecretError::Random)?;
                vec![active(&made)?]
            }
            Source::Given => vec![active(plain.as_bytes())?],
            source => source.read()?,
        };
        Ok(Self::new(source, keys))
    }

    /// Reads the files again. What was remembered of tokens is forgotten; if it fails, everything stays as it was.
    pub(crate) fn reload(&self) -> Result<(), SecretError> {
        let keys = self.source.read()?;
        *self.keys.borrow_mut() = keys;
        self.trusted.borrow_mut().clear();
        self.sign_own();
        Ok(())
    }

    /// What a server tells of its secrets.
    pub(crate) fn digests(&self) -> Value {
        let keys = self.keys.borrow();
        let mut all = keys.iter().map(|key| json!({ "sha256": key.digest() }));
        let active = all.next().unwrap_or_default();
        json!({ "active": active, "passive": all.collect::<Vec<_>>() })
    }

    /// Logs where they were read from.
    pub(crate) fn say(&self, log: &Logger) {
        let info = |id, text: &str| log.info(id, "authentication", text);
        let is_pair = self.keys.borrow().first().is_some_and(Key::is_ec);
        match &self.source {
            Source::Given => {}
            Source::File(_) if is_pair => info("4923e", "Detected ES256 private key in keyfile"),
            Source::File(_) => {}
            Source::Folder(folder) => {
                let folder = folder.display();
                info(
                    "4922f",
                    &format!("loading JWT secrets from folder {folder}"),
                );
                if is_pair {
                    info("4922e", "Detected ES256 private key in JWT secret file");
                }
                let passive = self.passive();
                info("4a34f", &format!("have {passive} passive JWT secrets"));
            }
        }
    }

    fn passive(&self) -> usize {
        self.keys.borrow().len().saturating_sub(1)
    }

    /// The name by which other servers know this one.
    pub(crate) fn set_id(&self, id: &str) {
        self.own.borrow_mut().id = String::from(id);
        self.sign_own();
    }

    /// The header by which servers of a cluster know each other, good as long as the secret is.
    pub(crate) fn own_header(&self) -> Option<String> {
        self.own.borrow().header.clone()
    }

    fn sign_own(&self) {
        let claims = json!({ "iss": "arangodb", "server_id": self.own.borrow().id });
        let header = self.signed(&claims).map(|token| format!("bearer {token}"));
        self.own.borrow_mut().header = header;
    }

    /// A token for a user, good for so many seconds.
    pub(crate) fn sign(&self, user: &str, seconds: f64) -> Option<String> {
        let now = jwt::now();
        self.signed(&json!({
            "exp": (now + seconds) as u64,
            "iat": now as u64,
            "iss": "arangodb",
            "preferred_username": user,
        }))
    }

    fn signed(&self, claims: &Value) -> Option<String> {
        self.keys.borrow().first()?.token(claims)
    }

    /// Whom the token names, or nothing if it is not one of ours, or no longer good.
    pub(crate) fn verify(&self, token: &str) -> Option<Token> {
        if self.trusted.borrow().iter().any(|known| known == token) {
            return Some(Token {
                user: None,
                allowed_paths: None,
            });
        }
        let parts = jwt::Parts::of(token)?;
        let keys = self.keys.borrow();
        let signed = |key: &Key| key.has_signed(&parts.algorithm, parts.message, parts.signature);
        if !keys.iter().any(signed) {
            return None;
        }
        let found = jwt::token_of(&parts.claims)?;
        let lasting = found.user.is_none() && found.allowed_paths.is_none();
        let mut trusted = self.trusted.borrow_mut();
        if lasting && parts.claims.get("exp").is_none() && trusted.len() < TRUSTED {
            trusted.push(String::from(token));
        }
        Some(found)
    }
}

impl Source {
    fn read(&self) -> Result<Vec<Key>, SecretError> {
        match self {
            Self::Given => Err(SecretError::NoFile),
            Self::File(path) => Ok(vec![active(&bytes_of(path)?)?]),
            Self::Folder(path) => read_folder(path),
        }
    }
}

/// The secret that signs.
fn active(bytes: &[u8]) -> Result<Key, SecretError> {
    let key = Key::read(bytes).map_err(|_| SecretError::NotEc)?;
    match key {
        key if key.length() > LONGEST => Err(SecretError::TooLong),
        key if key.is_public() => Err(SecretError::Public),
        key => Ok(key),
    }
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, SecretError> {
    std::fs::read(path).map_err(|source| SecretError::Unreadable {
        path: PathBuf::from(path),
        source,
    })
}

/// In the order of their names; the first one signs. Empty files and PEM of something else are no passive secrets.
fn read_folder(folder: &Path) -> Result<Vec<Key>, SecretError> {
    let files = files_of(folder).map_err(|source| SecretError::Unreadable {
        path: PathBuf::from(folder),
        source,
    })?;
    let (first, others) = files.split_first().ok_or(SecretError::EmptyFolder)?;
    let mut keys = vec![active(&bytes_of(first)?)?];
    for file in others {
        match Key::read(&bytes_of(file)?) {
            Ok(key) if key.length() > LONGEST => return Err(SecretError::TooLong),
            Ok(key) if key.is_ec() || key.length() > 0 => keys.push(key),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(keys)
}

/// The files of a folder that are secrets: hidden ones, temporary ones and links are not.
fn files_of(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with('.') && !name.ends_with(".tmp") && !entry.file_type()?.is_symlink() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, EncodingKey, Header};
    use p256::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};

    use super::*;
    use crate::auth::jwt::now;

    fn secrets(texts: &[&str]) -> Secrets {
        let keys = texts.iter().map(|text| Key::read(text.as_bytes()).unwrap());
        Secrets::new(Source::Given, keys.collect())
    }

    fn signed(secret: &str, claims: &Value) -> String {
        Key::read(secret.as_bytes()).unwrap().token(claims).unwrap()
    }

    fn pair(seed: u8) -> (p256::SecretKey, String, String) {
        let secret = p256::SecretKey::from_slice(&[seed; 32]).unwrap();
        let private = secret.to_pkcs8_pem(LineEnding::LF).unwrap().to_string();
        let public = secret.public_key().to_public_key_pem(LineEnding::LF);
        (secret, private, public.unwrap())
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
            json!({"iss": "arangodb", "server_id": "x", "roles": "x"}),
        ] {
            assert_eq!(ours.verify(&signed("s", &claims)), None, "{claims}");
        }
        assert_eq!(ours.verify("a.b.c"), None);
        let key = EncodingKey::from_secret(b"s");
        let claims = json!({"iss": "arangodb", "server_id": "x"});
        let other = jsonwebtoken::encode(&Header::new(Algorithm::HS384), &claims, &key).unwrap();
        assert_eq!(ours.verify(&other), None);
    }

    #[test]
    fn a_pair_signs_and_its_public_half_verifies() {
        let (secret, private, public) = pair(7);
        let claims = json!({"iss": "arangodb", "server_id": "x"});
        let token = signed(&private, &claims);
        assert!(secrets(&[&private]).verify(&token).is_some());
        assert!(secrets(&["raw", &public]).verify(&token).is_some());
        assert!(secrets(&[&pair(8).1]).verify(&token).is_none());
        // Another library reads it, and a public key is no shared secret.
        let key = secret.to_pkcs8_der().unwrap();
        let key = EncodingKey::from_ec_der(key.as_bytes());
        let other = jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &key).unwrap();
        assert!(secrets(&[&private]).verify(&other).is_some());
        let confused = EncodingKey::from_secret(public.trim().as_bytes());
        let confused = jsonwebtoken::encode(&Header::default(), &claims, &confused).unwrap();
        assert!(secrets(&["raw", &public]).verify(&confused).is_none());
        let sec1 = secret.to_sec1_pem(LineEnding::LF).unwrap();
        let written = format!(
            "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{}",
            sec1.as_str()
        );
        assert!(secrets(&[&written]).verify(&token).is_some());
        assert!(matches!(
            active(public.as_bytes()),
            Err(SecretError::Public)
        ));
        let nonsense = "-----BEGIN RSA-----\n-----END RSA-----";
        assert!(matches!(
            active(nonsense.as_bytes()),
            Err(SecretError::NotEc)
        ));
    }

    #[test]
    fn files_are_read_again() {
        let place = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| std::fs::write(place.path().join(name), text).unwrap();
        let source = || Source::Folder(place.path().to_owned());
        file(".hidden", "h");
        file("made.tmp", "t");
        std::os::unix::fs::symlink(place.path().join(".hidden"), place.path().join("1")).unwrap();
        assert!(matches!(source().read(), Err(SecretError::EmptyFolder)));
        file("2", "first\n");
        file("3", "");
        file("4", "second");
        let ours = Secrets::new(source(), source().read().unwrap());
        ours.set_id("me");
        assert_eq!(ours.passive(), 1);
        let old = signed("second", &json!({"iss": "arangodb", "server_id": "x"}));
        assert!(ours.verify(&old).is_some() && ours.verify("h.h.h").is_none());
        let header = ours.own_header();
        file("2", &"x".repeat(LONGEST + 1));
        assert!(matches!(ours.reload(), Err(SecretError::TooLong)));
        assert!(ours.verify(&old).is_some());
        assert_eq!(ours.own_header(), header);
        file("2", "third");
        file("4", "");
        ours.reload().unwrap();
        assert_eq!(ours.verify(&old), None);
        assert_ne!(ours.own_header(), header);
        let digest = "b1e99324505bd32da0e1f85dcf5e19a09db0481e8a15f62c41eb320304a8e927";
        let told = json!({ "active": { "sha256": digest }, "passive": [] });
        assert_eq!(ours.digests(), told);
        assert!(matches!(secrets(&["s"]).reload(), Err(SecretError::NoFile)));
    }
}
