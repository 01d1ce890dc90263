//! What the agency can be asked.

use std::time::Duration;

use armadillo_orchestrator::{Request, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::client::{Again, Agency};
use super::error::AgencyError;
use super::transaction::{Transaction, rooted};
use crate::client::{ArangoError, label};

/// How much longer than its own time limit a long poll may take.
const POLL_SLACK: Duration = Duration::from_secs(5);

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It took effect, as this entry of the log.
    Committed(u64),
    /// A precondition did not hold, so it had no effect.
    PreconditionFailed,
}

impl Written {
    /// Whether it took effect.
    #[must_use]
    pub fn is_committed(self) -> bool {
        matches!(self, Self::Committed(_))
    }

    /// The agency says 0 for a transaction whose precondition did not hold.
    fn of(index: u64) -> Self {
        match index {
            0 => Self::PreconditionFailed,
            index => Self::Committed(index),
        }
    }
}

/// One part of a [`Agency::transact`].
#[derive(Clone, Debug)]
pub enum Query {
    /// Reads these paths.
    Read(Vec<String>),
    /// Writes.
    Write(Transaction),
}

/// What one part of a [`Agency::transact`] gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The tree, from the root, with only what was asked for in it.
    Tree(Value),
    /// The entry of the log that the transaction became.
    Committed(u64),
    /// A precondition did not hold; the values its keys have instead.
    PreconditionFailed(Value),
}

/// What has happened since an entry of the log.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Changes {
    /// The last entry that is committed.
    #[serde(rename = "commitIndex")]
    pub commit_index: u64,
    /// The first entry in the answer.
    #[serde(rename = "firstIndex", default)]
    pub first_index: u64,
    /// The entries.
    #[serde(default)]
    pub log: Vec<LogEntry>,
    /// The whole tree instead of a log, where the answer begins before the first entry that is kept.
    #[serde(rename = "readDB", default)]
    pub tree: Option<Value>,
}

/// One entry of the agency's log.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct LogEntry {
    /// Its number.
    pub index: u64,
    /// The operations, by key.
    pub query: Value,
}

#[derive(Deserialize)]
struct Results {
    results: Vec<u64>,
}

#[derive(Deserialize)]
struct Enclosed<T> {
    result: T,
}

impl Agency {
    /// Reads these paths at one moment: the tree, from the root, with only them in it.
    ///
    /// # Errors
    /// When there is no leader in time, or it does not answer as documented.
    pub async fn read(&self, paths: &[&str]) -> Result<Value, AgencyError> {
        let paths: Vec<String> = paths.iter().map(|path| rooted(path)).collect();
        let request = Request::post("/_api/agency/read").json(&[paths]);
        let asked = label(&request);
        let response = self.ask(request, Again::Freely).await?;
        let trees: [Value; 1] = decoded(asked, &response, &[])?;
        let [tree] = trees;
        Ok(tree)
    }

    /// The value at one path; `None` if there is nothing.
    ///
    /// # Errors
    /// Those of [`Self::read`], and when the value is of another type.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, AgencyError> {
        let tree = self.read(&[path]).await?;
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        let value = segments.try_fold(&tree, |value, segment| value.get(segment));
        let read = value.map(|value| T::deserialize(value)).transpose();
        read.map_err(|error| {
            ArangoError::Answer {
                request: format!("the agency's {path}"),
                status: 200,
                reason: error.to_string(),
            }
            .into()
        })
    }

    /// Writes. It waits for a leader, but sends nothing again that may have been done: whether it was is then unknown
    /// ([`AgencyError::outcome_unknown`]).
    ///
    /// # Errors
    /// When there is no leader in time, or it does not answer. A precondition that does not hold is no error.
    pub async fn write(&self, transaction: &Transaction) -> Result<Written, AgencyError> {
        let [written] = self.write_all([transaction]).await?;
        Ok(written)
    }

    /// Writes several transactions, each for itself.
    ///
    /// # Errors
    /// Those of [`Self::write`].
    pub async fn write_all<const N: usize>(
        &self,
        transactions: [&Transaction; N],
    ) -> Result<[Written; N], AgencyError> {
        let request = Request::post("/_api/agency/write").json(&transactions.to_vec());
        let asked = label(&request);
        let response = self.ask(request, Again::OnlyIfNothingWasDone).await?;
        let Results { results } = decoded(asked.clone(), &response, &[412])?;
        let results: Result<[u64; N], _> = results.try_into();
        let results = results.map_err(|results: Vec<u64>| ArangoError::Answer {
            request: asked,
            status: response.status,
            reason: format!("{} results for {N} transactions", results.len()),
        })?;
        Ok(results.map(Written::of))
    }

    /// Reads and writes, one after the other, with nothing of anybody else in between.
    ///
    /// # Errors
    /// Those of [`Self::write`].
    pub async fn transact(&self, queries: &[Query]) -> Result<Vec<Answer>, AgencyError> {
        let body: Vec<Value> = queries
            .iter()
            .map(|query| match query {
                Query::Read(paths) => paths.iter().map(|path| rooted(path)).collect(),
                Query::Write(transaction) => json!(transaction),
            })
            .collect();
        let request = Request::post("/_api/agency/transact").json(&body);
        let asked = label(&request);
        let only_reads = queries.iter().all(|query| matches!(query, Query::Read(_)));
        let again = match only_reads {
            true => Again::Freely,
            false => Again::OnlyIfNothingWasDone,
        };
        let response = self.ask(request, again).await?;
        let answers: Vec<Value> = decoded(asked.clone(), &response, &[412])?;
        if answers.len() != queries.len() {
            let reason = format!("{} answers to {} queries", answers.len(), queries.len());
            return Err(ArangoError::Answer {
                request: asked,
                status: response.status,
                reason,
            }
            .into());
        }
        let answers = queries
            .iter()
            .zip(answers)
            .map(|(query, answer)| match query {
                Query::Read(_) => Answer::Tree(answer),
                Query::Write(_) => match answer.as_u64() {
                    Some(index) if index > 0 => Answer::Committed(index),
                    _ => Answer::PreconditionFailed(answer),
                },
            });
        Ok(answers.collect())
    }

    /// Whether the transaction with this [`Transaction::client_id`] took effect; `None` if the leader does not know it.
    ///
    /// # Errors
    /// When there is no leader in time, or it does not answer as documented.
    pub async fn inquire(&self, client_id: &str) -> Result<Option<u64>, AgencyError> {
        let request = Request::post("/_api/agency/inquire").json(&[client_id]);
        let asked = label(&request);
        let response = self.ask(request, Again::Freely).await?;
        if response.status == 404 {
            return Ok(None);
        }
        let Results { results } = decoded(asked, &response, &[])?;
        Ok(results.first().copied().filter(|index| *index > 0))
    }

    /// What was committed from this entry of the log on; waits for it as long as said.
    ///
    /// # Errors
    /// When there is no leader in time, or it does not answer as documented.
    pub async fn poll(&self, index: u64, wait: Duration) -> Result<Changes, AgencyError> {
        let seconds = wait.as_secs().max(1);
        let path = format!("/_api/agency/poll?index={index}&timeout={seconds}");
        let request = Request::get(path);
        let asked = label(&request);
        let patient = self.with_limit(wait + POLL_SLACK);
        let response = patient.ask(request, Again::OnlyIfNothingWasDone).await?;
        let Enclosed { result } = decoded(asked, &response, &[])?;
        Ok(result)
    }

    /// Everything the agency holds: for evidence.
    ///
    /// # Errors
    /// Those of [`Self::read`].
    pub async fn dump(&self) -> Result<Value, AgencyError> {
        self.read(&["/"]).await
    }
}

/// The answer of a success, or of one of these other states.
fn decoded<T: DeserializeOwned>(
    request: String,
    response: &Response,
    other: &[u16],
) -> Result<T, ArangoError> {
    if !response.is_success() && !other.contains(&response.status) {
        return Err(ArangoError::of(request, response));
    }
    response.json().map_err(|error| ArangoError::Answer {
        request,
        status: response.status,
        reason: error.to_string(),
    })
}
