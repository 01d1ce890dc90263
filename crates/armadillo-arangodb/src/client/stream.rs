//! Stream transactions (documentation, "HTTP interface for stream transactions").

use std::fmt;

use armadillo_orchestrator::Request;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::database::Database;
use super::error::ArangoError;
use super::path::segment;

/// The collections of a transaction, each once, for the most that is done with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Locks {
    /// Those that are read.
    pub read: Vec<String>,
    /// Those that are written, by others meanwhile, too.
    pub write: Vec<String>,
    /// Those that nobody else writes meanwhile.
    pub exclusive: Vec<String>,
}

impl Locks {
    /// Writes to these.
    #[must_use]
    pub fn write(collections: &[&str]) -> Self {
        Self {
            write: collections.iter().map(|&name| name.to_owned()).collect(),
            ..Self::default()
        }
    }

    /// Only reads these.
    #[must_use]
    pub fn read(collections: &[&str]) -> Self {
        Self {
            read: collections.iter().map(|&name| name.to_owned()).collect(),
            ..Self::default()
        }
    }
}

/// How a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransactionState {
    /// It is open.
    Running,
    /// It took effect.
    Committed,
    /// It had no effect.
    Aborted,
}

/// An open transaction. Handles that come from [`StreamTransaction::database`] read and write in it. The server aborts one that
/// is neither committed nor aborted for a minute; a checker finds it before that.
#[derive(Clone)]
#[must_use = "it stays open until it is committed or aborted"]
pub struct StreamTransaction {
    id: String,
    /// Whose requests are part of it.
    inside: Database,
    outside: Database,
}

#[derive(Deserialize)]
struct Answer {
    result: Known,
}

#[derive(Deserialize)]
struct Known {
    id: String,
    status: TransactionState,
}

impl StreamTransaction {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The database; what is done with this handle, and with collections, queries and documents that come from it, is part of
    /// the transaction.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.inside
    }

    /// How it is.
    ///
    /// # Errors
    /// HTTP 404, error 1655, if the server does not know it any more.
    pub async fn state(&self) -> Result<TransactionState, ArangoError> {
        self.ask(Request::get(self.path())).await
    }

    /// Makes everything in it take effect. It may be committed again: that says what became of it, so a commit whose answer
    /// is lost is not unknown for long.
    ///
    /// # Errors
    /// HTTP 404, error 1655, if the server does not know it; error 1653 if it was aborted. After an error that
    /// says [`ArangoError::outcome_unknown`], it may have taken effect: ask for its state, or commit again.
    pub async fn commit(&self) -> Result<(), ArangoError> {
        self.ask(Request::put(self.path())).await.map(drop)
    }

    /// Undoes everything in it.
    ///
    /// # Errors
    /// HTTP 404, error 1655, if the server does not know it; an error if it was committed.
    pub async fn abort(&self) -> Result<(), ArangoError> {
        self.ask(Request::delete(self.path())).await.map(drop)
    }

    async fn ask(&self, request: Request) -> Result<TransactionState, ArangoError> {
        let answer: Answer = self.outside.client().call(request).await?;
        Ok(answer.result.status)
    }

    fn path(&self) -> String {
        let id = segment(&self.id);
        self.outside.path(&format!("/_api/transaction/{id}"))
    }
}

impl fmt::Debug for StreamTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamTransaction")
            .field("id", &self.id)
            .field("database", &self.outside.name())
            .finish_non_exhaustive()
    }
}

impl Database {
    /// Begins a transaction on these collections.
    ///
    /// # Errors
    /// HTTP 404, error 1203, if one is not there.
    pub async fn begin(&self, locks: &Locks) -> Result<StreamTransaction, ArangoError> {
        let body = json!({ "collections": locks });
        let request = Request::post(self.path("/_api/transaction/begin")).json(&body);
        let answer: Answer = self.client().call(request).await?;
        let inside = self.client().in_transaction(&answer.result.id);
        Ok(StreamTransaction {
            id: answer.result.id,
            inside: inside.database(self.name()),
            outside: self.clone(),
        })
    }
}
