//! The parts of a PEM file, and what is said of them.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// What is said of a file: its hash, its certificates, and the hash of its first private key.
pub(super) fn described(text: &str) -> Value {
    if text.is_empty() {
        return json!({});
    }
    let (certificates, keys) = split(text);
    let mut said = Map::new();
    let mut hash = |name: &str, old: &str, text: &str| {
        let hash = json!(sha256(text));
        said.insert(String::from(name), hash.clone());
        said.insert(String::from(old), hash);
    };
    hash("sha256", "SHA256", text);
    if let Some(key) = keys.first() {
        hash("privateKeySha256", "privateKeySHA256", key);
    }
    said.insert(String::from("certificates"), json!(certificates));
    Value::Object(said)
}

fn sha256(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Certificates and private keys, each with its first and its last line.
fn split(text: &str) -> (Vec<&str>, Vec<&str>) {
    let (mut certificates, mut keys) = (Vec::new(), Vec::new());
    let mut rest = text;
    while let Some(start) = rest.find("-----BEGIN ") {
        rest = &rest[start..];
        let Some(kind) = rest["-----BEGIN ".len()..].split("-----").next() else {
            break;
        };
        let footer = format!("-----END {kind}-----");
        let Some(end) = rest.find(&footer).map(|at| at + footer.len()) else {
            break;
        };
        if kind == "CERTIFICATE" {
            certificates.push(&rest[..end]);
        } else if kind.contains("PRIVATE KEY") {
            keys.push(&rest[..end]);
        }
        rest = &rest[end..];
    }
    (certificates, keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_key_is_a_hash_and_a_certificate_is_shown() {
        let (certificate, key) = (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
            "-----BEGIN EC PRIVATE KEY-----\nBBBB\n-----END EC PRIVATE KEY-----",
        );
        let text = format!("{certificate}\n{certificate}\n{key}\n");
        let said = described(&text);
        assert_eq!(said["certificates"], json!([certificate, certificate]));
        assert_eq!(said["privateKeySha256"], sha256(key));
        assert_eq!(said["sha256"], sha256(&text));
        assert_eq!(said["SHA256"], said["sha256"]);
        assert!(!said.to_string().contains("BBBB"));
        assert_eq!(described(""), json!({}));
        // Of the empty text, as everybody knows.
        assert!(sha256("").starts_with("e3b0c442") && sha256("").ends_with("7852b855"));
    }
}
