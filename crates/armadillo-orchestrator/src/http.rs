//! A small HTTP/1.1 client for JSON over TCP and over Unix sockets: requests and responses as values.

mod client;
mod error;

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::secret::Secret;

pub use client::{Client, Sink};
pub use error::HttpError;

/// A request, independent of where it goes. `Debug` shows neither the values of headers nor the body.
#[derive(Clone)]
pub struct Request {
    /// `GET`, `POST`, ...
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    /// Headers beside `host` and `content-length`.
    pub headers: Vec<(String, Secret)>,
    /// The body, sent as `application/json` unless a header says otherwise.
    pub body: Option<Vec<u8>>,
}

impl Request {
    /// A request with any method and no body.
    #[must_use]
    pub fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            headers: Vec::new(),
            body: None,
        }
    }

    /// `GET path`.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path)
    }

    /// `POST path`.
    #[must_use]
    pub fn post(path: impl Into<String>) -> Self {
        Self::new("POST", path)
    }

    /// `PUT path`.
    #[must_use]
    pub fn put(path: impl Into<String>) -> Self {
        Self::new("PUT", path)
    }

    /// `PATCH path`.
    #[must_use]
    pub fn patch(path: impl Into<String>) -> Self {
        Self::new("PATCH", path)
    }

    /// `DELETE path`.
    #[must_use]
    pub fn delete(path: impl Into<String>) -> Self {
        Self::new("DELETE", path)
    }

    /// The same with `value` as its JSON body. A value that cannot be written as JSON (a map whose keys are not
    /// strings) makes the body empty, and the server refuses it.
    #[must_use]
    pub fn json(self, value: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(value).unwrap_or_default();
        self.body(bytes)
    }

    /// The same with these bytes as its body.
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Some(bytes.into());
        self
    }

    /// The same with a header added. Its value is kept as a secret.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), Secret::new(value)));
        self
    }

    /// The same with `authorization: bearer TOKEN`.
    #[must_use]
    pub fn bearer(self, token: &Secret) -> Self {
        let value = format!("bearer {}", token.reveal());
        self.header("authorization", value)
    }
}

/// The answer to a request, read whole. `Debug` does not show the body, which may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Headers in the order received, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// Whether the status is one of 200 to 299.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body read as JSON.
    ///
    /// # Errors
    /// When it is not JSON, or not of that shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// The body as text; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The first header of that name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("headers", &self.headers)
            .field("body_bytes", &self.body.as_ref().map(Vec::len))
            .finish()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_does_not_show_its_secrets() {
        let request = Request::post("/path")
            .bearer(&Secret::new("hunter2"))
            .json(&["hunter2"]);
        assert_eq!(request.headers[0].1.reveal(), "bearer hunter2");
        let shown = format!("{request:?}");
        assert!(
            !shown.contains("hunter2") && shown.contains("body_bytes: Some(11)"),
            "{shown}"
        );
    }

    #[test]
    fn headers_are_found_in_any_case() {
        let response = Response {
            status: 204,
            headers: vec![("x-leader".into(), "1".into())],
            body: Vec::new(),
        };
        assert_eq!(response.header("X-Leader"), Some("1"));
        assert_eq!(response.header("x-other"), None);
        assert!(response.is_success());
    }
}
