//! Writing one document.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use armadillo_orchestrator::Request;
use serde::{Deserialize, Serialize};

use super::core::ArangoClient;
use super::error::{ArangoError, label};

/// Where a document is and which revision of it was written or read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentMeta {
    /// `collection/key`.
    #[serde(rename = "_id")]
    pub id: String,
    /// The key.
    #[serde(rename = "_key")]
    pub key: String,
    /// The revision: for `if_match`.
    #[serde(rename = "_rev")]
    pub rev: String,
    /// The revision that was replaced.
    #[serde(rename = "_oldRev", default, skip_serializing_if = "Option::is_none")]
    pub old_rev: Option<String>,
}

/// A document about to be written or removed; awaiting it does so.
#[derive(Debug)]
#[must_use = "nothing is written before it is awaited"]
pub struct WriteDocument {
    client: ArangoClient,
    request: Request,
    unwritable: Option<String>,
    wait_for_sync: Option<bool>,
}

impl WriteDocument {
    pub(super) fn new(client: ArangoClient, request: Request) -> Self {
        Self {
            client,
            request,
            unwritable: None,
            wait_for_sync: None,
        }
    }

    pub(super) fn with(
        client: ArangoClient,
        request: Request,
        document: &(impl Serialize + ?Sized),
    ) -> Self {
        match serde_json::to_vec(document) {
            Ok(bytes) => Self::new(client, request.body(bytes)),
            Err(error) => Self {
                unwritable: Some(error.to_string()),
                ..Self::new(client, request)
            },
        }
    }

    /// Only if the document's revision is still `rev`; otherwise HTTP 412, error 1200.
    pub fn if_match(mut self, rev: &str) -> Self {
        self.request = self.request.header("if-match", format!("\"{rev}\""));
        self
    }

    /// Whether it is on disk before it is acknowledged; if not said, the collection decides.
    pub fn wait_for_sync(mut self, wait: bool) -> Self {
        self.wait_for_sync = Some(wait);
        self
    }
}

impl IntoFuture for WriteDocument {
    type Output = Result<DocumentMeta, ArangoError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(mut self) -> Self::IntoFuture {
        Box::pin(async move {
            if let Some(reason) = self.unwritable {
                let request = label(&self.request);
                return Err(ArangoError::Document { request, reason });
            }
            if let Some(wait) = self.wait_for_sync {
                let mark = if self.request.path.contains('?') {
                    '&'
                } else {
                    '?'
                };
                self.request
                    .path
                    .push_str(&format!("{mark}waitForSync={wait}"));
            }
            self.client.call(self.request).await
        })
    }
}
