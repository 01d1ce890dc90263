//! Users and their rights.

use armadillo_orchestrator::Secret;
use serde::Deserialize;
use serde_json::json;

use super::core::{ArangoClient, Listing, system};
use super::error::ArangoError;
use super::path::segment;

/// What a user may do in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Administrate it: read, write, create and drop collections.
    ReadWrite,
    /// Read it.
    ReadOnly,
    /// Nothing.
    None,
}

impl Grant {
    fn word(self) -> &'static str {
        match self {
            Self::ReadWrite => "rw",
            Self::ReadOnly => "ro",
            Self::None => "none",
        }
    }
}

/// A user as the server lists it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct User {
    /// The name.
    #[serde(rename = "user")]
    pub name: String,
    /// Whether the user may log in.
    pub active: bool,
}

impl ArangoClient {
    /// All users. Needs the right to administrate.
    ///
    /// # Errors
    /// Those of any request.
    pub async fn users(&self) -> Result<Vec<User>, ArangoError> {
        let users: Listing<User> = self.call(system("GET", "/_api/user")).await?;
        Ok(users.result)
    }

    /// Creates a user without any right. Needs the right to administrate.
    ///
    /// # Errors
    /// HTTP 409, error 1702, if there is one of that name.
    pub async fn create_user(&self, name: &str, password: &Secret) -> Result<(), ArangoError> {
        let body = json!({ "user": name, "passwd": password.reveal() });
        self.ask(system("POST", "/_api/user").json(&body))
            .await
            .map(drop)
    }

    /// Sets what a user may do in a database. Needs the right to administrate.
    ///
    /// # Errors
    /// HTTP 404, error 1703, if there is no such user.
    pub async fn grant(&self, user: &str, database: &str, grant: Grant) -> Result<(), ArangoError> {
        let path = format!(
            "/_api/user/{}/database/{}",
            segment(user),
            segment(database)
        );
        let body = json!({ "grant": grant.word() });
        self.ask(system("PUT", &path).json(&body)).await.map(drop)
    }

    /// Removes a user. Needs the right to administrate.
    ///
    /// # Errors
    /// HTTP 404, error 1703, if there is no such user.
    pub async fn remove_user(&self, name: &str) -> Result<(), ArangoError> {
        let path = format!("/_api/user/{}", segment(name));
        self.ask(system("DELETE", &path)).await.map(drop)
    }
}
