//! Users and their rights.

use std::fmt;
use std::time::Duration;

use armadillo_orchestrator::{Poll, Request, Secret};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::collection::Collection;
use super::core::{ArangoClient, Listing, system};
use super::error::ArangoError;
use super::path::segment;

/// How long a coordinator may take to learn what another was told of a user.
const GRANT_LIMIT: Duration = Duration::from_secs(5);

/// What a right is on: a database, or a collection in one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    database: String,
    collection: Option<String>,
}

impl Target {
    pub(crate) fn database(name: &str) -> Self {
        Self {
            database: name.to_owned(),
            collection: None,
        }
    }

    pub(crate) fn collection(collection: &Collection) -> Self {
        Self {
            database: collection.database().name().to_owned(),
            collection: Some(collection.name().to_owned()),
        }
    }

    /// The path of a user's right on it.
    fn path(&self, user: &str) -> String {
        let (user, database) = (segment(user), segment(&self.database));
        let path = format!("/_api/user/{user}/database/{database}");
        match &self.collection {
            None => path,
            Some(collection) => format!("{path}/{}", segment(collection)),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.collection {
            None => f.write_str(&self.database),
            Some(collection) => write!(f, "{}/{collection}", self.database),
        }
    }
}

/// What a user may do in a database or a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Read and write it; in a database, create and drop collections, too.
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

/// What a server answers to who logs in.
#[derive(Deserialize)]
struct MadeToken {
    jwt: String,
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
        self.grant_on(user, &Target::database(database), grant)
            .await
    }

    pub(crate) async fn grant_on(
        &self,
        user: &str,
        target: &Target,
        grant: Grant,
    ) -> Result<(), ArangoError> {
        let body = json!({ "grant": grant.word() });
        let request = system("PUT", &target.path(user)).json(&body);
        self.ask(request).await.map(drop)
    }

    /// Waits until the server knows this right of a user, for at most five seconds. A server that cannot be reached is not
    /// waited for.
    pub(crate) async fn wait_for_grant(
        &self,
        user: &str,
        target: &Target,
        grant: Grant,
    ) -> Result<(), ArangoError> {
        #[derive(Deserialize)]
        struct Right {
            result: String,
        }
        let path = target.path(user);
        let wanted = format!("{} on {target} for {user}", grant.word());
        self.wait_until_known(&path, &wanted, |known: Result<Right, _>| match known {
            Ok(right) if right.result == grant.word() => Ok(()),
            Ok(right) => Err(format!("it is {}", right.result)),
            Err(error) => Err(error.to_string()),
        })
        .await
    }

    /// Waits in the same way until the server knows that a user may log in or not, or that there is none.
    pub(crate) async fn wait_for_user(
        &self,
        user: &str,
        active: Option<bool>,
    ) -> Result<(), ArangoError> {
        let path = format!("/_api/user/{}", segment(user));
        let wanted = match active {
            Some(true) => format!("{user} may log in"),
            Some(false) => format!("{user} may not log in"),
            None => format!("{user} is gone"),
        };
        self.wait_until_known(&path, &wanted, |known: Result<User, _>| match known {
            Ok(user) if Some(user.active) == active => Ok(()),
            Err(error) if active.is_none() && error.is_not_found() => Ok(()),
            Ok(user) => Err(format!("active is {}", user.active)),
            Err(error) => Err(error.to_string()),
        })
        .await
    }

    async fn wait_until_known<T: DeserializeOwned>(
        &self,
        path: &str,
        wanted: &str,
        look: impl Fn(Result<T, ArangoError>) -> Result<(), String>,
    ) -> Result<(), ArangoError> {
        let deadline = self.wait_end().within(GRANT_LIMIT);
        let mut poll = Poll::new(Duration::from_millis(10), Duration::from_millis(200));
        loop {
            let last = match self.call(system("GET", path)).await {
                Err(ArangoError::Transport(_)) => return Ok(()),
                known => match look(known) {
                    Ok(()) => return Ok(()),
                    Err(last) => last,
                },
            };
            if deadline.passed() {
                return Err(ArangoError::Answer {
                    request: format!("GET {path}"),
                    status: 200,
                    reason: format!("not {wanted} within {GRANT_LIMIT:?}: {last}"),
                });
            }
            poll.pause(deadline).await;
        }
    }

    /// Whether a user may log in with the password. Needs the right to administrate.
    pub(crate) async fn set_active(&self, name: &str, active: bool) -> Result<(), ArangoError> {
        let path = format!("/_api/user/{}", segment(name));
        let body = json!({ "active": active });
        self.ask(system("PATCH", &path).json(&body)).await.map(drop)
    }

    /// A token that the server makes for a name and a password.
    pub(crate) async fn log_in(
        &self,
        user: &str,
        password: &Secret,
    ) -> Result<Secret, ArangoError> {
        let body = json!({ "username": user, "password": password.reveal() });
        let made: MadeToken = self.call(Request::post("/_open/auth").json(&body)).await?;
        Ok(Secret::new(made.jwt))
    }

    /// Another token for the user whose token this client shows.
    pub(crate) async fn renew_token(&self) -> Result<Secret, ArangoError> {
        let made: MadeToken = self.call(Request::post("/_open/auth/renew")).await?;
        Ok(Secret::new(made.jwt))
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
            let target = Target::database("a b");
            client.wait_for_grant("u", &target, Grant::ReadOnly).await
        });
        waited.unwrap();
        assert_eq!(seen[0].line, "GET /_db/_system/_api/user/u/database/a%20b");
    }

    #[test]
    fn what_becomes_of_a_user_is_waited_for() {
        let user = |active| {
            let user = json!({ "user": "u", "active": active });
            answer(200, &user.to_string())
        };
        let stranger =
            r#"{"error":true,"code":404,"errorNum":1703,"errorMessage":"user not found"}"#;
        let answers = vec![user(true), user(false), user(false), answer(404, stranger)];
        let (waited, seen) = run(answers, async |view| {
            let client = ArangoClient::superuser(&view);
            client.wait_for_user("u", Some(false)).await?;
            client.wait_for_user("u", None).await
        });
        waited.unwrap();
        assert_eq!(seen.len(), 4);
        let docs = Target {
            database: "a b".to_owned(),
            collection: Some("c".to_owned()),
        };
        assert_eq!(docs.path("u"), "/_api/user/u/database/a%20b/c");
        assert_eq!(docs.to_string(), "a b/c");
    }

    #[test]
    fn who_cannot_be_reached_is_not_waited_for() {
        let (waited, _) = run(vec![], async |view| {
            let client = ArangoClient::superuser(&view);
            let target = Target::database("db");
            client.wait_for_grant("u", &target, Grant::ReadOnly).await
        });
        waited.unwrap();
    }
}
