//! Writing, once.
//!
//! An agent that has a transaction and does not say what became of it may have written it. Each transaction has an id by which
//! the agency can be asked for it (`inquire`), as ArangoDB's own servers do (`AgencyComm.cpp`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use armadillo_orchestrator::{Deadline, Poll, Request, Response};

use super::ask::{ANSWER_LIMIT, Lost, Seen, Unanswered};
use super::calls::{Results, decoded};
use super::client::Agency;
use super::error::AgencyError;
use super::transaction::Transaction;
use crate::client::{ArangoError, label};

/// How long an agent may take for what it cannot be asked about afterwards.
pub(super) const UNTRACED_LIMIT: Duration = Duration::from_secs(10);

/// How long a leader that does not know a transaction is asked for it, while the agent that had it may still take it up.
const DOUBT_LIMIT: Duration = Duration::from_secs(3);

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

/// Transactions as they are sent, with the ids by which they are found again.
struct Batch {
    request: Request,
    count: usize,
    /// Empty where a transaction has an id of the test's own: it may have been used before, so it tells nothing.
    ids: Vec<String>,
}

impl Batch {
    fn of(transactions: &[&Transaction]) -> Self {
        let own = transactions.iter().any(|each| each.id().is_some());
        let ids: Vec<String> = match own {
            true => Vec::new(),
            false => transactions.iter().map(|_| new_id()).collect(),
        };
        let bodies: Vec<_> = match own {
            true => transactions.iter().map(|each| each.body(None)).collect(),
            false => transactions
                .iter()
                .zip(&ids)
                .map(|(each, id)| each.body(Some(id)))
                .collect(),
        };
        Self {
            request: Request::post("/_api/agency/write").json(&bodies),
            count: bodies.len(),
            ids,
        }
    }

    /// How long one agent has for it.
    fn limit(&self) -> Duration {
        match self.ids.is_empty() {
            true => UNTRACED_LIMIT,
            false => ANSWER_LIMIT,
        }
    }

    fn written(&self, response: &Response) -> Result<Vec<Written>, ArangoError> {
        let asked = label(&self.request);
        let Results { results } = decoded(asked.clone(), response, &[412])?;
        if results.len() != self.count {
            return Err(ArangoError::Answer {
                request: asked,
                status: response.status,
                reason: format!("{} results for {} transactions", results.len(), self.count),
            });
        }
        Ok(results.into_iter().map(Written::of).collect())
    }
}

/// What the leader knows of a batch whose answer was lost.
enum Known {
    All(Vec<Written>),
    Nothing,
    /// Of some of it, or it did not say.
    Unclear,
}

impl Known {
    /// From an answer to `inquire`: 404 where one is not known, which has 0 then.
    fn of(seen: Seen, count: usize) -> Self {
        let Seen::Answer(response) = seen else {
            return Self::Unclear;
        };
        let results = match decoded("inquire".to_owned(), &response, &[404]) {
            Ok(Results { results }) if results.len() == count => results,
            _ => return Self::Unclear,
        };
        match response.status {
            404 if results.iter().all(|index| *index == 0) => Self::Nothing,
            404 => Self::Unclear,
            _ => Self::All(results.into_iter().map(Written::of).collect()),
        }
    }
}

impl Agency {
    /// Writes, once, and waits for a leader. When an agent was asked and does not answer, whoever leads then is asked whether it
    /// was written: it is sent again only if it surely was not. Of a transaction with a [`Transaction::client_id`] the test
    /// finds that out itself: it fails after 10 s without an answer.
    ///
    /// # Errors
    /// When there is no leader in time, when the transaction has a [`Conflict`](super::Conflict), or when it could not be found
    /// out in time whether it was written ([`AgencyError::outcome_unknown`]). A precondition that does not hold is no error.
    pub async fn write(&self, transaction: &Transaction) -> Result<Written, AgencyError> {
        let written = self.write_all([transaction]).await?;
        Ok(written
            .first()
            .copied()
            .unwrap_or(Written::PreconditionFailed))
    }

    /// Writes several transactions in one request, each for itself, and says of each what became of it.
    ///
    /// # Errors
    /// Those of [`Self::write`]. Nothing is sent if one of them has a conflict.
    pub async fn write_all<'a>(
        &self,
        transactions: impl IntoIterator<Item = &'a Transaction>,
    ) -> Result<Vec<Written>, AgencyError> {
        let transactions: Vec<&Transaction> = transactions.into_iter().collect();
        for transaction in &transactions {
            transaction.check()?;
        }
        match transactions.is_empty() {
            true => Ok(Vec::new()),
            false => self.write_once(&Batch::of(&transactions)).await,
        }
    }

    async fn write_once(&self, batch: &Batch) -> Result<Vec<Written>, AgencyError> {
        let deadline = Deadline::after(self.limit);
        loop {
            let asked = self.ask_once(&batch.request, deadline, batch.limit());
            match asked.await {
                Ok(response) => return Ok(batch.written(&response)?),
                Err(Unanswered::Lost(lost)) if !batch.ids.is_empty() => {
                    if let Some(written) = self.settle(batch, lost, deadline).await? {
                        return Ok(written);
                    }
                }
                Err(reason) => return Err(reason.into()),
            }
        }
    }

    /// Finds out what became of a batch: nothing if it was not written, and never will be.
    ///
    /// Another leader than the agent that had it answers when the log of its own term is committed; what the other one has not
    /// got into the log by then never gets there.
    async fn settle(
        &self,
        batch: &Batch,
        lost: Lost,
        deadline: Deadline,
    ) -> Result<Option<Vec<Written>>, AgencyError> {
        let mut pauses = Poll::new(Duration::from_millis(20), Duration::from_millis(200));
        let mut doubt: Option<Deadline> = None;
        let inquiry = Request::post("/_api/agency/inquire").json(&batch.ids);
        while let Ok(leader) = self.leading(deadline).await {
            let limit = deadline.within(ANSWER_LIMIT);
            let seen = self.put(leader, inquiry.clone(), limit).await?;
            let has_answered = matches!(seen, Seen::Answer(_));
            match Known::of(seen, batch.count) {
                Known::All(written) => return Ok(Some(written)),
                Known::Nothing if leader != lost.agent || lost.is_over() => {
                    self.expect(Some(leader));
                    return Ok(None);
                }
                Known::Nothing | Known::Unclear => {}
            }
            if has_answered {
                doubt = doubt.or_else(|| Some(deadline.within(DOUBT_LIMIT)));
            }
            if deadline.passed() || doubt.is_some_and(Deadline::passed) {
                break;
            }
            pauses.pause(deadline).await;
        }
        Err(AgencyError::Lost(lost.error))
    }
}

/// An id that no other transaction has: by process, moment, and number.
fn new_id() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let moment = since.unwrap_or_default().as_nanos();
    format!("armadillo-{}-{moment}-{number}", std::process::id())
}
