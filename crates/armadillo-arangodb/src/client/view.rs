//! Views over collections and their indexes (documentation, "HTTP interface for arangosearch Views" and "... for search-alias
//! Views").

use std::sync::Arc;

use armadillo_orchestrator::Request;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::core::Listing;
use super::database::Database;
use super::error::{ArangoError, label};
use super::path::segment;

/// A view that a database is to have.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct NewView(Map<String, Value>);

impl NewView {
    /// A view of type `arangosearch` with these links: what it indexes of each collection.
    /// `json!({"books": {"fields": {"title": {"analyzers": ["text_en"]}}}})`.
    #[must_use]
    pub fn arangosearch(links: impl Into<Value>) -> Self {
        Self::of_type("arangosearch").with("links", links)
    }

    /// A view of type `search-alias` over inverted indexes: the names of the collection and of its index.
    #[must_use]
    pub fn search_alias(indexes: &[(&str, &str)]) -> Self {
        let index = |&(collection, index): &(&str, &str)| json!({ "collection": collection, "index": index });
        let indexes: Vec<Value> = indexes.iter().map(index).collect();
        Self::of_type("search-alias").with("indexes", indexes)
    }

    fn of_type(kind: &str) -> Self {
        Self(Map::from_iter([("type".to_owned(), kind.into())]))
    }

    /// Any other attribute of its definition: `primarySort`, `storedValues`.
    #[must_use]
    pub fn with(mut self, attribute: &str, value: impl Into<Value>) -> Self {
        self.0.insert(attribute.to_owned(), value.into());
        self
    }
}

/// A view as the server describes it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ViewInfo {
    /// Its id, which never changes.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its type: `arangosearch`, `search-alias`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What else the server says of it: `links` or `indexes`, which are not part of a list of views.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A handle on a view. Clones are cheap.
#[derive(Clone, Debug)]
pub struct SearchView {
    database: Database,
    name: Arc<str>,
}

impl SearchView {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its whole definition.
    ///
    /// # Errors
    /// HTTP 404, error 1203, if it is not there.
    pub async fn properties(&self) -> Result<ViewInfo, ArangoError> {
        let request = Request::get(self.path("/properties"));
        self.database.client().call(request).await
    }

    /// Replaces all properties that can be changed; those left out get their default values.
    ///
    /// # Errors
    /// HTTP 404, error 1203, if it is not there, or a collection or an index is not; HTTP 400, error 10, for properties that
    /// make no sense.
    pub async fn replace(&self, properties: &impl Serialize) -> Result<ViewInfo, ArangoError> {
        self.change(Request::put(self.path("/properties")), properties)
            .await
    }

    /// Changes some properties. A link that is `null` is removed; an index of a `search-alias` is removed by an entry with
    /// `"operation": "del"`.
    ///
    /// # Errors
    /// Those of [`Self::replace`].
    pub async fn update(&self, properties: &impl Serialize) -> Result<ViewInfo, ArangoError> {
        self.change(Request::patch(self.path("/properties")), properties)
            .await
    }

    /// Gives it another name, and returns a handle on that. Single servers only.
    ///
    /// # Errors
    /// HTTP 501, error 1470, in a cluster; HTTP 404, error 1203, if it is not there; HTTP 409, error 1207, if the name is taken.
    pub async fn rename(&self, name: &str) -> Result<Self, ArangoError> {
        let request = Request::put(self.path("/rename")).json(&json!({ "name": name }));
        self.database.client().ask(request).await?;
        Ok(self.database.view(name))
    }

    /// Drops the view. Its collections and their inverted indexes stay.
    ///
    /// # Errors
    /// HTTP 404, error 1203, if it is not there.
    pub async fn drop(&self) -> Result<(), ArangoError> {
        let request = Request::delete(self.path(""));
        self.database.client().ask(request).await.map(drop)
    }

    async fn change(
        &self,
        request: Request,
        properties: &impl Serialize,
    ) -> Result<ViewInfo, ArangoError> {
        let body = serde_json::to_vec(properties).map_err(|error| ArangoError::Document {
            request: label(&request),
            reason: error.to_string(),
        })?;
        self.database.client().call(request.body(body)).await
    }

    fn path(&self, rest: &str) -> String {
        let name = segment(&self.name);
        self.database.path(&format!("/_api/view/{name}{rest}"))
    }
}

impl Database {
    /// Creates a view.
    ///
    /// # Errors
    /// HTTP 409, error 1207, if there is a view or a collection of that name; HTTP 404, error 1203, if a collection or an index
    /// is not there; HTTP 400, error 10, for a definition that makes no sense.
    pub async fn create_view(&self, name: &str, view: &NewView) -> Result<SearchView, ArangoError> {
        let view = view.clone().with("name", name);
        let request = Request::post(self.path("/_api/view")).json(&view);
        self.client().ask(request).await?;
        Ok(self.view(name))
    }

    /// A handle on the view `name`, whether it exists or not.
    #[must_use]
    pub fn view(&self, name: &str) -> SearchView {
        SearchView {
            database: self.clone(),
            name: name.into(),
        }
    }

    /// Its views.
    ///
    /// # Errors
    /// HTTP 404, error 1228, if the database is not there.
    pub async fn views(&self) -> Result<Vec<ViewInfo>, ArangoError> {
        let request = Request::get(self.path("/_api/view"));
        let all: Listing<ViewInfo> = self.client().call(request).await?;
        Ok(all.result)
    }
}
