//! Putting a request to the agent that leads, wherever that is.

use std::time::{Duration, Instant};

use armadillo_orchestrator::{Deadline, HttpError, Poll, Request, Response};

use super::client::Agency;
use super::error::AgencyError;
use crate::client::{ArangoError, label};

/// How long one agent is asked something that may be asked again. A frozen one holds nobody up for longer.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// With less time than this nothing is sent that must not be sent twice: it would come to nothing but an unknown outcome.
const LEAST: Duration = Duration::from_millis(100);

/// What became of one request to one agent.
pub(super) enum Seen {
    /// An answer, whatever its status.
    Answer(Response),
    /// That agent leads, it says.
    SentOn(usize),
    /// Nothing was done, because of this.
    Nothing(String),
    /// It may have been done or not.
    Lost(ArangoError),
}

/// Why something that is asked once has no answer.
pub(super) enum Unanswered {
    /// Nothing was done.
    Nothing(AgencyError),
    /// It may have been done or not.
    Lost(Lost),
}

/// A request of which nobody knows what became.
pub(super) struct Lost {
    /// The agent that had it.
    pub(super) agent: usize,
    pub(super) error: ArangoError,
}

impl Lost {
    /// Whether that agent is done with it: it has answered, or ended. One that is silent may still take it up.
    pub(super) fn is_over(&self) -> bool {
        match &self.error {
            ArangoError::Transport(error) => matches!(error, HttpError::Io { .. }),
            _ => true,
        }
    }
}

impl From<AgencyError> for Unanswered {
    fn from(error: AgencyError) -> Self {
        Self::Nothing(error)
    }
}

impl From<Unanswered> for AgencyError {
    fn from(reason: Unanswered) -> Self {
        match reason {
            Unanswered::Nothing(error) => error,
            Unanswered::Lost(lost) => Self::Lost(lost.error),
        }
    }
}

impl Agency {
    /// Asks something that does no harm when it is asked twice.
    pub(super) async fn ask(&self, request: &Request) -> Result<Response, AgencyError> {
        let deadline = Deadline::after(self.limit);
        self.ask_freely(deadline, || (request.clone(), ANSWER_LIMIT))
            .await
    }

    /// The same, with a question made anew for each agent, and how long that one has for it.
    pub(super) async fn ask_freely(
        &self,
        deadline: Deadline,
        question: impl Fn() -> (Request, Duration),
    ) -> Result<Response, AgencyError> {
        let begun = Instant::now();
        let mut poll = Poll::new(Duration::from_millis(5), Duration::from_millis(200));
        let count = self.inner.agents.len();
        let mut index = self.expected().unwrap_or(0);
        let mut redirections = 0;
        let mut last = None;
        loop {
            let (request, limit) = question();
            let seen = match self.put(index, request, deadline.within(limit)).await? {
                Seen::Answer(response) => {
                    self.expect(Some(index));
                    return Ok(response);
                }
                Seen::SentOn(next) if redirections < count && !deadline.passed() => {
                    index = next;
                    redirections += 1;
                    continue;
                }
                Seen::SentOn(_) => "redirected too many times".to_owned(),
                Seen::Nothing(why) => why,
                Seen::Lost(error) => error.to_string(),
            };
            self.expect(None);
            if deadline.passed() {
                return Err(AgencyError::NoLeader {
                    waited: begun.elapsed(),
                    last: last.unwrap_or(seen),
                });
            }
            // Cut short by the deadline, an attempt says less than the one before.
            last = Some(seen);
            poll.pause(deadline).await;
            redirections = 0;
            index = (index + 1).checked_rem(count).unwrap_or(0);
        }
    }

    /// Asks something that must not be done twice: only the agent that is known to lead, or that a majority names, and
    /// another one only when nothing was done.
    pub(super) async fn ask_once(
        &self,
        request: &Request,
        deadline: Deadline,
        limit: Duration,
    ) -> Result<Response, Unanswered> {
        let begun = Instant::now();
        let least = LEAST.min(deadline.left() / 10);
        let mut poll = Poll::new(Duration::from_millis(5), Duration::from_millis(200));
        let mut redirections = 0;
        let mut last = "no agent was asked".to_owned();
        let mut leader = self.expected();
        loop {
            let index = match leader {
                Some(known) => known,
                None => self.leading(deadline).await?,
            };
            if deadline.passed() || deadline.left() < least {
                let waited = begun.elapsed();
                return Err(AgencyError::NoLeader { waited, last }.into());
            }
            let attempt = self.put(index, request.clone(), deadline.within(limit));
            leader = match attempt.await? {
                Seen::Answer(response) => {
                    self.expect(Some(index));
                    return Ok(response);
                }
                Seen::Lost(error) => {
                    self.expect(None);
                    return Err(Unanswered::Lost(Lost {
                        agent: index,
                        error,
                    }));
                }
                Seen::SentOn(next) => {
                    "redirected too many times".clone_into(&mut last);
                    redirections += 1;
                    Some(next).filter(|_| redirections <= self.inner.agents.len())
                }
                Seen::Nothing(why) => {
                    last = why;
                    None
                }
            };
            if leader.is_none() {
                self.expect(None);
                redirections = 0;
                poll.pause(deadline).await;
            }
        }
    }

    /// Puts a request to one agent.
    ///
    /// # Errors
    /// When it names a leader that is none of the agents.
    pub(super) async fn put(
        &self,
        index: usize,
        request: Request,
        deadline: Deadline,
    ) -> Result<Seen, AgencyError> {
        let Some(agent) = self.inner.agents.get(index) else {
            return Ok(Seen::Nothing("the deployment has no agents".to_owned()));
        };
        let asked = label(&request);
        let request = self.signed(request);
        Ok(match agent.client.send(request, deadline).await {
            Ok(response) => match response.status {
                307 => Seen::SentOn(self.sent_on(&asked, &response)?),
                503 if nothing_was_done(&response) => {
                    Seen::Nothing(format!("{}: HTTP 503: {}", agent.key, response.text()))
                }
                408 | 503 => Seen::Lost(ArangoError::of(asked, &response)),
                _ => Seen::Answer(response),
            },
            Err(error) if error.surely_not_sent() => Seen::Nothing(error.to_string()),
            Err(error) => Seen::Lost(error.into()),
        })
    }

    /// The agent that a 307 names.
    fn sent_on(&self, asked: &str, response: &Response) -> Result<usize, AgencyError> {
        let location = response.header("location").unwrap_or_default();
        let address = location
            .split_once("://")
            .map_or(location, |(_, rest)| rest)
            .split('/')
            .next()
            .unwrap_or_default();
        let mut agents = self.inner.agents.iter();
        let found = agents.position(|agent| agent.advertised == address);
        found.ok_or_else(|| AgencyError::Elsewhere {
            request: asked.to_owned(),
            location: location.to_owned(),
        })
    }
}

/// Whether a 503 says that the agency has no leader now, or that the agent starts or ends. Without either of these an agent
/// means that it does not know whether an entry was committed (`RestAgencyHandler.cpp`, `handleWrite`): it then says no more
/// than "service unavailable", with the number 503 that starting agents use, too.
fn nothing_was_done(response: &Response) -> bool {
    let text = response.text();
    let gates = ["No leader", "due to startup", "shutdown in progress"];
    gates.iter().any(|gate| text.contains(gate))
}
