//! What another client needs.

use std::collections::BTreeMap;

use armadillo_orchestrator::Secret;

/// Everything a client of another language or library needs to reach a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The servers for clients: `http://127.0.0.1:4711`.
    pub endpoints: Vec<String>,
    /// The database.
    pub database: String,
    /// The user's name.
    pub user: String,
    /// The user's password, for basic authentication.
    pub password: Secret,
    /// A token with the same rights or more, for `Authorization: bearer ...`.
    pub token: Secret,
}

impl Connection {
    /// The same as environment variables for a child process: `ARANGO_ENDPOINTS` (separated by commas), `ARANGO_DATABASE`,
    /// `ARANGO_USERNAME`, `ARANGO_PASSWORD` and `ARANGO_TOKEN`. The last two are secrets in the clear: hand the map to
    /// the process and show it nowhere.
    #[must_use]
    pub fn env(&self) -> BTreeMap<String, String> {
        [
            ("ARANGO_ENDPOINTS", self.endpoints.join(",")),
            ("ARANGO_DATABASE", self.database.clone()),
            ("ARANGO_USERNAME", self.user.clone()),
            ("ARANGO_PASSWORD", self.password.reveal().to_owned()),
            ("ARANGO_TOKEN", self.token.reveal().to_owned()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }
}
