//! A request as handlers see it.

use bytes::Bytes;
use hyper::header::HeaderMap;
use hyper::{Method, Uri};
use serde_json::Value;

use super::percent;
use crate::auth::Identity;
use crate::errors::ApiError;
use crate::store::SYSTEM;

/// A request whose body has arrived.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The verb.
    pub(crate) method: Method,
    /// The database of `/_db/<name>/...`, or `_system`.
    pub(crate) database: String,
    /// The path behind the database.
    pub(crate) path: String,
    /// The decoded segments of that path.
    pub(crate) segments: Vec<String>,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    /// The body.
    pub(crate) body: Bytes,
    /// Who asks.
    pub(crate) identity: Identity,
    /// Whether another version of the API is asked for than the one that is there.
    pub(crate) is_of_another_version: bool,
}

impl Request {
    /// Takes the address apart. `/_arango/v0` in front names the API version that is there anyway.
    pub(crate) fn new(method: Method, uri: &Uri, headers: HeaderMap) -> Result<Self, ApiError> {
        let mut raw: Vec<&str> = uri.path().split('/').skip(1).collect();
        let mut is_of_another_version = false;
        if raw.first() == Some(&"_arango") {
            is_of_another_version = raw.get(1) != Some(&"v0");
            raw.drain(..raw.len().min(2));
        }
        let decode = |segment: &str| {
            percent::decode(segment).ok_or_else(|| ApiError::bad("the path cannot be decoded"))
        };
        let database = if raw.first() == Some(&"_db") && raw.len() > 1 {
            let name = decode(raw[1])?;
            raw.drain(..2);
            name
        } else {
            String::from(SYSTEM)
        };
        let path = format!("/{}", raw.join("/"));
        let segments = raw
            .into_iter()
            .filter(|segment| !segment.is_empty())
            .map(decode)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            method,
            database,
            path,
            segments,
            query: percent::query(uri.query().unwrap_or("")),
            headers,
            body: Bytes::new(),
            identity: Identity::Nobody,
            is_of_another_version,
        })
    }

    /// The segments as texts, for matching.
    pub(crate) fn route(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    /// A query parameter.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// All query parameters, in their order.
    pub(crate) fn queries(&self) -> &[(String, String)] {
        &self.query
    }

    /// A query parameter that is a boolean.
    pub(crate) fn query_flag(&self, name: &str) -> Option<bool> {
        let text = self.query(name)?;
        Some(matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "yes" | "on" | "y" | "1"
        ))
    }

    /// A header that is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON. An empty body is an empty object.
    pub(crate) fn json(&self) -> Result<Value, ApiError> {
        if self.body.trim_ascii().is_empty() {
            return Ok(Value::Object(serde_json::Map::new()));
        }
        serde_json::from_slice(&self.body).map_err(ApiError::corrupted_json)
    }

    /// The body as a JSON object.
    pub(crate) fn json_object(&self) -> Result<serde_json::Map<String, Value>, ApiError> {
        match self.json()? {
            Value::Object(object) => Ok(object),
            _ => Err(ApiError::bad("expecting a JSON object as body")),
        }
    }
}
