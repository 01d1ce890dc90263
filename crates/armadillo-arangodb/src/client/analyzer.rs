//! Analyzers, which views and inverted indexes use (documentation, "HTTP interface for Analyzers").

use armadillo_orchestrator::Request;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::core::Listing;
use super::database::Database;
use super::error::ArangoError;
use super::path::segment;

/// The number of "document not found": analyzers are documents.
const ANALYZER_NOT_FOUND: u32 = 1202;

/// An analyzer: as it is to be, or as the server describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Analyzer {
    /// Its name. The server puts the database before it, `db::name`, unless it is built in.
    pub name: String,
    /// Its type: `identity`, `text`, `ngram`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What its type can be told: `locale`, `case`.
    pub properties: Value,
    /// What the indexes store of each value: `frequency`, `norm`, `position`, `offset`.
    #[serde(default)]
    pub features: Vec<String>,
}

impl Analyzer {
    /// An analyzer of this type: `Analyzer::new("en", "text", json!({"locale": "en"}))`.
    #[must_use]
    pub fn new(name: &str, kind: &str, properties: Value) -> Self {
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            properties,
            features: Vec::new(),
        }
    }

    /// The same, with these features.
    #[must_use]
    pub fn features(self, features: &[&str]) -> Self {
        Self {
            features: features.iter().map(|&name| name.to_owned()).collect(),
            ..self
        }
    }

    /// Its name without the database's.
    #[must_use]
    pub fn short_name(&self) -> &str {
        self.name
            .rsplit_once("::")
            .map_or(&self.name, |(_, name)| name)
    }

    /// Whether every server has it.
    #[must_use]
    pub fn is_built_in(&self) -> bool {
        !self.name.contains("::")
    }
}

impl Database {
    /// Creates an analyzer, unless there is an equal one, and returns it as the server describes it.
    ///
    /// # Errors
    /// HTTP 400, error 10, if there is another one of that name, or the definition makes no sense.
    pub async fn create_analyzer(&self, analyzer: &Analyzer) -> Result<Analyzer, ArangoError> {
        let request = Request::post(self.path("/_api/analyzer")).json(analyzer);
        self.client().call(request).await
    }

    /// Reads an analyzer; `None` if there is none of that name.
    ///
    /// # Errors
    /// HTTP 403, error 11, for the name of an analyzer of a database other than this one and `_system`.
    pub async fn analyzer(&self, name: &str) -> Result<Option<Analyzer>, ArangoError> {
        let request = Request::get(self.analyzer_path(name));
        match self.client().call(request).await {
            Ok(analyzer) => Ok(Some(analyzer)),
            Err(error) if error.number() == Some(ANALYZER_NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The analyzers that can be used here: its own, those of `_system`, and the built-in ones.
    ///
    /// # Errors
    /// HTTP 404, error 1228, if the database is not there.
    pub async fn analyzers(&self) -> Result<Vec<Analyzer>, ArangoError> {
        let request = Request::get(self.path("/_api/analyzer"));
        let all: Listing<Analyzer> = self.client().call(request).await?;
        Ok(all.result)
    }

    /// Drops an analyzer of this database, also one in use if `force` says so.
    ///
    /// # Errors
    /// HTTP 404, error 1202, if there is none of that name; HTTP 409, error 1200, if a view or an index uses it.
    pub async fn drop_analyzer(&self, name: &str, force: bool) -> Result<(), ArangoError> {
        let path = format!("{}?force={force}", self.analyzer_path(name));
        self.client().ask(Request::delete(path)).await.map(drop)
    }

    fn analyzer_path(&self, name: &str) -> String {
        self.path(&format!("/_api/analyzer/{}", segment(name)))
    }
}
