//! Why a request to etcd did not succeed, by what it means for the data.

use std::fmt;

use armadillo_orchestrator::{HttpError, Response, ServerKey};

use super::wire::{ErrorAnswer, decode};

/// What a learner says of a request that it does not answer, and does not pass on.
pub(crate) const LEARNER: &str = "not supported for learner";

/// A request that did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EtcdError {
    /// etcd refused it: nothing was changed.
    #[error("{request}: {server} rejected it: {message} ({})", code.name())]
    Refused {
        /// What was asked: `put "/armadillo/1f3a9c20/key"`.
        request: String,
        /// The member that answered.
        server: ServerKey,
        /// What it said.
        message: String,
        /// The kind of refusal.
        code: Code,
    },
    /// Nobody knows whether it was done, now or later: the answer was lost, or the member could not tell.
    #[error("{request}: outcome unknown: {why}")]
    Unknown {
        /// What was asked.
        request: String,
        /// Which member was asked, and what came instead of an answer.
        why: String,
    },
    /// It reached no member: nothing was changed.
    #[error("{request}: no member could be reached{}", reasons(tried))]
    Unreachable {
        /// What was asked.
        request: String,
        /// Each member that was tried, and why it did not get the request.
        tried: Vec<String>,
    },
    /// The answer is not one of etcd's. Nobody knows whether the request was done.
    #[error("{request}: invalid response from {server}: {why}")]
    Malformed {
        /// What was asked.
        request: String,
        /// The member that answered.
        server: ServerKey,
        /// What is wrong with the answer.
        why: String,
    },
    /// The deployment has no such member, or the client was not given it.
    #[error("no member named {server}; the members are {}", known.join(", "))]
    NoSuchMember {
        /// Who was asked for.
        server: ServerKey,
        /// The members the client knows.
        known: Vec<String>,
    },
    /// The test has ended whose client it was: nothing was changed.
    #[error("{request}: the test that this client belongs to has ended")]
    LeaseEnded {
        /// What was asked.
        request: String,
    },
    /// There are no random numbers for a password.
    #[error("cannot make a password: {0}")]
    NoPassword(#[source] std::io::Error),
    /// A file cannot be written.
    #[error("cannot write {}: {reason}", path.display())]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        reason: String,
    },
    /// The members have no leader that they agree on.
    #[error("{request}: no leader: {why}")]
    NoLeader {
        /// What was asked.
        request: String,
        /// What the members said.
        why: String,
    },
}

/// A gRPC status code, as far as it says that a request was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Code {
    /// The request makes no sense: an empty key.
    InvalidArgument,
    /// What it names does not exist: a lease, a member.
    NotFound,
    /// What it makes is already there.
    AlreadyExists,
    /// The user may not.
    PermissionDenied,
    /// A quota is used up, or there is too much to do.
    ResourceExhausted,
    /// The state does not allow it.
    FailedPrecondition,
    /// It names a revision that is no longer, or not yet there.
    OutOfRange,
    /// This version of etcd does not know it.
    Unimplemented,
    /// Nobody said who asks.
    Unauthenticated,
}

impl Code {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidArgument => "invalid argument",
            Self::NotFound => "not found",
            Self::AlreadyExists => "already exists",
            Self::PermissionDenied => "permission denied",
            Self::ResourceExhausted => "resource exhausted",
            Self::FailedPrecondition => "failed precondition",
            Self::OutOfRange => "out of range",
            Self::Unimplemented => "unimplemented",
            Self::Unauthenticated => "unauthenticated",
        }
    }

    /// The codes of a request that was surely not done. The others (deadline exceeded, unavailable, internal, unknown,
    /// ...) come after a proposal may have gone into the log, too.
    fn of_refusal(number: u32) -> Option<Self> {
        Some(match number {
            3 => Self::InvalidArgument,
            5 => Self::NotFound,
            6 => Self::AlreadyExists,
            7 => Self::PermissionDenied,
            8 => Self::ResourceExhausted,
            9 => Self::FailedPrecondition,
            11 => Self::OutOfRange,
            12 => Self::Unimplemented,
            16 => Self::Unauthenticated,
            _ => return None,
        })
    }
}

impl EtcdError {
    /// Whether it is not known if the request was or will be done. A write of which that is said must be neither
    /// counted as done nor as not done.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown { .. } | Self::Malformed { .. })
    }

    /// Whether the request was surely not done.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        !self.is_unknown()
    }

    /// The kind of refusal, of a request that etcd itself refused.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// What an answer other than 200 means.
    pub(crate) fn of_answer(request: &str, server: &ServerKey, response: &Response) -> Self {
        let request = request.to_owned();
        let Ok(answer) = decode::<ErrorAnswer>(&response.body) else {
            return Self::Malformed {
                request,
                server: server.clone(),
                why: format!("HTTP {}: {}", response.status, Shortened(&response.text())),
            };
        };
        if answer.message.contains(LEARNER) {
            return Self::Unreachable {
                request,
                tried: vec![format!("{server}: it is a learner")],
            };
        }
        match Code::of_refusal(answer.code) {
            Some(code) => Self::Refused {
                request,
                server: server.clone(),
                message: answer.message,
                code,
            },
            None => Self::Unknown {
                request,
                why: format!(
                    "{server} answered HTTP {}: {}",
                    response.status, answer.message
                ),
            },
        }
    }

    /// What it means that none of the members asked could do it.
    pub(crate) fn all_of(request: String, failures: Vec<Self>) -> Self {
        let mut tried = Vec::new();
        let mut unknown = Vec::new();
        for failure in failures {
            match failure {
                Self::Unreachable { tried: more, .. } => tried.extend(more),
                Self::Unknown { why, .. } => unknown.push(why),
                Self::Malformed { server, why, .. } => unknown.push(format!("{server}: {why}")),
                other => unknown.push(other.to_string()),
            }
        }
        if unknown.is_empty() {
            return Self::Unreachable { request, tried };
        }
        unknown.append(&mut tried);
        Self::Unknown {
            request,
            why: unknown.join("; "),
        }
    }

    /// What a lost answer means.
    pub(crate) fn of_loss(request: &str, server: &ServerKey, loss: &HttpError) -> Self {
        let request = request.to_owned();
        if loss.surely_not_sent() {
            Self::Unreachable {
                request,
                tried: vec![format!("{server}: {loss}")],
            }
        } else {
            Self::Unknown {
                request,
                why: format!("{server}: {loss}"),
            }
        }
    }
}

/// Reasons after a colon, if there are any.
fn reasons(tried: &[String]) -> String {
    tried
        .iter()
        .enumerate()
        .map(|(number, why)| format!("{}{why}", if number == 0 { ": " } else { "; " }))
        .collect()
}

/// At most 200 characters of a text.
struct Shortened<'a>(&'a str);

impl fmt::Display for Shortened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.trim();
        match text.char_indices().nth(200) {
            None => f.write_str(text),
            Some((end, _)) => write!(f, "{}...", &text[..end]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str) -> EtcdError {
        let response = Response {
            status,
            headers: Vec::new(),
            body: body.into(),
        };
        EtcdError::of_answer("put \"k\"", &"member-1".into(), &response)
    }

    #[test]
    fn only_what_surely_was_not_done_is_a_refusal() {
        let empty_key = answered(
            400,
            r#"{"error":"etcdserver: key is not provided","message":"etcdserver: key is not provided","code":3}"#,
        );
        assert_eq!(empty_key.code(), Some(Code::InvalidArgument));
        assert_eq!(
            empty_key.to_string(),
            "put \"k\": member-1 rejected it: etcdserver: key is not provided (invalid argument)"
        );
        for (status, body) in [
            (500, r#"{"message":"context deadline exceeded","code":2}"#),
            (
                503,
                r#"{"message":"etcdserver: request timed out","code":14}"#,
            ),
            (503, "Service Unavailable"),
        ] {
            let error = answered(status, body);
            assert!(error.is_unknown(), "{error}");
        }
    }

    #[test]
    fn a_refused_connection_is_not_an_unknown_outcome() {
        let refused = HttpError::Refused {
            request: "POST /v3/kv/put at 127.0.0.1:1".into(),
        };
        let error = EtcdError::of_loss("put \"k\"", &"member-1".into(), &refused);
        assert!(error.is_refused(), "{error}");
        let lost = HttpError::Io {
            request: "POST /v3/kv/put at 127.0.0.1:1".into(),
            reason: "reset".into(),
            sent: true,
        };
        let error = EtcdError::of_loss("put \"k\"", &"member-1".into(), &lost);
        assert!(error.is_unknown(), "{error}");
    }
}
