//! What a cluster is at one moment, in one value.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use armadillo_harness::fixture::{LeaseError, Observe};
use armadillo_orchestrator::ServerKey;
use armadillo_orchestrator::deployment::Phase;
use armadillo_orchestrator::join::join_all;

use crate::client::{EtcdError, Member, MemberStatus};
use crate::fixture::Etcd;
use crate::health::GROUP;

/// How long a member may take to say how it is.
const LIMIT: Duration = Duration::from_secs(2);

/// A cluster at one moment. The members are asked at the same time; a change meanwhile may be in one answer and not in another.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EtcdState {
    /// The member that leads; `None` while there is none.
    pub leader: Option<ServerKey>,
    /// The newest Raft term that any member knows; 0 if no member answers.
    pub term: u64,
    /// The planned members.
    pub servers: BTreeMap<ServerKey, ServerState>,
    /// Members that the cluster knows and that are not planned: a test has added them.
    pub unplanned: Vec<Member>,
}

/// A planned member at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerState {
    /// How its process is; `None` for one that somebody else started.
    pub phase: Option<Phase>,
    /// Its process id, while it runs.
    pub pid: Option<u32>,
    /// How long its process has run.
    pub up_for: Option<Duration>,
    /// What the cluster knows of it: id, addresses, whether it is a learner. `None` if the cluster does not know it.
    pub member: Option<Member>,
    /// What it says of itself: version, leader, term, indexes, size. `None` if it does not answer.
    pub status: Option<MemberStatus>,
}

/// Why the state is not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// No member answers.
    #[error("cannot read the members of the cluster: {0}")]
    Members(#[from] EtcdError),
    /// The daemon does not say how the servers are.
    #[error("cannot read the state of the servers: {0}")]
    Lease(#[from] LeaseError),
}

impl Etcd {
    /// The cluster at this moment: who leads, and how each member is.
    ///
    /// # Errors
    /// When no member answers, or the daemon does not.
    pub async fn state(&self) -> Result<EtcdState, StateError> {
        let members = self.known_members().await?;
        let health = self.health().await?;
        let processes = self.processes().await?;
        let client = self.client().with_limit(LIMIT);
        let client = &client;
        let statuses = self.members().into_iter().map(|server| async move {
            let status = client.status(&server).await.ok();
            (server, status)
        });
        let (planned, unplanned): (Vec<Member>, Vec<Member>) = members
            .into_iter()
            .partition(|member| member.server.is_some());
        let is_ours = self.orchestrator().view().attached().is_none();
        let servers = join_all(statuses).await.into_iter().map(|(key, status)| {
            let process = processes.get(&key).filter(|_| is_ours);
            let mut known = planned.iter();
            let state = ServerState {
                phase: process.map(|process| process.phase),
                pid: process.and_then(|process| process.pid),
                up_for: process.and_then(|process| process.up_for),
                member: known
                    .find(|member| member.server.as_ref() == Some(&key))
                    .cloned(),
                status,
            };
            (key, state)
        });
        let servers: BTreeMap<ServerKey, ServerState> = servers.collect();
        let terms = servers.values().filter_map(|server| server.status.as_ref());
        Ok(EtcdState {
            leader: health.leader(GROUP).cloned(),
            term: terms.map(|status| status.term).max().unwrap_or(0),
            servers,
            unplanned,
        })
    }
}

/// A line for the leader and one for each member.
impl fmt::Display for EtcdState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let leader = self.leader.as_ref().map_or("nobody", ServerKey::as_str);
        writeln!(f, "{leader} leads in term {}", self.term)?;
        for (key, server) in &self.servers {
            write!(f, "{key}:")?;
            if let Some(phase) = server.phase {
                write!(f, " {phase}")?;
            }
            if let (Some(pid), Some(up_for)) = (server.pid, server.up_for) {
                write!(f, " as process {pid} for {up_for:.1?}")?;
            }
            match &server.status {
                Some(status) => writeln!(
                    f,
                    ", {}, applied {} of {}, revision {}",
                    status.version, status.applied_index, status.raft_index, status.revision
                )?,
                None => writeln!(f, ", no answer")?,
            }
        }
        Ok(())
    }
}
