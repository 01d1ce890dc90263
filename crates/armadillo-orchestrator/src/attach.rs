//! Servers that somebody else started: what names them, what was found there, and a back end that runs tests on them.

mod back_end;
mod named;

pub use back_end::Foreign;
pub use named::{Attachment, flag, login_flag};

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::secret::Secret;
use crate::server::ServerKey;
use crate::topology::Topology;

/// Servers that somebody else started, as their system found them. Like a view, it crosses the daemon's socket and is never
/// written to a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// What is there: complete, so that it has a plan.
    pub topology: Topology,
    /// Where each server of that plan is reached: `host:port` by the name of a port.
    pub servers: BTreeMap<ServerKey, BTreeMap<String, String>>,
    /// The version they say.
    pub version: String,
    /// What they are shown as, if they are a stand-in for the product.
    pub stand_in: Option<String>,
    /// Who asks; `None`: nobody in particular.
    pub login: Option<Login>,
}

/// A user, and the password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// The password.
    #[serde(with = "crate::secret::on_the_wire")]
    pub password: Secret,
}

impl Attached {
    /// The port names of a server, and where they are reached.
    pub(crate) fn addresses(&self, server: &ServerKey) -> BTreeMap<String, String> {
        self.servers.get(server).cloned().unwrap_or_default()
    }
}

/// `http://host:port`, separated by commas.
impl fmt::Display for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers = self
            .servers
            .values()
            .filter_map(|ports| ports.values().next());
        let urls: Vec<String> = servers.map(|address| format!("http://{address}")).collect();
        f.write_str(&urls.join(", "))
    }
}

/// Why tests cannot run on servers that somebody else started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {says}\nhelp: {help}")]
pub struct AttachError {
    /// The address that was asked: `http://host:port`.
    pub at: String,
    /// What is wrong with what is there.
    pub says: String,
    /// What to do about it.
    pub help: String,
}

impl AttachError {
    /// What is wrong at an address, `host:port`.
    #[must_use]
    pub fn at(address: &str, says: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            at: format!("http://{address}"),
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
                "what listens there does not speak HTTP; if it speaks TLS, that is not supported yet".to_owned()
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
