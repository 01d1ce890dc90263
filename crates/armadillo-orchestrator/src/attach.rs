//! Servers that somebody else started: what names them, what was found there, and a back end that runs tests on them.

mod back_end;
mod named;

pub use back_end::Foreign;
pub use named::{Attachment, authority_flag, flag, login_flag};

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::secret::Secret;
use crate::server::ServerKey;
use crate::tls::Tls;
use crate::topology::Topology;

/// Servers that somebody else started, as their system found them. Like a view, it crosses the daemon's socket and is never
/// written to a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Attached {
    /// What is there: complete, so that it has a plan.
    pub topology: Topology,
    /// Where each server of that plan is reached: `host:port` by the name of a port.
    pub servers: BTreeMap<ServerKey, BTreeMap<String, String>>,
    /// Where servers tell each other that they are reached, of those that are reached elsewhere from here.
    pub advertised: BTreeMap<ServerKey, BTreeMap<String, String>>,
    /// The addresses that the settings name, or that were found instead.
    pub addresses: Vec<String>,
    /// Why a part of what is there is left out of the plan, in words that fit after `needs .., but`; `None` if nothing is.
    pub left_out: Option<String>,
    /// The version they say.
    pub version: String,
    /// What they are shown as, if they are a stand-in for the product.
    pub stand_in: Option<String>,
    /// Who asks; `None`: nobody in particular.
    pub login: Option<Credentials>,
    /// What is checked of them, if they speak TLS.
    #[serde(default)]
    pub tls: Option<Tls>,
}

/// Who asks servers that somebody else started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Credentials {
    /// A user.
    Login(Login),
    /// Whoever shows this token.
    Token(
        #[serde(with = "crate::secret::on_the_wire")]
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        Secret,
    ),
}

impl Credentials {
    /// The user, unless it is a token.
    #[must_use]
    pub fn login(&self) -> Option<&Login> {
        match self {
            Self::Login(login) => Some(login),
            Self::Token(_) => None,
        }
    }
}

/// A user, and the password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// The password.
    #[serde(with = "crate::secret::on_the_wire")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub password: Secret,
}

impl Attached {
    /// The port names of a server, and where they are reached.
    pub(crate) fn addresses(&self, server: &ServerKey) -> BTreeMap<String, String> {
        self.servers.get(server).cloned().unwrap_or_default()
    }

    /// The same as other servers know them.
    pub(crate) fn advertised(&self, server: &ServerKey) -> BTreeMap<String, String> {
        let known = self.advertised.get(server).cloned();
        known.unwrap_or_else(|| self.addresses(server))
    }
}

/// `http://host:port` or `https://host:port`, separated by commas.
impl fmt::Display for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = self.addresses.iter();
        let urls: Vec<String> = addresses
            .map(|address| url(address, self.tls.is_some()))
            .collect();
        f.write_str(&urls.join(", "))
    }
}

/// An address, `host:port`, as a URL.
pub(crate) fn url(address: &str, encrypted: bool) -> String {
    let scheme = if encrypted { "https" } else { "http" };
    format!("{scheme}://{address}")
}

/// Why tests cannot run on servers that somebody else started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {says}\nhelp: {help}")]
pub struct AttachError {
    /// The address that was asked: `http://host:port`, or `https://host:port`.
    pub at: String,
    /// What is wrong with what is there.
    pub says: String,
    /// What to do about it.
    pub help: String,
}

impl AttachError {
    /// What is wrong at an address: a URL, or `host:port`, which is one of `http`.
    #[must_use]
    pub fn at(address: &str, says: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            at: match address.contains("://") {
                true => address.to_owned(),
                false => url(address, false),
            },
            says: says.into(),
            help: help.into(),
        }
    }

    /// A request to an address that got no answer.
    #[must_use]
    pub fn silent(address: &str, error: &crate::http::HttpError) -> Self {
        use crate::http::HttpError;
        let says = match error {
            HttpError::Refused { .. } => "nothing listens there (connection refused)".to_owned(),
            HttpError::Timeout { waited, sent: true, .. } => {
                format!("something accepts connections there, but it does not respond within {waited:.1?}")
            }
            HttpError::Timeout { waited, .. } => {
                format!("no connection within {waited:.1?}")
            }
            HttpError::Connect { source, .. } => format!("cannot connect: {source}"),
            HttpError::Protocol { .. } | HttpError::Io { sent: true, .. } => {
                "what listens there does not speak HTTP; if it speaks TLS, write https:// in front of its address".to_owned()
            }
            other => other.to_string(),
        };
        Self::at(
            address,
            says,
            "check the address, and that the server is up",
        )
    }
}
