//! What can go wrong with a request.

use armadillo_orchestrator::{HttpError, Request, Response, ServerKey};
use serde::Deserialize;

use super::error_names::error_name;

/// The general number of HTTP 503 during start-up and maintenance: the server looked at nothing else.
pub(super) const SERVICE_UNAVAILABLE: u32 = 503;

/// A request that did not do what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArangoError {
    /// The server refused it, or failed.
    #[error("{request}: HTTP {status}, error {number} ({}): {message}", error_name(*.number).unwrap_or("unknown"))]
    Server {
        /// Method and path.
        request: String,
        /// The HTTP status.
        status: u16,
        /// ArangoDB's own number, such as 1202; 0 if the answer carries none.
        number: u32,
        /// The server's message.
        message: String,
    },
    /// There was no answer.
    #[error(transparent)]
    Transport(#[from] HttpError),
    /// The server did it, but its answer is not what the documentation says.
    #[error("{request}: HTTP {status}, with an invalid response: {reason}")]
    Answer {
        /// Method and path.
        request: String,
        /// The HTTP status.
        status: u16,
        /// What is wrong with the answer.
        reason: String,
    },
    /// A client was to talk to a server that is not there.
    #[error("the deployment has no server {server}; the servers are {known}")]
    NoSuchServer {
        /// The server.
        server: ServerKey,
        /// Those there are.
        known: String,
    },
    /// The request could not be written: the document is not JSON.
    #[error("{request}: not sent: cannot serialize the document as JSON: {reason}")]
    Document {
        /// Method and path.
        request: String,
        /// Why it cannot.
        reason: String,
    },
}

impl ArangoError {
    /// The HTTP status, if there was an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Server { status, .. } | Self::Answer { status, .. } => Some(*status),
            Self::Transport(_) | Self::Document { .. } | Self::NoSuchServer { .. } => None,
        }
    }

    /// ArangoDB's own number of the error (`errorNum`), such as 1202.
    #[must_use]
    pub fn number(&self) -> Option<u32> {
        match self {
            Self::Server { number, .. } if *number != 0 => Some(*number),
            _ => None,
        }
    }

    /// The official name of [`Self::number`]: `ERROR_ARANGO_DOCUMENT_NOT_FOUND`.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        error_name(self.number()?)
    }

    /// Whether the thing asked for (a database, a collection, a document, a user) is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    /// Whether the server does not know how to do it at all: HTTP 501, as the stand-in says of what it lacks.
    #[must_use]
    pub fn is_not_implemented(&self) -> bool {
        self.status() == Some(501)
    }

    /// Whether it is there already, or somebody else changed it meanwhile: HTTP 409 and 412.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self.status(), Some(409 | 412))
    }

    /// Whether the request may or may not have had its effect. Then only a look at the data can tell.
    ///
    /// A server that answers 5xx may have failed in the middle, or may not know what another server did (documentation,
    /// "Error handling" of clusters); surely nothing happened where it says 501, or 503 during start-up.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        match self {
            Self::Transport(error) => !error.surely_not_sent(),
            Self::Server { status, number, .. } => match status {
                408 | 500 | 502 | 504.. => true,
                503 => *number != SERVICE_UNAVAILABLE,
                _ => false,
            },
            Self::Answer { .. } | Self::Document { .. } | Self::NoSuchServer { .. } => false,
        }
    }

    /// The error in an answer that is not a success.
    pub(crate) fn of(request: String, response: &Response) -> Self {
        let body: ErrorBody = response.json().unwrap_or_default();
        Self::Server {
            request,
            status: response.status,
            number: body.number,
            message: match body.message {
                Some(message) => message,
                None => first_line(&response.text()),
            },
        }
    }
}

/// Method and path of a request, for an error.
pub(crate) fn label(request: &Request) -> String {
    format!("{} {}", request.method, request.path)
}

#[derive(Default, Deserialize)]
pub(super) struct ErrorBody {
    #[serde(rename = "errorNum", default)]
    pub(super) number: u32,
    #[serde(rename = "errorMessage", alias = "message")]
    message: Option<String>,
}

/// The beginning of a body that is not JSON.
fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(200) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::tests::recorded;

    fn of(status: u16, body: &str) -> ArangoError {
        let response = Response {
            status,
            headers: Vec::new(),
            body: body.into(),
        };
        ArangoError::of("GET /x".into(), &response)
    }

    #[test]
    fn recorded_errors_are_read() {
        let read = |name: &str, exchange: usize| {
            let (request, response) = recorded(name, exchange);
            let error = ArangoError::of(request, &response);
            (error.status(), error.number(), error.to_string())
        };
        assert_eq!(
            read("document-unknown", 0),
            (
                Some(404),
                Some(1202),
                "DELETE /_api/document/products/70768: HTTP 404, error 1202 \
                 (ERROR_ARANGO_DOCUMENT_NOT_FOUND): document not found"
                    .into()
            )
        );
        let (status, number, _) = read("document-if-match", 0);
        assert_eq!((status, number), (Some(412), Some(1200)));
        let (status, number, text) = read("collection-unknown", 0);
        assert_eq!((status, number), (Some(404), Some(1203)));
        assert!(
            text.contains("collection or view not found: products"),
            "{text}"
        );
    }

    #[test]
    fn an_answer_of_something_else_is_shown_too() {
        let error = of(502, "<html>\nBad gateway");
        assert_eq!(
            error.to_string(),
            "GET /x: HTTP 502, error 0 (unknown): <html>"
        );
        assert_eq!(error.number(), None);
        assert_eq!(of(400, &"x".repeat(1000)).to_string().len(), 240);
    }

    #[test]
    fn only_what_surely_did_not_happen_is_known_not_to_have() {
        let maintenance =
            r#"{"error":true,"code":503,"errorNum":503,"errorMessage":"service unavailable"}"#;
        let backend = r#"{"error":true,"code":503,"errorNum":1478,"errorMessage":"backend"}"#;
        assert!(!of(503, maintenance).outcome_unknown());
        assert!(of(503, backend).outcome_unknown());
        assert!(of(500, "").outcome_unknown());
        assert!(!of(501, "").outcome_unknown());
        assert!(!of(409, "").outcome_unknown());
        let lost = |sent| {
            ArangoError::from(HttpError::Io {
                request: "POST /x".into(),
                reason: "reset".into(),
                sent,
            })
        };
        assert!(lost(true).outcome_unknown());
        assert!(!lost(false).outcome_unknown());
    }
}
