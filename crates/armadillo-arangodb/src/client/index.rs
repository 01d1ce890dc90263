//! Indexes of a collection (documentation, "HTTP interface for indexes").

use armadillo_orchestrator::Request;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::collection::Collection;
use super::error::ArangoError;
use super::path::segment;

/// An index that a collection is to have.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct NewIndex(Map<String, Value>);

impl NewIndex {
    /// An index of this type on these attributes: `geo`, `inverted`, `mdi`.
    #[must_use]
    pub fn of_type(kind: &str, fields: &[&str]) -> Self {
        let attributes = [
            ("type".to_owned(), kind.into()),
            ("fields".to_owned(), fields.into()),
        ];
        Self(Map::from_iter(attributes))
    }

    /// A persistent index: the usual one.
    #[must_use]
    pub fn persistent(fields: &[&str]) -> Self {
        Self::of_type("persistent", fields)
    }

    /// An index that removes documents this many seconds after the time in `field`.
    #[must_use]
    pub fn ttl(field: &str, seconds: u32) -> Self {
        Self::of_type("ttl", &[field]).with("expireAfter", seconds)
    }

    /// No two documents may have the same values.
    #[must_use]
    pub fn unique(self) -> Self {
        self.with("unique", true)
    }

    /// Documents without the attributes are left out.
    #[must_use]
    pub fn sparse(self) -> Self {
        self.with("sparse", true)
    }

    /// Its name; if not said, the server makes one.
    #[must_use]
    pub fn name(self, name: &str) -> Self {
        self.with("name", name)
    }

    /// Any other attribute of its definition.
    #[must_use]
    pub fn with(mut self, attribute: &str, value: impl Into<Value>) -> Self {
        self.0.insert(attribute.to_owned(), value.into());
        self
    }
}

/// An index as the server describes it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// `collection/number`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its type: `primary`, `edge`, `persistent`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The attributes it is on: names, or objects for some types.
    #[serde(default)]
    pub fields: Vec<Value>,
    /// Whether no two documents may have the same values.
    #[serde(default)]
    pub unique: bool,
    /// Whether documents without the attributes are left out.
    #[serde(default)]
    pub sparse: bool,
    /// Whether it was made just now, and was not there before. Said only when it is asked for.
    #[serde(default)]
    pub is_newly_created: Option<bool>,
    /// What else the server says of it.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Collection {
    /// Makes an index, unless there is one like it.
    ///
    /// # Errors
    /// HTTP 409, error 1210, if documents that are there are not unique; HTTP 400 for a definition that makes no sense.
    pub async fn ensure_index(&self, index: &NewIndex) -> Result<Index, ArangoError> {
        let request = Request::post(self.indexes_path()).json(index);
        self.database().client().call(request).await
    }

    /// Its indexes, the primary one first.
    ///
    /// # Errors
    /// HTTP 404, error 1203, if the collection is not there.
    pub async fn indexes(&self) -> Result<Vec<Index>, ArangoError> {
        #[derive(Deserialize)]
        struct Indexes {
            indexes: Vec<Index>,
        }
        let request = Request::get(self.indexes_path());
        let all: Indexes = self.database().client().call(request).await?;
        Ok(all.indexes)
    }

    /// Drops an index of this collection by its name, or by the number in its id.
    ///
    /// # Errors
    /// HTTP 404, error 1212, if there is none.
    pub async fn drop_index(&self, index: &str) -> Result<(), ArangoError> {
        let index = index.rsplit('/').next().unwrap_or(index);
        let path = format!("/_api/index/{}/{}", segment(self.name()), segment(index));
        let request = Request::delete(self.database().path(&path));
        self.database().client().ask(request).await.map(drop)
    }

    fn indexes_path(&self) -> String {
        let path = format!("/_api/index?collection={}", segment(self.name()));
        self.database().path(&path)
    }
}

/// What became of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Imported {
    /// Documents that were made.
    pub created: u64,
    /// Documents that were refused; [`Self::details`] says why.
    pub errors: u64,
    /// Lines without a document.
    pub empty: u64,
    /// Documents that replaced or changed others.
    pub updated: u64,
    /// Documents that were there and left as they were.
    pub ignored: u64,
    /// Why documents were refused.
    #[serde(default)]
    pub details: Vec<String>,
}

/// What to do with a document whose key is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDuplicate {
    /// It counts as refused.
    Error,
    /// The one that is there gets its attributes.
    Update,
    /// It takes the place of the one that is there.
    Replace,
    /// It is left out.
    Ignore,
}

impl Collection {
    /// Imports documents in one request (documentation, "HTTP interface for importing data"). Each is imported or refused by
    /// itself.
    ///
    /// # Errors
    /// When the request as a whole failed. If its outcome is unknown, any part of the documents may be there.
    pub async fn import<T: Serialize>(
        &self,
        documents: &[T],
        on_duplicate: OnDuplicate,
    ) -> Result<Imported, ArangoError> {
        let word = match on_duplicate {
            OnDuplicate::Error => "error",
            OnDuplicate::Update => "update",
            OnDuplicate::Replace => "replace",
            OnDuplicate::Ignore => "ignore",
        };
        let path = format!(
            "/_api/import?collection={}&type=list&details=true&onDuplicate={word}",
            segment(self.name())
        );
        let request = Request::post(self.database().path(&path));
        let body = serde_json::to_vec(documents).map_err(|error| ArangoError::Document {
            request: super::error::label(&request),
            reason: error.to_string(),
        })?;
        self.database().client().call(request.body(body)).await
    }
}

/// In which direction an edge touches a vertex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It ends there.
    In,
    /// It begins there.
    Out,
    /// Either.
    Any,
}

impl Collection {
    /// The edges of this collection that touch a vertex: `people/alice`.
    ///
    /// # Errors
    /// HTTP 404, error 1203, if the collection is not there; HTTP 400 if it is not one of edges.
    pub async fn edges<T: serde::de::DeserializeOwned>(
        &self,
        vertex: &str,
        direction: Direction,
    ) -> Result<Vec<T>, ArangoError> {
        #[derive(Deserialize)]
        struct Edges<T> {
            edges: Vec<T>,
        }
        let word = match direction {
            Direction::In => "in",
            Direction::Out => "out",
            Direction::Any => "any",
        };
        let path = format!(
            "/_api/edges/{}?vertex={}&direction={word}",
            segment(self.name()),
            segment(vertex)
        );
        let request = Request::get(self.database().path(&path));
        let found: Edges<T> = self.database().client().call(request).await?;
        Ok(found.edges)
    }

    /// Inserts an edge between two vertices, with more attributes.
    ///
    /// # Errors
    /// Those of any request; [`ArangoError::Document`] if the attributes are no object.
    pub async fn insert_edge(
        &self,
        from: &str,
        to: &str,
        attributes: &impl Serialize,
    ) -> Result<super::DocumentMeta, ArangoError> {
        self.insert(&edge(from, to, attributes)?).await
    }
}

/// The document of an edge.
pub(super) fn edge(
    from: &str,
    to: &str,
    attributes: &impl Serialize,
) -> Result<Value, ArangoError> {
    let unwritable = |reason: String| ArangoError::Document {
        request: format!("an edge from {from} to {to}"),
        reason,
    };
    let attributes = serde_json::to_value(attributes);
    let mut edge = match attributes.map_err(|error| unwritable(error.to_string()))? {
        Value::Object(attributes) => Value::Object(attributes),
        Value::Null => json!({}),
        _ => return Err(unwritable("its attributes are no object".to_owned())),
    };
    edge["_from"] = from.into();
    edge["_to"] = to.into();
    Ok(edge)
}
