//! A collection and its documents.

use std::sync::Arc;

use armadillo_orchestrator::Request;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::batch::{Entry, Refusal};
use super::database::Database;
use super::document::{DocumentMeta, WriteDocument};
use super::error::{ArangoError, label};
use super::path::segment;

/// The number of "document not found".
const DOCUMENT_NOT_FOUND: u32 = 1202;

/// A handle on a collection. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Collection {
    database: Database,
    name: Arc<str>,
}

impl Collection {
    pub(super) fn new(database: Database, name: &str) -> Self {
        Self {
            database,
            name: name.into(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The database it is in.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Inserts a document once it is awaited. It may carry its own `_key`; if that is taken: HTTP 409, error 1210.
    pub fn insert(&self, document: &(impl Serialize + ?Sized)) -> WriteDocument {
        self.write(Request::post(self.documents()), document)
    }

    /// Inserts a document once it is awaited, or replaces the one that has its `_key`.
    pub fn insert_or_replace(&self, document: &(impl Serialize + ?Sized)) -> WriteDocument {
        let path = format!("{}?overwriteMode=replace", self.documents());
        self.write(Request::post(path), document)
    }

    /// Replaces a document once it is awaited. If it is not there: HTTP 404, error 1202.
    pub fn replace(&self, key: &str, document: &(impl Serialize + ?Sized)) -> WriteDocument {
        self.write(Request::put(self.document(key)), document)
    }

    /// Changes attributes of a document once it is awaited. If it is not there: HTTP 404, error 1202.
    pub fn update(&self, key: &str, changes: &(impl Serialize + ?Sized)) -> WriteDocument {
        self.write(Request::patch(self.document(key)), changes)
    }

    /// Removes a document once it is awaited. If it is not there: HTTP 404, error 1202.
    pub fn remove(&self, key: &str) -> WriteDocument {
        WriteDocument::new(
            self.database.client().clone(),
            Request::delete(self.document(key)),
        )
    }

    /// Inserts documents in one request. Each succeeds or fails by itself; the answers are in the documents' order.
    ///
    /// # Errors
    /// When the request as a whole failed.
    pub async fn insert_many<T: Serialize>(
        &self,
        documents: &[T],
    ) -> Result<Vec<Result<DocumentMeta, Refusal>>, ArangoError> {
        let request = Request::post(self.documents());
        let body = serde_json::to_vec(documents).map_err(|error| ArangoError::Document {
            request: label(&request),
            reason: error.to_string(),
        })?;
        let entries: Vec<Entry<DocumentMeta>> =
            self.database.client().call(request.body(body)).await?;
        Ok(entries.into_iter().map(|entry| entry.0).collect())
    }

    /// Reads a document; `None` if there is none of that key.
    ///
    /// # Errors
    /// HTTP 404, error 1203, if the collection is not there; [`ArangoError::Answer`] if the document is not a `T`.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, ArangoError> {
        let request = Request::get(self.document(key));
        match self.database.client().call(request).await {
            Ok(document) => Ok(Some(document)),
            Err(error) if error.number() == Some(DOCUMENT_NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads documents in one request, in the order of the keys (documentation, "Get multiple documents"); `None` where there is
    /// none of that key.
    ///
    /// # Errors
    /// When the request as a whole failed.
    pub async fn get_many<T: DeserializeOwned>(
        &self,
        keys: &[impl AsRef<str>],
    ) -> Result<Vec<Result<Option<T>, Refusal>>, ArangoError> {
        let path = format!("{}?onlyget=true", self.documents());
        let keys: Vec<&str> = keys.iter().map(AsRef::as_ref).collect();
        let request = Request::put(path).json(&keys);
        let entries: Vec<Entry<T>> = self.database.client().call(request).await?;
        let read = |entry: Entry<T>| match entry.0 {
            Ok(document) => Ok(Some(document)),
            Err(refusal) if refusal.number == DOCUMENT_NOT_FOUND => Ok(None),
            Err(refusal) => Err(refusal),
        };
        Ok(entries.into_iter().map(read).collect())
    }

    /// The number of documents.
    ///
    /// # Errors
    /// HTTP 404, error 1203, if the collection is not there.
    pub async fn count(&self) -> Result<u64, ArangoError> {
        #[derive(Deserialize)]
        struct Count {
            count: u64,
        }
        let request = Request::get(self.path("/count"));
        let answer: Count = self.database.client().call(request).await?;
        Ok(answer.count)
    }

    /// Removes all documents.
    ///
    /// # Errors
    /// HTTP 404, error 1203, if the collection is not there.
    pub async fn truncate(&self) -> Result<(), ArangoError> {
        let request = Request::put(self.path("/truncate"));
        self.database.client().ask(request).await.map(drop)
    }

    /// Drops the collection. Other handles on it then meet error 1203.
    ///
    /// # Errors
    /// HTTP 404, error 1203, if it is not there.
    pub async fn drop(&self) -> Result<(), ArangoError> {
        let request = Request::delete(self.path(""));
        self.database.client().ask(request).await.map(drop)
    }

    fn write(&self, request: Request, document: &(impl Serialize + ?Sized)) -> WriteDocument {
        WriteDocument::with(self.database.client().clone(), request, document)
    }

    fn path(&self, rest: &str) -> String {
        let name = segment(&self.name);
        self.database
            .path(&format!("/_api/collection/{name}{rest}"))
    }

    fn documents(&self) -> String {
        let name = segment(&self.name);
        self.database.path(&format!("/_api/document/{name}"))
    }

    fn document(&self, key: &str) -> String {
        format!("{}/{}", self.documents(), segment(key))
    }
}
