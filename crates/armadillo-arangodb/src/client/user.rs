//! Users and their rights.

use std::time::Duration;

use armadillo_orchestrator::{Poll, Secret};
use serde::Deserialize;
use serde_json::json;

use super::core::{ArangoClient, Listing, system};
use super::error::ArangoError;
use super::path::segment;

/// How long a coordinator may take to learn what another was told of a user.
const GRANT_LIMIT: Duration = Duration::from_secs(5);

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

    /// Waits until the server knows this right of a user, for at most five seconds. A server that cannot be reached is not
    /// waited for.
    pub(crate) async fn wait_for_grant(
        &self,
        user: &str,
        database: &str,
        grant: Grant,
    ) -> Result<(), ArangoError> {
        #[derive(Deserialize)]
        struct Right {
            result: String,
        }
        let path = format!(
            "/_api/user/{}/database/{}",
            segment(user),
            segment(database)
        );
        let deadline = self.wait_end().within(GRANT_LIMIT);
        let mut poll = Poll::new(Duration::from_millis(10), Duration::from_millis(200));
        loop {
            let known: Result<Right, _> = self.call(system("GET", &path)).await;
            let last = match known {
                Ok(right) if right.result == grant.word() => return Ok(()),
                Ok(right) => format!("{user} has {} on {database}", right.result),
                Err(ArangoError::Transport(_)) => return Ok(()),
                Err(error) => error.to_string(),
            };
            if deadline.passed() {
                return Err(ArangoError::Answer {
                    request: format!("GET {path}"),
                    status: 200,
                    reason: format!("not {} within {GRANT_LIMIT:?}: {last}", grant.word()),
                });
            }
            poll.pause(deadline).await;
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{answer, run};

    #[test]
    fn a_grant_is_waited_for() {
        let known = |word: &str| answer(200, &json!({ "result": word }).to_string());
        let stranger =
            r#"{"error":true,"code":404,"errorNum":1703,"errorMessage":"user not found"}"#;
        let answers = vec![answer(404, stranger), known("none"), known("ro")];
        let (waited, seen) = run(answers, async |view| {
            let client = ArangoClient::superuser(&view);
            client.wait_for_grant("u", "a b", Grant::ReadOnly).await
        });
        waited.unwrap();
        assert_eq!(seen[0].line, "GET /_db/_system/_api/user/u/database/a%20b");
    }

    #[test]
    fn who_cannot_be_reached_is_not_waited_for() {
        let (waited, _) = run(vec![], async |view| {
            let client = ArangoClient::superuser(&view);
            client.wait_for_grant("u", "db", Grant::ReadOnly).await
        });
        waited.unwrap();
    }
}
