//! One secret: bytes that two sides share (HS256), or a key of the curve P-256 in PEM (ES256). A public key verifies and does
//! not sign (`AuthenticationFeature.cpp` of arangodb/arangodb).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use p256::pkcs8::{DecodePrivateKey, DecodePublicKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A secret, and what it says of itself.
pub(crate) struct Key {
    kind: Kind,
    digest: String,
}

enum Kind {
    Shared(Vec<u8>),
    Private(Box<SigningKey>),
    Public(Box<VerifyingKey>),
}

/// It is PEM, and no key of P-256.
#[derive(Debug)]
pub(crate) struct NotEc;

impl Key {
    /// A secret from the bytes of its file.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, NotEc> {
        let bytes = bytes.trim_ascii();
        let digest = Sha256::digest(bytes);
        let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let pem = std::str::from_utf8(bytes).ok().filter(|text| is_pem(text));
        let kind = match pem {
            None => Kind::Shared(Vec::from(bytes)),
            Some(text) => Kind::of_pem(text).ok_or(NotEc)?,
        };
        Ok(Self { kind, digest })
    }

    /// The length of a shared secret; the others have no limit.
    pub(crate) fn length(&self) -> usize {
        match &self.kind {
            Kind::Shared(bytes) => bytes.len(),
            Kind::Private(_) | Kind::Public(_) => 0,
        }
    }

    /// Whether it only verifies.
    pub(crate) fn is_public(&self) -> bool {
        matches!(self.kind, Kind::Public(_))
    }

    /// Whether its tokens are ES256.
    pub(crate) fn is_ec(&self) -> bool {
        !matches!(self.kind, Kind::Shared(_))
    }

    /// The SHA-256 of the secret, in hexadecimal: what the server tells of it.
    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }

    /// A token with these claims; `None` from a key that only verifies.
    pub(crate) fn token(&self, claims: &Value) -> Option<String> {
        let algorithm = if self.is_ec() { "ES256" } else { "HS256" };
        let header = json!({ "alg": algorithm, "typ": "JWT" });
        let encoded = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", encoded(&header), encoded(claims));
        let signature = match &self.kind {
            Kind::Shared(bytes) => {
                let key = EncodingKey::from_secret(bytes);
                crypto::sign(message.as_bytes(), &key, Algorithm::HS256).ok()?
            }
            Kind::Private(key) => {
                let signature: Signature = key.try_sign(message.as_bytes()).ok()?;
                URL_SAFE_NO_PAD.encode(signature.to_bytes())
            }
            Kind::Public(_) => return None,
        };
        Some(format!("{message}.{signature}"))
    }

    /// Whether the signature of a message by this algorithm is this key's. A public key is no shared secret, whatever a token's
    /// header says.
    pub(crate) fn has_signed(&self, algorithm: &str, message: &str, signature: &str) -> bool {
        let message = message.as_bytes();
        let by_pair = |key: &VerifyingKey| {
            let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
            Signature::from_slice(&bytes).is_ok_and(|given| key.verify(message, &given).is_ok())
        };
        match (algorithm, &self.kind) {
            ("HS256", Kind::Shared(bytes)) => {
                let key = DecodingKey::from_secret(bytes);
                crypto::verify(signature, message, &key, Algorithm::HS256).unwrap_or(false)
            }
            ("ES256", Kind::Private(key)) => by_pair(key.verifying_key()),
            ("ES256", Kind::Public(key)) => by_pair(key),
            _ => false,
        }
    }
}

impl Kind {
    fn of_pem(text: &str) -> Option<Self> {
        // OpenSSL writes the parameters of the curve before the key.
        let old = text.find("-----BEGIN EC PRIVATE KEY-----");
        let secret = match old {
            Some(start) => p256::SecretKey::from_sec1_pem(&text[start..]).ok(),
            None => p256::SecretKey::from_pkcs8_pem(text).ok(),
        };
        let private = secret.map(|key| Self::Private(Box::new(key.into())));
        let public = || VerifyingKey::from_public_key_pem(text).ok();
        private.or_else(|| Some(Self::Public(Box::new(public()?))))
    }
}

fn is_pem(text: &str) -> bool {
    text.contains("-----BEGIN") && text.contains("-----END")
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Key").field(&self.digest).finish()
    }
}
