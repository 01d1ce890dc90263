//! What has been committed: the log, by long polls.

use std::time::Duration;

use armadillo_orchestrator::{Deadline, Poll, Request};
use serde::Deserialize;
use serde_json::Value;

use super::ask::ANSWER_LIMIT;
use super::calls::decoded;
use super::client::Agency;
use super::error::AgencyError;

/// How long one agent is left to wait, before it is asked again: of one that was frozen meanwhile nothing comes any more.
const TURN: Duration = Duration::from_secs(2);

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

impl Changes {
    /// Whether this is what somebody waits for who wants the entries from this one on.
    fn has(&self, index: u64) -> bool {
        self.commit_index >= index || self.tree.is_some() || !self.log.is_empty()
    }
}

#[derive(Deserialize)]
struct Enclosed<T> {
    result: T,
}

impl Agency {
    /// What was committed from this entry of the log on; waits for it as long as said, whoever leads meanwhile. Without
    /// anything new in that time, what it returns has no entries.
    ///
    /// It does no harm, so its outcome is never unknown. It takes no longer than the limit and the wait together.
    ///
    /// # Errors
    /// When there is no leader in time, or it does not answer as documented.
    pub async fn poll(&self, index: u64, wait: Duration) -> Result<Changes, AgencyError> {
        let deadline = Deadline::after(self.limit.saturating_add(wait));
        let end = Deadline::after(wait);
        let mut pauses = Poll::new(Duration::from_millis(5), Duration::from_millis(100));
        loop {
            let changes = self.poll_once(index, end, deadline).await?;
            if changes.has(index) || end.passed() {
                return Ok(changes);
            }
            pauses.pause(end).await;
        }
    }

    /// One turn: what is there when there is something, or when it ends.
    async fn poll_once(
        &self,
        index: u64,
        end: Deadline,
        deadline: Deadline,
    ) -> Result<Changes, AgencyError> {
        let question = || {
            let turn = end.left().min(TURN);
            let seconds = turn.as_secs_f64();
            let path = format!("/_api/agency/poll?index={index}&timeout={seconds:.3}");
            (Request::get(path), turn + ANSWER_LIMIT)
        };
        let response = self.ask_freely(deadline, question).await?;
        let Enclosed { result } = decoded("GET /_api/agency/poll".to_owned(), &response, &[])?;
        Ok(result)
    }
}
