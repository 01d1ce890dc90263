//! AQL queries, and the cursors that their results come by (documentation, "HTTP interfaces for AQL queries").

use std::collections::VecDeque;

use armadillo_orchestrator::Request;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::database::Database;
use super::error::{ArangoError, label};
use super::path::segment;

/// A query about to be sent; [`AqlQuery::all`] and [`AqlQuery::cursor`] do so.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before its results are asked for"]
pub struct AqlQuery {
    database: Database,
    text: String,
    parameters: Map<String, Value>,
    batch_size: Option<u32>,
    options: Map<String, Value>,
    unwritable: Option<String>,
}

impl AqlQuery {
    pub(super) fn new(database: Database, text: &str) -> Self {
        // The server keeps a batch until the next one is asked for, so that one whose answer was lost can be read again.
        let options = Map::from_iter([("allowRetry".to_owned(), Value::Bool(true))]);
        Self {
            database,
            text: text.to_owned(),
            parameters: Map::new(),
            batch_size: None,
            options,
            unwritable: None,
        }
    }

    /// Gives a parameter its value: `@name` in the text, or `@@name` (written `@name` here) for a collection.
    pub fn bind(mut self, name: &str, value: impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(value) => {
                self.parameters.insert(name.to_owned(), value);
            }
            Err(error) => self.unwritable = Some(format!("the parameter {name}: {error}")),
        }
        self
    }

    /// How many results come in one answer; if not said, the server decides.
    pub fn batch_size(mut self, results: u32) -> Self {
        self.batch_size = Some(results);
        self
    }

    /// Sets one of the attributes of `options`: `maxRuntime`, `profile`, `fullCount`.
    pub fn option(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.options.insert(name.to_owned(), value.into());
        self
    }

    /// Runs it and reads every result.
    ///
    /// # Errors
    /// Those of [`Self::cursor`] and [`Cursor::next_batch`].
    pub async fn all<T: DeserializeOwned>(self) -> Result<Vec<T>, ArangoError> {
        let mut cursor = self.cursor().await?;
        let mut all = Vec::new();
        while let Some(batch) = cursor.next_batch().await? {
            all.extend(batch);
        }
        Ok(all)
    }

    /// Runs it; the results come as they are asked for. A cursor that is not read to its end should be closed.
    ///
    /// # Errors
    /// HTTP 400 with a number from 1500 on for a query that makes no sense; HTTP 404, error 1203, for a collection that is
    /// not there. Whether a query that changes something took effect is unknown where
    /// [`ArangoError::outcome_unknown`] says so, and for HTTP 410: it was ended in the middle.
    pub async fn cursor<T: DeserializeOwned>(self) -> Result<Cursor<T>, ArangoError> {
        let request = Request::post(self.database.path("/_api/cursor"));
        if let Some(reason) = self.unwritable {
            let request = label(&request);
            return Err(ArangoError::Document { request, reason });
        }
        let mut body = json!({
            "query": self.text, "bindVars": self.parameters, "count": true, "options": self.options,
        });
        if let Some(size) = self.batch_size {
            body["batchSize"] = size.into();
        }
        let first: Batch<T> = self.database.client().call(request.json(&body)).await?;
        Ok(Cursor {
            database: self.database,
            count: first.count,
            extra: first.extra.clone().unwrap_or_default(),
            id: first.id.clone(),
            next: first.next.clone(),
            batches: VecDeque::from([first.result]),
            has_more: first.has_more,
        })
    }
}

/// The results of a query, batch by batch.
#[derive(Debug)]
pub struct Cursor<T> {
    database: Database,
    id: Option<String>,
    /// What the server calls the next batch.
    next: Option<String>,
    batches: VecDeque<Vec<T>>,
    has_more: bool,
    count: Option<u64>,
    extra: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Batch<T> {
    result: Vec<T>,
    #[serde(default)]
    has_more: bool,
    id: Option<String>,
    count: Option<u64>,
    extra: Option<Value>,
    #[serde(rename = "nextBatchId")]
    next: Option<String>,
}

impl<T: DeserializeOwned> Cursor<T> {
    /// How many results there are in all.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        self.count
    }

    /// What the server says beside the results: `stats`, `warnings`, `profile`.
    #[must_use]
    pub fn extra(&self) -> &Value {
        &self.extra
    }

    /// The next results; `None` after the last. If its answer is lost, the batch is asked for again, like anything that reads.
    ///
    /// # Errors
    /// HTTP 404, error 1600, if the cursor is gone: it expires 30 s after it was last used, and ends with its coordinator.
    pub async fn next_batch(&mut self) -> Result<Option<Vec<T>>, ArangoError> {
        if let Some(batch) = self.batches.pop_front() {
            return Ok(Some(batch));
        }
        let Some(path) = self.path().filter(|_| self.has_more) else {
            return Ok(None);
        };
        let path = match &self.next {
            Some(next) => format!("{path}/{}", segment(next)),
            None => path,
        };
        let batch: Batch<T> = self.database.client().call(Request::post(path)).await?;
        self.has_more = batch.has_more;
        self.next = batch.next;
        Ok(Some(batch.result))
    }

    /// Gives up the results that were not read.
    ///
    /// # Errors
    /// Those of any request. A cursor that is gone is closed.
    pub async fn close(self) -> Result<(), ArangoError> {
        let Some(path) = self.path().filter(|_| self.has_more) else {
            return Ok(());
        };
        match self.database.client().ask(Request::delete(path)).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    fn path(&self) -> Option<String> {
        let id = segment(self.id.as_deref()?);
        Some(self.database.path(&format!("/_api/cursor/{id}")))
    }
}
