//! An answer, and the headers every answer carries.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::velocypack;
use crate::errors::ApiError;

/// The headers of all 252 recorded answers of a 3.12.10, beside type and length of the content.
const ALWAYS: &[(&str, &str)] = &[
    (
        "cache-control",
        "no-cache, no-store, must-revalidate, pre-check=0, post-check=0, max-age=0, s-maxage=0",
    ),
    ("connection", "Keep-Alive"),
    (
        "content-security-policy",
        "frame-ancestors 'self'; form-action 'self';",
    ),
    ("expires", "0"),
    ("pragma", "no-cache"),
    ("server", "ArangoDB"),
    (
        "strict-transport-security",
        "max-age=31536000 ; includeSubDomains",
    ),
    ("x-arango-queue-time-seconds", "0.000000"),
    ("x-content-type-options", "nosniff"),
];

/// What a handler answers.
#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    content_type: &'static str,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Answer {
    /// A JSON answer.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::raw_json(status, body.to_string())
    }

    /// A JSON answer that is text already.
    pub(crate) fn raw_json(status: u16, body: String) -> Self {
        Self {
            status,
            content_type: "application/json",
            headers: Vec::new(),
            body,
        }
    }

    /// A JSON object with `error: false` and the status as `code`.
    pub(crate) fn good(status: u16, mut body: Value) -> Self {
        if let Some(object) = body.as_object_mut() {
            object.insert(String::from("error"), json!(false));
            object.insert(String::from("code"), json!(status));
        }
        Self::json(status, &body)
    }

    /// `{"error":false,"code":200,"result":...}`
    pub(crate) fn result(status: u16, result: Value) -> Self {
        Self::good(status, json!({ "result": result }))
    }

    /// A plain text.
    pub(crate) fn text(status: u16, body: String) -> Self {
        Self {
            status,
            content_type: "text/plain",
            headers: Vec::new(),
            body,
        }
    }

    /// The same with another header.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The response on the wire, and its body. `omit_challenge` leaves out the headers that make browsers ask for
    /// a password; `binary` is VelocyPack in the place of JSON.
    pub(super) fn into_response(
        mut self,
        omit_challenge: bool,
        binary: bool,
    ) -> (Response<Full<Bytes>>, Bytes) {
        let mut body = Bytes::from(self.body);
        if binary
            && self.content_type == "application/json"
            && let Ok(value) = serde_json::from_slice::<Value>(&body)
        {
            body = velocypack::encode(&value).into();
            self.content_type = velocypack::CONTENT_TYPE;
        }
        let mut response = Response::new(Full::new(body.clone()));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert("content-type", HeaderValue::from_static(self.content_type));
        for (name, value) in ALWAYS {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        if self.status == 401 && !omit_challenge {
            for challenge in [
                "Basic, realm=\"ArangoDB\"",
                "Bearer, token_type=\"JWT\", realm=\"ArangoDB\"",
            ] {
                headers.append("www-authenticate", HeaderValue::from_static(challenge));
            }
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        (response, body)
    }
}

impl From<ApiError> for Answer {
    fn from(error: ApiError) -> Self {
        let answer = Self::json(error.status, &error.body());
        match error.extra.get("_rev").and_then(Value::as_str) {
            Some(revision) => answer.with("etag", format!("\"{revision}\"")),
            None => answer,
        }
    }
}
