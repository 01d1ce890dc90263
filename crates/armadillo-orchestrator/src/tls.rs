//! TLS: an authority for each run, the certificates of a deployment's servers and clients, and the check of what a server shows.
//!
//! The authority's private key exists only in the memory of the process that starts servers: it is in no file, and nobody
//! can issue a certificate when that process has ended.

#[cfg(feature = "tls")]
mod authority;
#[cfg(not(feature = "tls"))]
#[path = "tls/without.rs"]
mod authority;
mod certificate;
mod files;
#[cfg(test)]
#[cfg(feature = "tls")]
mod tests;
#[cfg(feature = "tls")]
mod trust;
#[cfg(not(feature = "tls"))]
#[path = "tls/untrusting.rs"]
mod trust;
mod words;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::backend::BackEndError;
use crate::secret::Secret;
use crate::server::ServerKey;

pub use certificate::Certificate;
pub use trust::presented;

pub(crate) use authority::Issued;
pub(crate) use files::{issue, renew};
pub(crate) use trust::Trust;
pub(crate) use words::explain;

/// The word of a topology whose servers speak TLS, and the setting that says it of every topology.
pub const TLS: &str = "tls";

/// What a product does with TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TlsUse {
    /// Whether servers ask their clients for a certificate.
    pub client_certificates: bool,
    /// Whether servers talk to each other with certificates of their own, so that what clients are shown can be replaced
    /// without touching that.
    pub peer_certificates: bool,
}

/// The certificates of a deployment: where its servers find theirs, and what clients need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tls {
    /// The certificate of the authority that issued all others, as PEM.
    pub authority: String,
    /// A file with the same.
    pub authority_file: PathBuf,
    /// What clients show, where servers ask for it.
    pub client: Option<ClientCertificate>,
    /// Each server's files.
    pub servers: BTreeMap<ServerKey, ServerFiles>,
}

/// A certificate for clients. It names no user: who asks is said by a login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClientCertificate {
    /// The certificate as PEM.
    pub certificate: String,
    /// A file with the same.
    pub certificate_file: PathBuf,
    /// Its private key as PEM.
    #[serde(with = "crate::secret::on_the_wire")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub key: Secret,
    /// A file with the same.
    pub key_file: PathBuf,
}

/// What a client of any kind needs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientTls {
    /// The certificate of the authority that issued those of the servers, as PEM: trust it, and no other.
    pub authority: String,
    /// A file with the same.
    pub authority_file: PathBuf,
    /// What to show to the servers, where they ask for it.
    pub client: Option<ClientCertificate>,
}

/// Where a server finds its certificates, as the server sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServerFiles {
    /// What it shows to clients.
    pub client_facing: KeyFiles,
    /// What it shows to other servers, and they to it, where that is something else.
    pub peer_facing: Option<KeyFiles>,
}

/// A certificate and its private key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeyFiles {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Both in one file, the certificate first.
    pub both: PathBuf,
}

impl Tls {
    /// What is checked of servers that somebody else started: whether an authority whose certificates these are issued theirs.
    ///
    /// # Errors
    /// When there is no certificate, or none that can be used.
    pub fn of_authority(authority: String, file: PathBuf) -> Result<Self, TlsError> {
        let tls = Self {
            authority,
            authority_file: file,
            client: None,
            servers: BTreeMap::new(),
        };
        if !tls.authority.contains("-----BEGIN CERTIFICATE-----") {
            return Err(TlsError::Unusable {
                what: "authority's certificate",
                why: "there is none in PEM".to_owned(),
            });
        }
        Trust::of(&tls).map(|_| tls)
    }

    /// What another client needs.
    #[must_use]
    pub fn for_clients(&self) -> ClientTls {
        ClientTls {
            authority: self.authority.clone(),
            authority_file: self.authority_file.clone(),
            client: self.client.clone(),
        }
    }
}

/// What cannot be done about certificates.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// This executable was built without TLS.
    #[error("this executable was built without TLS")]
    NotBuiltIn,
    /// A certificate or a key cannot be made.
    #[error("cannot issue a certificate: {0}")]
    Issue(String),
    /// A file cannot be written.
    #[error(transparent)]
    Files(#[from] BackEndError),
    /// What should be a certificate or a key is none.
    #[error("cannot use the {what}: {why}")]
    Unusable {
        /// Which one.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
}
