//! A database.

use std::fmt;
use std::sync::Arc;

use armadillo_orchestrator::Request;
use serde::Deserialize;
use serde_json::Value;

use super::collection::Collection;
use super::collection_builder::CreateCollection;
use super::connection::Connection;
use super::core::{ArangoClient, Listing};
use super::error::ArangoError;
use super::path::in_database;
use super::query::AqlQuery;

/// A handle on a database, with the rights of the client it came from. Clones are cheap.
#[derive(Clone)]
pub struct Database {
    client: ArangoClient,
    name: Arc<str>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

impl Database {
    pub(crate) fn new(client: ArangoClient, name: &str) -> Self {
        Self {
            client,
            name: name.into(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The client it came from.
    #[must_use]
    pub fn client(&self) -> &ArangoClient {
        &self.client
    }

    /// What any other client needs to reach this database: endpoints, user, password, token.
    #[must_use]
    pub fn connection(&self) -> Connection {
        self.client.connection_to(&self.name)
    }

    /// Creates a collection once it is awaited: `db.create_collection("docs").shards(3).await?`.
    ///
    /// Awaiting it fails with HTTP 409, error 1207, if there is one of that name; with 400, error 1208, for a name that is
    /// not allowed.
    #[must_use = "nothing is created before it is awaited"]
    pub fn create_collection(&self, name: &str) -> CreateCollection {
        CreateCollection::new(self.clone(), name)
    }

    /// A handle on the collection `name`, whether it exists or not.
    #[must_use]
    pub fn collection(&self, name: &str) -> Collection {
        Collection::new(self.clone(), name)
    }

    /// A query in AQL, which is sent when its results are asked for: `db.query("RETURN @n").bind("n", 1).all().await?`.
    pub fn query(&self, text: &str) -> AqlQuery {
        AqlQuery::new(self.clone(), text)
    }

    /// The names of its collections, without the system's own.
    ///
    /// # Errors
    /// HTTP 404, error 1228, if the database is not there.
    pub async fn collections(&self) -> Result<Vec<String>, ArangoError> {
        let request = Request::get(self.path("/_api/collection?excludeSystem=true"));
        let all: Listing<Named> = self.client.call(request).await?;
        Ok(all.result.into_iter().map(|c| c.name).collect())
    }

    /// The ids of its stream transactions that are open now.
    ///
    /// # Errors
    /// HTTP 404, error 1228, if the database is not there.
    pub async fn open_transactions(&self) -> Result<Vec<String>, ArangoError> {
        #[derive(Deserialize)]
        struct Open {
            transactions: Vec<Transaction>,
        }
        #[derive(Deserialize)]
        struct Transaction {
            id: Value,
        }
        let request = Request::get(self.path("/_api/transaction"));
        let open: Open = self.client.call(request).await?;
        let text = |id: Value| match id {
            Value::String(id) => id,
            other => other.to_string(),
        };
        Ok(open.transactions.into_iter().map(|t| text(t.id)).collect())
    }

    /// `/_db/NAME` and `rest`: for [`ArangoClient::request`].
    #[must_use]
    pub fn path(&self, rest: &str) -> String {
        in_database(&self.name, rest)
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("name", &self.name)
            .field("client", &self.client)
            .finish()
    }
}
