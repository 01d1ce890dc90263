//! Why a request got no answer.

use std::io;
use std::time::Duration;

/// A request that got no usable answer. It names method, path and address, never a header or a body.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// Nobody listens there.
    #[error("{request}: connection refused")]
    Refused {
        /// Method, path and address.
        request: String,
    },
    /// The connection could not be made for another reason than a refusal.
    #[error("{request}: cannot connect: {source}")]
    Connect {
        /// Method, path and address.
        request: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The two do not agree on TLS: the server shows a certificate that is not right for it, or speaks no TLS.
    #[error("{request}: {reason}")]
    Tls {
        /// Method, path and address.
        request: String,
        /// What is wrong, in plain words.
        reason: String,
    },
    /// The request itself cannot be written: a path or a header with characters that are not allowed.
    #[error("{request}: not a valid request: {reason}")]
    Invalid {
        /// Method, path and address.
        request: String,
        /// Which part of it.
        reason: String,
    },
    /// The request was not sent: who sends it has to show a login, and got none.
    #[error("{request}: {reason}")]
    NoLogin {
        /// Method, path and address of what was asked for the login.
        request: String,
        /// Why there is none.
        reason: String,
    },
    /// The deadline came first.
    #[error("{request}: no response within {waited:.1?}{}", if *.sent { "" } else { " (could not connect)" })]
    Timeout {
        /// Method, path and address.
        request: String,
        /// How long it was waited.
        waited: Duration,
        /// Whether the request may have reached the server.
        sent: bool,
    },
    /// The connection broke.
    #[error("{request}: connection lost: {reason}")]
    Io {
        /// Method, path and address.
        request: String,
        /// What happened to it.
        reason: String,
        /// Whether the request may have reached the server.
        sent: bool,
    },
    /// The body of the answer is larger than it may be.
    #[error("{request}: the response is larger than {limit} bytes")]
    TooLarge {
        /// Method, path and address.
        request: String,
        /// The largest body that is read, in bytes.
        limit: usize,
    },
    /// The answer is not HTTP/1.1.
    #[error("{request}: invalid HTTP response: {reason}")]
    Protocol {
        /// Method, path and address.
        request: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl HttpError {
    /// Whether the request certainly did not reach the server, so that sending it again cannot do anything twice.
    #[must_use]
    pub fn surely_not_sent(&self) -> bool {
        match self {
            Self::Refused { .. }
            | Self::Connect { .. }
            | Self::Tls { .. }
            | Self::Invalid { .. }
            | Self::NoLogin { .. } => true,
            Self::Timeout { sent, .. } | Self::Io { sent, .. } => !sent,
            Self::TooLarge { .. } | Self::Protocol { .. } => false,
        }
    }

    /// Whether nobody listens at the address.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// Whether the server's certificate is not right for it, or it speaks no TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Tls { .. })
    }

    /// Whether the deadline came first.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }
}
