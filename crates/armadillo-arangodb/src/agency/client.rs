//! The way to the leader.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use armadillo_orchestrator::join::join_all;
use armadillo_orchestrator::{Client, Deadline, Poll, Request, Response, Secret, ServerKey, View};

use super::config::AgentConfig;
use super::error::AgencyError;
use super::leader::{Leadership, Look, agreed, newest_term};
use crate::auth;
use crate::client::{ArangoError, label};
use crate::launch::PORT;
use crate::role::Role;

/// How long a request may take, with all waiting for a leader, unless [`Agency::with_limit`] says otherwise.
const LIMIT: Duration = Duration::from_secs(30);

/// How long an agent may take to say how it is. It answers from memory.
const LOOK_LIMIT: Duration = Duration::from_secs(1);

/// How long one agent is asked something that may be asked again. A frozen one holds nobody up for longer.
const READ_LIMIT: Duration = Duration::from_secs(2);

/// No agent.
const NOBODY: usize = usize::MAX;

/// The agency of a deployment, asked with all rights. Clones share its connections.
#[derive(Clone)]
pub struct Agency {
    inner: Arc<Inner>,
    limit: Duration,
}

struct Inner {
    agents: Vec<Agent>,
    token: Secret,
    /// Which agent answered last, so the leader, most likely; or [`NOBODY`].
    leader: AtomicUsize,
}

struct Agent {
    key: ServerKey,
    /// `host:port`, as the other agents know it.
    advertised: String,
    client: Client,
}

/// Whether a request may be sent again when nobody knows what became of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    Freely,
    OnlyIfNothingWasDone,
}

impl Agency {
    /// The agency of this deployment. One without agents never has a leader.
    #[must_use]
    pub fn new(view: &View) -> Self {
        let agents = view.of_role(Role::Agent.name()).filter_map(|(key, place)| {
            Some(Agent {
                key: key.clone(),
                advertised: place.advertise.get(PORT)?.clone(),
                client: Client::tcp(place.reach.get(PORT)?.as_str()),
            })
        });
        Self {
            inner: Arc::new(Inner {
                agents: agents.collect(),
                token: auth::superuser_token(view),
                leader: AtomicUsize::new(NOBODY),
            }),
            limit: LIMIT,
        }
    }

    /// The same with another limit on how long a request may take, with all waiting for a leader; 30 s if never said.
    #[must_use]
    pub fn with_limit(&self, limit: Duration) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            limit,
        }
    }

    /// What one agent says of itself.
    ///
    /// # Errors
    /// Those of any request.
    pub async fn config(&self, agent: &ServerKey) -> Result<AgentConfig, AgencyError> {
        let known = self.inner.agents.iter().find(|known| known.key == *agent);
        match known {
            Some(agent) => Ok(self.config_of(agent, self.limit).await?),
            None => Err(ArangoError::Document {
                request: "GET /_api/agency/config".to_owned(),
                reason: format!("{agent} is no agent of this deployment"),
            }
            .into()),
        }
    }

    async fn config_of(&self, agent: &Agent, limit: Duration) -> Result<AgentConfig, ArangoError> {
        let request = Request::get("/_api/agency/config");
        let asked = label(&request);
        let request = request.bearer(&self.inner.token);
        let response = agent.client.send(request, limit).await?;
        if !response.is_success() {
            return Err(ArangoError::of(asked, &response));
        }
        response.json().map_err(|error| ArangoError::Answer {
            request: asked,
            status: response.status,
            reason: error.to_string(),
        })
    }

    /// One look at all planned agents, at one time.
    pub(crate) async fn look(&self) -> Vec<Look> {
        join_all(self.inner.agents.iter().map(|agent| async move {
            let config = self.config_of(agent, LOOK_LIMIT).await;
            Look {
                server: agent.key.clone(),
                config: config.map_err(|error| crate::probe::reason(&error)),
            }
        }))
        .await
    }

    /// Asks this agent first from now on: it was seen to lead.
    pub(crate) fn expect_leader(&self, leader: &ServerKey) {
        let mut agents = self.inner.agents.iter();
        let index = agents.position(|agent| agent.key == *leader);
        let index = index.unwrap_or(NOBODY);
        self.inner.leader.store(index, Ordering::Relaxed);
    }

    /// The leader; waits until there is one that a majority of the planned agents names.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn leader(&self) -> Result<Leadership, AgencyError> {
        self.leader_after(0).await
    }

    /// The leader of a term after this one: for tests that end the leader.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn leader_after(&self, term: u64) -> Result<Leadership, AgencyError> {
        let begun = Instant::now();
        let deadline = Deadline::after(self.limit);
        let mut poll = Poll::new(Duration::from_millis(5), Duration::from_millis(100));
        loop {
            let looks = self.look().await;
            match agreed(&looks) {
                Some(leader) if leader.term > term => return Ok(leader),
                _ if deadline.passed() => {
                    return Err(AgencyError::NoLeader {
                        waited: begun.elapsed(),
                        last: looks.iter().map(said).collect::<Vec<_>>().join("; "),
                    });
                }
                _ => poll.pause(deadline).await,
            }
        }
    }

    /// Waits until no agent that answers knows a leader, and returns the newest term: for tests that take the agency's
    /// majority away.
    ///
    /// # Errors
    /// When one still knows a leader at the end.
    pub async fn leaderless(&self) -> Result<u64, AgencyError> {
        let begun = Instant::now();
        let deadline = Deadline::after(self.limit);
        let mut poll = Poll::new(Duration::from_millis(5), Duration::from_millis(100));
        loop {
            let looks = self.look().await;
            let led = looks.iter().any(|look| {
                let config = look.config.as_ref();
                config.is_ok_and(|config| config.leader().is_some())
            });
            match newest_term(&looks) {
                Some(term) if !led => return Ok(term),
                _ if deadline.passed() => {
                    return Err(AgencyError::Led {
                        waited: begun.elapsed(),
                        last: looks.iter().map(said).collect::<Vec<_>>().join("; "),
                    });
                }
                _ => poll.pause(deadline).await,
            }
        }
    }

    /// The agents that follow the leader, in order; waits until there is a leader.
    ///
    /// # Errors
    /// When there is no leader in time.
    pub async fn followers(&self) -> Result<Vec<ServerKey>, AgencyError> {
        let leader = self.leader().await?.server;
        let agents = self.inner.agents.iter().map(|agent| agent.key.clone());
        Ok(agents.filter(|agent| *agent != leader).collect())
    }

    /// Where each planned agent is reached by the others: `tcp://127.0.0.1:4711`.
    #[must_use]
    pub fn endpoints(&self) -> Vec<(ServerKey, String)> {
        let agents = self.inner.agents.iter();
        agents
            .map(|agent| (agent.key.clone(), format!("tcp://{}", agent.advertised)))
            .collect()
    }

    /// Sends a request to the leader, wherever that is, and returns its answer, whatever its status.
    pub(super) async fn ask(
        &self,
        request: Request,
        again: Again,
    ) -> Result<Response, AgencyError> {
        let begun = Instant::now();
        let deadline = Deadline::after(self.limit);
        let asked = label(&request);
        let request = request.bearer(&self.inner.token);
        let mut poll = Poll::new(Duration::from_millis(5), Duration::from_millis(200));
        let count = self.inner.agents.len();
        let mut index = match self.inner.leader.load(Ordering::Relaxed) {
            NOBODY if again == Again::OnlyIfNothingWasDone => self.likely_leader().await,
            NOBODY => 0,
            known => known,
        };
        let mut redirections = 0;
        let mut last = "nobody was asked".to_owned();
        loop {
            let agent = self.inner.agents.get(index);
            let limit = match again {
                Again::Freely => deadline.within(READ_LIMIT),
                Again::OnlyIfNothingWasDone => deadline,
            };
            let seen = match agent {
                None => "the deployment has no agents".to_owned(),
                Some(agent) => match agent.client.send(request.clone(), limit).await {
                    Ok(response) if response.status == 307 => {
                        index = self.sent_on(&asked, &response)?;
                        redirections += 1;
                        if redirections <= count && !deadline.passed() {
                            continue;
                        }
                        format!("{} sent it on, again and again", agent.key)
                    }
                    Ok(response) if is_worth_waiting(&response, again) => {
                        format!("{}: HTTP 503: {}", agent.key, response.text())
                    }
                    Ok(response) => {
                        self.inner.leader.store(index, Ordering::Relaxed);
                        return Ok(response);
                    }
                    Err(error) if error.surely_not_sent() || again == Again::Freely => {
                        error.to_string()
                    }
                    Err(error) => {
                        self.inner.leader.store(NOBODY, Ordering::Relaxed);
                        return Err(error.into());
                    }
                },
            };
            self.inner.leader.store(NOBODY, Ordering::Relaxed);
            if deadline.passed() {
                return Err(AgencyError::NoLeader {
                    waited: begun.elapsed(),
                    last,
                });
            }
            // Cut short by the deadline, an attempt says less than the one before.
            last = seen;
            poll.pause(deadline).await;
            redirections = 0;
            index = (index + 1).checked_rem(count).unwrap_or(0);
        }
    }

    /// Whom to ask first what must not be asked twice: an agent that is frozen would never say that it is not the leader.
    async fn likely_leader(&self) -> usize {
        let leader = agreed(&self.look().await).map(|leader| leader.server);
        let mut agents = self.inner.agents.iter();
        agents
            .position(|agent| Some(&agent.key) == leader.as_ref())
            .unwrap_or(0)
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

/// Whether a 503 says that nothing was done, or does not matter: the agency has no leader now, or the agent starts or ends.
fn is_worth_waiting(response: &Response, again: Again) -> bool {
    let text = || response.text();
    response.status == 503
        && (again == Again::Freely
            || text().contains("No leader")
            || text().contains("\"errorNum\":503"))
}

/// What an agent says, in a few words.
fn said(look: &Look) -> String {
    let server = &look.server;
    match &look.config {
        Err(why) => format!("{server}: {why}"),
        Ok(config) => match config.leader() {
            None => format!("{server} knows no leader in term {}", config.term),
            Some(leader) => format!("{server} names {leader} in term {}", config.term),
        },
    }
}

impl fmt::Debug for Agency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agency")
            .field("endpoints", &self.endpoints())
            .field("limit", &self.limit)
            .finish()
    }
}
