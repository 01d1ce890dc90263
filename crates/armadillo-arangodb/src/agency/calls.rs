//! What the agency can be asked.

use armadillo_orchestrator::{Deadline, Request, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::client::Agency;
use super::conflict::Conflict;
use super::error::AgencyError;
use super::transaction::{Transaction, rooted};
use super::write::UNTRACED_LIMIT;
use crate::client::{ArangoError, label};

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

/// The entries of the log that transactions became; 0 for one that became none.
#[derive(Deserialize)]
pub(super) struct Results {
    pub(super) results: Vec<u64>,
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
        let response = self.ask(&request).await?;
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

    /// Reads and writes, one after the other, with nothing of anybody else in between.
    ///
    /// With a write among them it is sent once: what it read cannot be asked for afterwards. An agent that does not answer
    /// within 10 s leaves it unknown whether it was done.
    ///
    /// # Errors
    /// Those of [`Self::write`].
    pub async fn transact(&self, queries: &[Query]) -> Result<Vec<Answer>, AgencyError> {
        let body: Vec<Value> = queries
            .iter()
            .map(|query| match query {
                Query::Read(paths) => Ok(paths.iter().map(|path| rooted(path)).collect()),
                Query::Write(transaction) => {
                    transaction.check()?;
                    Ok(transaction.body(None))
                }
            })
            .collect::<Result<_, Conflict>>()?;
        let request = Request::post("/_api/agency/transact").json(&body);
        let asked = label(&request);
        let only_reads = queries.iter().all(|query| matches!(query, Query::Read(_)));
        let response = match only_reads {
            true => self.ask(&request).await?,
            false => {
                let deadline = Deadline::after(self.limit);
                self.ask_once(&request, deadline, UNTRACED_LIMIT).await?
            }
        };
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
        let response = self.ask(&request).await?;
        if response.status == 404 {
            return Ok(None);
        }
        let Results { results } = decoded(asked, &response, &[])?;
        Ok(results.first().copied().filter(|index| *index > 0))
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
pub(super) fn decoded<T: DeserializeOwned>(
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
