//! The way to the leader.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use armadillo_orchestrator::join::join_all;
use armadillo_orchestrator::{Client, Deadline, Poll, Request, ServerKey, View};

use super::config::AgentConfig;
use super::error::AgencyError;
use super::leader::{Leadership, Look, agreed, newest_term};
use crate::auth;
use crate::client::{ArangoError, label};
use crate::launch::{PORT, endpoint_scheme};
use crate::role::Role;

/// How long a request may take, with all waiting for a leader, unless [`Agency::with_limit`] says otherwise.
const LIMIT: Duration = Duration::from_secs(30);

/// How long an agent may take to say how it is. It answers from memory.
const LOOK_LIMIT: Duration = Duration::from_secs(1);

/// No agent.
const NOBODY: usize = usize::MAX;

/// The agency of a deployment, asked with all rights. Clones share its connections.
#[derive(Clone)]
pub struct Agency {
    pub(super) inner: Arc<Inner>,
    pub(super) limit: Duration,
}

pub(super) struct Inner {
    pub(super) agents: Vec<Agent>,
    /// With the key that signs at this moment.
    pub(super) view: View,
    /// Which agent answered last, so the leader, most likely; or [`NOBODY`].
    leader: AtomicUsize,
    /// How the agents' endpoints begin: `tcp`.
    scheme: &'static str,
}

pub(super) struct Agent {
    pub(super) key: ServerKey,
    /// `host:port`, as the other agents know it.
    pub(super) advertised: String,
    pub(super) client: Client,
}

impl Agency {
    /// The agency of this deployment. One without agents never has a leader.
    #[must_use]
    pub fn new(view: &View) -> Self {
        let agents = view.of_role(Role::Agent.name()).filter_map(|(key, place)| {
            Some(Agent {
                key: key.clone(),
                advertised: place.advertise.get(PORT)?.clone(),
                client: view.client(key, PORT)?,
            })
        });
        Self {
            inner: Arc::new(Inner {
                agents: agents.collect(),
                view: view.clone(),
                leader: AtomicUsize::new(NOBODY),
                scheme: endpoint_scheme(view),
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

    /// The request, with what shows who asks.
    pub(super) fn signed(&self, request: Request) -> Request {
        // Signed each time: the key may have changed.
        match auth::of_superuser(&self.inner.view) {
            Some(shown) => request.header("authorization", shown.reveal()),
            None => request,
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
                reason: format!("{agent} is not an agent of this deployment"),
            }
            .into()),
        }
    }

    async fn config_of(&self, agent: &Agent, limit: Duration) -> Result<AgentConfig, ArangoError> {
        let request = Request::get("/_api/agency/config");
        let asked = label(&request);
        let request = self.signed(request);
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
        self.expect(self.place_of(leader));
    }

    /// Asks this agent first from now on, or whoever comes first.
    pub(super) fn expect(&self, agent: Option<usize>) {
        let index = agent.unwrap_or(NOBODY);
        self.inner.leader.store(index, Ordering::Relaxed);
    }

    /// Whom to ask first.
    pub(super) fn expected(&self) -> Option<usize> {
        Some(self.inner.leader.load(Ordering::Relaxed)).filter(|index| *index != NOBODY)
    }

    fn place_of(&self, agent: &ServerKey) -> Option<usize> {
        let mut agents = self.inner.agents.iter();
        agents.position(|known| known.key == *agent)
    }

    /// The place of the agent that a majority names the leader; waits for one.
    pub(super) async fn leading(&self, deadline: Deadline) -> Result<usize, AgencyError> {
        let leader = self.leader_until(0, deadline).await?.server;
        Ok(self.place_of(&leader).unwrap_or(0))
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
        self.leader_until(term, Deadline::after(self.limit)).await
    }

    async fn leader_until(&self, term: u64, deadline: Deadline) -> Result<Leadership, AgencyError> {
        let begun = Instant::now();
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

    /// Where each planned agent is reached by the others: `tcp://127.0.0.1:4711`, or `ssl://` with TLS.
    #[must_use]
    pub fn endpoints(&self) -> Vec<(ServerKey, String)> {
        let agents = self.inner.agents.iter();
        agents
            .map(|agent| {
                let endpoint = format!("{}://{}", self.inner.scheme, agent.advertised);
                (agent.key.clone(), endpoint)
            })
            .collect()
    }
}

/// What an agent says, in a few words.
fn said(look: &Look) -> String {
    let server = &look.server;
    match &look.config {
        Err(why) => format!("{server}: {why}"),
        Ok(config) => match config.leader() {
            None => format!("{server} has no leader in term {}", config.term),
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
