//! Named graphs (documentation, "HTTP interface for named graphs").

use armadillo_orchestrator::Request;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::database::Database;
use super::document::DocumentMeta;
use super::error::{ArangoError, label};
use super::index::edge;
use super::path::segment;

/// Which collection of edges goes from which collections of vertices to which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeDefinition {
    /// The collection of edges.
    pub collection: String,
    /// The collections that they begin in.
    pub from: Vec<String>,
    /// The collections that they end in.
    pub to: Vec<String>,
}

impl EdgeDefinition {
    /// From collections to collections.
    #[must_use]
    pub fn new(collection: &str, from: &[&str], to: &[&str]) -> Self {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            collection: collection.to_owned(),
            from: owned(from),
            to: owned(to),
        }
    }
}

/// A handle on a named graph. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Graph {
    database: Database,
    name: String,
}

impl Graph {
    pub(super) fn new(database: Database, name: &str) -> Self {
        Self {
            database,
            name: name.to_owned(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Inserts a vertex into one of its collections.
    ///
    /// # Errors
    /// HTTP 404 if the collection is not one of the graph's.
    pub async fn insert_vertex(
        &self,
        collection: &str,
        vertex: &impl Serialize,
    ) -> Result<DocumentMeta, ArangoError> {
        #[derive(Deserialize)]
        struct Made {
            vertex: DocumentMeta,
        }
        let request = Request::post(self.path(&format!("/vertex/{}", segment(collection))));
        let body = serde_json::to_vec(vertex).map_err(|error| ArangoError::Document {
            request: label(&request),
            reason: error.to_string(),
        })?;
        let made: Made = self.database.client().call(request.body(body)).await?;
        Ok(made.vertex)
    }

    /// Reads a vertex; `None` if there is none of that key.
    ///
    /// # Errors
    /// HTTP 404 if the collection is not one of the graph's.
    pub async fn vertex<T: DeserializeOwned>(
        &self,
        collection: &str,
        key: &str,
    ) -> Result<Option<T>, ArangoError> {
        #[derive(Deserialize)]
        struct Found<T> {
            vertex: T,
        }
        let path = format!("/vertex/{}/{}", segment(collection), segment(key));
        let found = self.database.client().call(Request::get(self.path(&path)));
        let found: Result<Found<T>, _> = found.await;
        match found {
            Ok(found) => Ok(Some(found.vertex)),
            Err(error) if error.number() == Some(1202) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Inserts an edge between two vertices, which must be there: `people/alice`.
    ///
    /// # Errors
    /// HTTP 404 if one is not there; HTTP 400, error 1906, if the graph has no such edges.
    pub async fn insert_edge(
        &self,
        collection: &str,
        from: &str,
        to: &str,
        attributes: &impl Serialize,
    ) -> Result<DocumentMeta, ArangoError> {
        #[derive(Deserialize)]
        struct Made {
            edge: DocumentMeta,
        }
        let path = self.path(&format!("/edge/{}", segment(collection)));
        let request = Request::post(path).json(&edge(from, to, attributes)?);
        let made: Made = self.database.client().call(request).await?;
        Ok(made.edge)
    }

    /// Removes a vertex, with the edges that touch it.
    ///
    /// # Errors
    /// HTTP 404, error 1202, if it is not there.
    pub async fn remove_vertex(&self, collection: &str, key: &str) -> Result<(), ArangoError> {
        let path = format!("/vertex/{}/{}", segment(collection), segment(key));
        let request = Request::delete(self.path(&path));
        self.database.client().ask(request).await.map(drop)
    }

    /// Drops the graph, and its collections with it if no other graph uses them.
    ///
    /// # Errors
    /// HTTP 404, error 1924, if it is not there.
    pub async fn drop(&self, with_collections: bool) -> Result<(), ArangoError> {
        let path = self.path(&format!("?dropCollections={with_collections}"));
        let request = Request::delete(path);
        self.database.client().ask(request).await.map(drop)
    }

    fn path(&self, rest: &str) -> String {
        let name = segment(&self.name);
        self.database.path(&format!("/_api/gharial/{name}{rest}"))
    }
}

impl Database {
    /// Creates a graph, with the collections that are not there yet.
    ///
    /// # Errors
    /// HTTP 409, error 1925, if there is one of that name.
    pub async fn create_graph(
        &self,
        name: &str,
        edges: &[EdgeDefinition],
    ) -> Result<Graph, ArangoError> {
        let body = json!({ "name": name, "edgeDefinitions": edges });
        let request = Request::post(self.path("/_api/gharial")).json(&body);
        self.client().ask(request).await?;
        Ok(self.graph(name))
    }

    /// A handle on the graph `name`, whether it exists or not.
    #[must_use]
    pub fn graph(&self, name: &str) -> Graph {
        Graph::new(self.clone(), name)
    }

    /// The names of its graphs.
    ///
    /// # Errors
    /// HTTP 404, error 1228, if the database is not there.
    pub async fn graphs(&self) -> Result<Vec<String>, ArangoError> {
        #[derive(Deserialize)]
        struct Graphs {
            graphs: Vec<Named>,
        }
        #[derive(Deserialize)]
        struct Named {
            #[serde(rename = "_key")]
            name: String,
        }
        let request = Request::get(self.path("/_api/gharial"));
        let all: Graphs = self.client().call(request).await?;
        Ok(all.graphs.into_iter().map(|graph| graph.name).collect())
    }
}
