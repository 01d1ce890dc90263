//! The keys that a deployment's servers sign and verify tokens with, and how they are rotated: as operators do it, in steps that
//! never refuse a server to another.
//!
//! | steps taken | active | passive |
//! | --- | --- | --- |
//! | 0 | the first | |
//! | 1 | the first | the second |
//! | 2 | the second | the first |
//! | 3 | the second | |
//!
//! All servers read their files after each step. An active key signs, and both verify.

use std::path::PathBuf;

use armadillo_orchestrator::{Secret, View};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::{EncodePrivateKey as _, LineEnding};
use serde::Serialize;
use serde_json::json;

use crate::topology::ES256;

/// The folder of the keys, in the server's directory. The first file is the active key.
pub(crate) const FOLDER: &str = "jwt-secrets";

/// Where a server reads its keys again, and what it tells of them.
pub(crate) const SECRETS: &str = "/_admin/server/jwt";

/// How many steps make a rotation.
const STEPS: u32 = 3;

/// A key for tokens.
pub(crate) enum Key {
    /// HS256: the text that both sides know.
    Shared(Secret),
    /// ES256: a private key of the curve P-256. Boxed, because the other kind is much smaller.
    Pair(Box<p256::SecretKey>),
}

/// Whether a rotation has begun and not ended.
pub(crate) fn is_under_way(view: &View) -> bool {
    !view.keys.taken().is_multiple_of(STEPS)
}

/// The key that signs now.
pub(crate) fn active(view: &View) -> Key {
    Key::numbered(view, numbers(view).0)
}

/// The key that verifies now and will not when the rotation has ended, whether or not it has begun.
pub(crate) fn outgoing(view: &View) -> Key {
    Key::numbered(view, view.keys.taken() / STEPS)
}

/// The files of the folder.
pub(crate) fn files(view: &View) -> Vec<(PathBuf, u32, Secret)> {
    let (active, passive) = numbers(view);
    let file = |name: &str, number| {
        let path = PathBuf::from(FOLDER).join(name);
        (path, 0o600, Key::numbered(view, number).content())
    };
    let passive = passive.map(|number| file("2-passive", number));
    [file("1-active", active)]
        .into_iter()
        .chain(passive)
        .collect()
}

/// Which key is active, and which passive.
fn numbers(view: &View) -> (u32, Option<u32>) {
    let (ended, steps) = (view.keys.taken() / STEPS, view.keys.taken() % STEPS);
    match steps {
        0 => (ended, None),
        1 => (ended, Some(ended + 1)),
        _ => (ended + 1, Some(ended)),
    }
}

impl Key {
    fn numbered(view: &View, number: u32) -> Self {
        let purpose = format!("jwt key {number}");
        match view.topology.says(ES256) {
            false => Self::Shared(derive(view, &purpose)),
            true => Self::Pair(Box::new(pair(view, &purpose))),
        }
    }

    /// What its file holds.
    #[expect(clippy::expect_used, reason = "PEM is made of bytes of a fixed length")]
    pub(crate) fn content(&self) -> Secret {
        match self {
            Self::Shared(text) => text.clone(),
            Self::Pair(key) => {
                let pem = key.to_pkcs8_pem(LineEnding::LF);
                Secret::new(pem.expect("a key fits into PEM").as_str())
            }
        }
    }

    /// The name of its algorithm in tokens.
    pub(crate) fn algorithm(&self) -> &'static str {
        match self {
            Self::Shared(_) => "HS256",
            Self::Pair(_) => "ES256",
        }
    }

    /// A token with these claims.
    pub(crate) fn sign(&self, claims: &impl Serialize) -> Result<Secret, serde_json::Error> {
        let header = json!({ "alg": self.algorithm(), "typ": "JWT" }).to_string();
        let claims = serde_json::to_string(claims)?;
        let (header, claims) = (
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims),
        );
        let message = format!("{header}.{claims}");
        let signature = match self {
            Self::Shared(text) => code(text, &message),
            Self::Pair(key) => {
                let signature: Signature = SigningKey::from(&**key).sign(message.as_bytes());
                URL_SAFE_NO_PAD.encode(signature.to_bytes())
            }
        };
        Ok(Secret::new(format!("{message}.{signature}")))
    }

    /// Whether it has signed this.
    pub(crate) fn has_signed(&self, message: &str, signature: &str) -> bool {
        match self {
            Self::Shared(text) => {
                let key = DecodingKey::from_secret(text.reveal().as_bytes());
                crypto::verify(signature, message.as_bytes(), &key, Algorithm::HS256)
                    .unwrap_or(false)
            }
            Self::Pair(key) => {
                let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
                let key = SigningKey::from(&**key);
                Signature::from_slice(&bytes).is_ok_and(|given| {
                    key.verifying_key()
                        .verify(message.as_bytes(), &given)
                        .is_ok()
                })
            }
        }
    }
}

/// A secret for one purpose: HMAC-SHA-256 of the purpose under the deployment's secret, in URL-safe base64.
pub(crate) fn derive(view: &View, purpose: &str) -> Secret {
    Secret::new(code(&view.secret, &format!("armadillo arangodb {purpose}")))
}

/// A private key for one purpose. Almost every number of 32 bytes is one.
fn pair(view: &View, purpose: &str) -> p256::SecretKey {
    let mut tried = 0_u32;
    loop {
        let text = derive(view, &format!("{purpose} pair {tried}"));
        let bytes = URL_SAFE_NO_PAD.decode(text.reveal()).unwrap_or_default();
        match p256::SecretKey::from_slice(&bytes) {
            Ok(key) => return key,
            Err(_) => tried += 1,
        }
    }
}

/// HMAC-SHA-256 in URL-safe base64.
#[expect(
    clippy::expect_used,
    reason = "HMAC-SHA-256 takes keys and messages of any content and length"
)]
fn code(key: &Secret, message: &str) -> String {
    let key = EncodingKey::from_secret(key.reveal().as_bytes());
    crypto::sign(message.as_bytes(), &key, Algorithm::HS256).expect("HMAC-SHA-256 cannot fail")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use super::*;
    use crate::system::tests::view;

    fn names(view: &View) -> BTreeMap<String, String> {
        let files = files(view).into_iter();
        files
            .map(|(path, mode, key)| {
                assert_eq!(mode, 0o600);
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                (name, key.reveal().to_owned())
            })
            .collect()
    }

    #[test]
    fn a_rotation_never_has_a_moment_in_which_a_key_is_missing() {
        let view = view();
        let mut active_keys = vec![active(&view).content().reveal().to_owned()];
        for step in 0..=6 {
            view.keys.reach(step);
            let held = names(&view);
            let signs = active(&view).content().reveal().to_owned();
            assert_eq!(held["1-active"], signs);
            assert_eq!(held.len() == 2, is_under_way(&view), "step {step}");
            let last = active_keys.last().unwrap().clone();
            // Who signed with the key of the step before is still accepted.
            assert!(held.values().any(|key| *key == last), "step {step}");
            active_keys.push(signs);
        }
        let different: HashSet<&String> = active_keys.iter().collect();
        assert_eq!(different.len(), 3);
        assert!(active_keys.iter().all(|key| key.len() == 43));
    }

    #[test]
    fn a_pair_signs_what_it_verifies() {
        let mut view = view();
        let claims = json!({ "iss": "arangodb" });
        let shared = active(&view).sign(&claims).unwrap();
        view.topology.words.insert(ES256.to_owned());
        let key = active(&view);
        assert!(
            key.content()
                .reveal()
                .starts_with("-----BEGIN PRIVATE KEY-----\n")
        );
        let token = key.sign(&claims).unwrap();
        let verified = |key: &Key, token: &Secret| {
            let (message, signature) = token.reveal().rsplit_once('.').unwrap();
            key.has_signed(message, signature)
        };
        assert!(verified(&key, &token) && !verified(&key, &shared));
        view.keys.reach(3);
        assert!(!verified(&active(&view), &token));
    }
}
