//! Errors as clients see them: an HTTP status, a number, a message.
//!
//! Numbers and messages are those of `site/data/3.12/errors.yaml` of arangodb/docs-hugo and of the
//! examples recorded there.

use serde_json::{Map, Value, json};

/// An error answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message} (error {number})")]
pub(crate) struct ApiError {
    /// The HTTP status.
    pub(crate) status: u16,
    /// `errorNum`.
    pub(crate) number: u32,
    /// `errorMessage`.
    pub(crate) message: String,
    /// More attributes of the body, as the `_rev` of a conflict.
    pub(crate) extra: Map<String, Value>,
}

impl ApiError {
    /// The number of a write concern that is not fulfilled, where that is not "read-only".
    pub(crate) const WRITE_CONCERN: u32 = 1429;
    /// The number of an answer that did not come in time.
    pub(crate) const CLUSTER_TIMEOUT: u32 = 1457;
    /// The number of an answer that will not come, because the connection was closed.
    pub(crate) const CONNECTION_LOST: u32 = 1465;
    /// The numbers that leave open whether what was asked for was done.
    pub(crate) const UNKNOWN_OUTCOMES: [u32; 2] = [Self::CLUSTER_TIMEOUT, Self::CONNECTION_LOST];

    /// An error of these three properties.
    pub(crate) fn new(status: u16, number: u32, message: impl Into<String>) -> Self {
        Self {
            status,
            number,
            message: message.into(),
            extra: Map::new(),
        }
    }

    /// The body of the answer.
    pub(crate) fn body(&self) -> Value {
        let mut body = self.extra.clone();
        body.insert(String::from("code"), json!(self.status));
        body.insert(String::from("error"), json!(true));
        body.insert(String::from("errorMessage"), json!(self.message));
        body.insert(String::from("errorNum"), json!(self.number));
        Value::Object(body)
    }

    /// The element of a batch answer.
    pub(crate) fn element(&self) -> Value {
        let mut element = self.extra.clone();
        element.insert(String::from("error"), json!(true));
        element.insert(String::from("errorMessage"), json!(self.message));
        element.insert(String::from("errorNum"), json!(self.number));
        Value::Object(element)
    }

    /// An error of HTTP only.
    pub(crate) fn without_number(status: u16, message: &str) -> Self {
        Self::new(status, 0, message)
    }

    /// 501: the emulator cannot do it.
    pub(crate) fn not_implemented(what: impl std::fmt::Display) -> Self {
        let advice = "not in the stand-in: use `--arangod PATH` or `--attach-arangodb URL`; mark the test `requires(real)`";
        Self::new(
            501,
            501,
            format!("the emulator does not implement {what} ({advice})"),
        )
    }

    /// 503 before the server is up.
    pub(crate) fn maintenance() -> Self {
        Self::new(
            503,
            503,
            "service unavailable due to startup or maintenance mode",
        )
    }

    /// 503 while the server goes down.
    pub(crate) fn shutting_down() -> Self {
        Self::new(503, 30, "shutdown in progress")
    }

    /// 401: unknown or no credentials.
    pub(crate) fn unauthorized() -> Self {
        Self::new(401, 11, "not authorized to execute this request")
    }

    /// 403: known, but without the right.
    pub(crate) fn forbidden() -> Self {
        Self::new(403, 11, "forbidden")
    }

    /// 403: only for administrators.
    pub(crate) fn not_admin() -> Self {
        Self::new(403, 403, "insufficient permissions")
    }

    /// 403: may read, but not write.
    pub(crate) fn read_only() -> Self {
        Self::new(403, 1004, "read only")
    }

    /// 501/1471: a request for coordinators.
    pub(crate) fn only_on_coordinators() -> Self {
        Self::new(501, 1471, "this is only available on a coordinator")
    }

    /// 400 with the HTTP number.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, 400, message)
    }

    /// 400/10 bad parameter.
    pub(crate) fn bad_parameter(message: impl Into<String>) -> Self {
        Self::new(400, 10, message)
    }

    /// 400/600: not JSON.
    pub(crate) fn corrupted_json(reason: impl std::fmt::Display) -> Self {
        Self::new(400, 600, format!("VPackError error: {reason}"))
    }

    /// 404 for a path below an API that has none such.
    pub(crate) fn unknown_path(path: &str) -> Self {
        Self::new(404, 404, format!("unknown path '{path}'"))
    }

    /// 405 for a verb that a path does not take.
    pub(crate) fn method_not_allowed() -> Self {
        Self::new(405, 405, "method not supported")
    }

    /// 404/1202.
    pub(crate) fn document_not_found() -> Self {
        Self::new(404, 1202, "document not found")
    }

    /// 404/1203.
    pub(crate) fn collection_not_found(name: &str) -> Self {
        Self::new(404, 1203, format!("collection or view not found: {name}"))
    }

    /// 404/1228.
    pub(crate) fn database_not_found() -> Self {
        Self::new(404, 1228, "database not found")
    }

    /// 409/1207.
    pub(crate) fn duplicate_name() -> Self {
        Self::new(409, 1207, "duplicate name")
    }

    /// 409/1210 with the key that is there already.
    pub(crate) fn unique_violation(key: &str) -> Self {
        Self::new(
            409,
            1210,
            format!(
                "unique constraint violated - in index primary of type primary over '_key'; \
                 conflicting key: {key}"
            ),
        )
    }

    /// 400/1221.
    pub(crate) fn bad_key() -> Self {
        Self::new(400, 1221, "illegal document key")
    }

    /// 412/1200 with the revision that is there.
    pub(crate) fn conflict(id: &str, key: &str, revision: &str) -> Self {
        let mut error = Self::new(412, 1200, "conflict, _rev values do not match");
        for (name, value) in [("_id", id), ("_key", key), ("_rev", revision)] {
            error.extra.insert(String::from(name), json!(value));
        }
        error
    }

    /// 421/1491: somebody else leads the shard, or nobody does.
    pub(crate) fn not_leader() -> Self {
        let text = "a (former) leader could not write because it has resigned";
        Self::new(421, 1491, text)
    }

    /// Whether what was asked for may have been done.
    pub(crate) fn is_of_unknown_outcome(&self) -> bool {
        Self::UNKNOWN_OUTCOMES.contains(&self.number)
    }

    /// 500/1457: whether it was done is not known.
    pub(crate) fn unknown_outcome() -> Self {
        let text = "timeout in cluster operation: the result is not known";
        Self::new(500, Self::CLUSTER_TIMEOUT, text)
    }

    /// 503/1478: the leader of the shard has not taken over yet.
    pub(crate) fn not_ready() -> Self {
        let text = "cluster backend unavailable: the leader of the shard has not taken over yet";
        Self::new(503, 1478, text)
    }

    /// Too few copies are in sync: 403/1004, or 1429 if `--cluster.failed-write-concern-status-code` says so.
    /// A dbserver's status is 403 then too, lest a coordinator asks again; its client gets 503.
    pub(crate) fn write_concern(as_unavailable: bool) -> Self {
        match as_unavailable {
            false => Self::new(403, 1004, "collection is read-only"),
            true => Self::new(403, Self::WRITE_CONCERN, "write concern not fulfilled"),
        }
    }

    /// 500/2: the disk failed.
    pub(crate) fn storage(reason: impl std::fmt::Display) -> Self {
        Self::new(500, 2, format!("system error: {reason}"))
    }
}
