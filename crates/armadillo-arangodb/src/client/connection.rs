//! What another client needs.

use std::collections::BTreeMap;

use armadillo_orchestrator::{ClientTls, Secret};

/// Everything a client of another language or library needs to reach a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The servers for clients: `http://127.0.0.1:4711`, or `https://` with TLS.
    pub endpoints: Vec<String>,
    /// The database.
    pub database: String,
    /// The user's name.
    pub user: String,
    /// The user's password, for basic authentication.
    pub password: Secret,
    /// A token with the same rights or more, for `Authorization: bearer ...`.
    pub token: Secret,
    /// The authority to trust; `None` if the servers do not speak TLS.
    pub tls: Option<ClientTls>,
}

impl Connection {
    /// The same as environment variables for a child process: `ARANGO_ENDPOINTS` (separated by commas), `ARANGO_DATABASE`,
    /// `ARANGO_USERNAME`, `ARANGO_PASSWORD` and `ARANGO_TOKEN`; with TLS also `ARMADILLO_ARANGODB_CA`, the path of a file with the authority's
    /// certificate. Password and token are secrets in the clear: hand the map to
    /// the process and show it nowhere.
    #[must_use]
    pub fn env(&self) -> BTreeMap<String, String> {
        let authority = self.tls.as_ref().map(|tls| {
            let path = tls.authority_file.display().to_string();
            ("ARMADILLO_ARANGODB_CA", path)
        });
        [
            ("ARANGO_ENDPOINTS", self.endpoints.join(",")),
            ("ARANGO_DATABASE", self.database.clone()),
            ("ARANGO_USERNAME", self.user.clone()),
            ("ARANGO_PASSWORD", self.password.reveal().to_owned()),
            ("ARANGO_TOKEN", self.token.reveal().to_owned()),
        ]
        .into_iter()
        .chain(authority)
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    /// The names of these variables.
    pub(crate) fn variables(tls: bool) -> Vec<&'static str> {
        let mut names = vec![
            "ARANGO_ENDPOINTS",
            "ARANGO_DATABASE",
            "ARANGO_USERNAME",
            "ARANGO_PASSWORD",
            "ARANGO_TOKEN",
        ];
        if tls {
            names.push("ARMADILLO_ARANGODB_CA");
        }
        names
    }
}
