//! Members that are added, promoted, moved and removed while the cluster runs: for clusters of one's own.
//!
//! Sources: <https://etcd.io/docs/v3.4/op-guide/runtime-configuration/> and
//! <https://etcd.io/docs/v3.4/learning/design-learner/>.

use std::time::Duration;

use armadillo_harness::fixture::{
    ChangeOperation, LeaseError, NoSpare, Observe, OperationError, Owned, PlannedChange,
    ServerName, WaitError, when,
};
use armadillo_orchestrator::{
    Health, QuorumChange, QuorumLost, ServerKey, Step, StepKind, SystemStep, Voters,
};

use crate::client::{EtcdError, Member};
use crate::fixture::{AsEtcd, Etcd};
use crate::steps::{self, members};
use crate::topology::{ROLE, SPARES};

/// How long a member that was removed may take to end by itself: with etcd's own timers it takes five seconds.
const PARTING: Duration = Duration::from_secs(10);

/// How long members that run may take to do their part. An election takes less; on a busy machine one follows the other.
const ELECTED: Duration = Duration::from_secs(20);

/// Why the members of a cluster were not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MembersError {
    /// It would leave the cluster without a majority.
    #[error(transparent)]
    Quorum(#[from] QuorumLost),
    /// No member is in reserve.
    #[error(transparent)]
    NoSpare(#[from] NoSpare),
    /// The cluster does not know the member.
    #[error("the cluster has no member {server}; its members are {known}")]
    NotAMember {
        /// The server.
        server: ServerKey,
        /// Those that it has, as text.
        known: String,
    },
    /// It did not say who its members are.
    #[error(transparent)]
    Etcd(#[from] EtcdError),
    /// Nobody could say how the members are.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// A step failed: the cluster refused it, or a member did not start or stop.
    #[error(transparent)]
    Operation(#[from] OperationError),
}

/// Changes of the members of a cluster of one's own. Each is an operation: awaited, it is done;
/// [`start`](ChangeOperation::start) returns at once, and what is in progress can be watched and cancelled. One that would leave the
/// cluster without a majority of healthy members is refused, unless it is forced: `cluster.remove_member(&member).force().await?`.
/// After the test, the deployment is replaced.
pub trait Members: AsEtcd {
    /// Adds a member with a vote, and returns it when it answers linearizable reads. It is one of the spares of the topology
    /// (`etcd(spares = 1)`), or one that was removed before; its place in the cluster is new.
    ///
    /// Cancelled before the member has started, everything is taken back; later it stays.
    fn add_member(&self) -> ChangeOperation<ServerKey, MembersError>
    where
        Self: Owned,
    {
        self.as_etcd().adding(false)
    }

    /// The same without a vote: it only follows, until it is promoted. It answers nothing but its status and serializable reads.
    fn add_learner(&self) -> ChangeOperation<ServerKey, MembersError>
    where
        Self: Owned,
    {
        self.as_etcd().adding(true)
    }

    /// Gives a learner a vote, as soon as it has caught up. It can be cancelled until then.
    fn promote(&self, learner: impl ServerName) -> ChangeOperation<(), MembersError>
    where
        Self: Owned,
    {
        let learner = learner.server_key();
        self.as_etcd()
            .acting("promotion", learner, members::promote)
    }

    /// Removes a member from the cluster, and returns when its process has ended and its data is gone. It can be cancelled until
    /// the cluster has removed it.
    fn remove_member(&self, member: impl ServerName) -> ChangeOperation<(), MembersError>
    where
        Self: Owned,
    {
        self.as_etcd().removing(&member.server_key())
    }

    /// Changes the address at which a member's peers reach it, as if it had gone to another machine with its data: stops it,
    /// tells the cluster, and starts it there. Its new address is that of a spare, which is used up.
    ///
    /// Cancelled before the cluster has been told, or refused by it, the member is started where it was.
    fn move_member(&self, member: impl ServerName) -> ChangeOperation<(), MembersError>
    where
        Self: Owned,
    {
        let member = member.server_key();
        self.as_etcd().changing(move |cluster, forced| {
            let member = member.clone();
            async move { cluster.plan_move(&member, forced).await }
        })
    }

    /// Makes a member the leader, and returns when it leads. It can be cancelled until then.
    fn transfer_leadership(&self, to: impl ServerName) -> ChangeOperation<(), MembersError>
    where
        Self: Owned,
    {
        self.as_etcd()
            .acting("leadership transfer", to.server_key(), members::lead)
    }
}

impl<T: AsEtcd> Members for T {}

impl Etcd {
    fn changing<T, F>(
        &self,
        plan: impl Fn(Self, bool) -> F + Send + Sync + 'static,
    ) -> ChangeOperation<T, MembersError>
    where
        F: Future<Output = Result<PlannedChange<T>, MembersError>> + Send + 'static,
    {
        let cluster = self.clone();
        self.orchestrator()
            .change(move |forced| plan(cluster.clone(), forced))
    }

    /// A change of this name that is one act on a member.
    fn acting(
        &self,
        name: &'static str,
        on: ServerKey,
        act: fn() -> SystemStep,
    ) -> ChangeOperation<(), MembersError> {
        self.changing(move |cluster, _| {
            let on = on.clone();
            async move {
                member(&cluster.known_members().await?, &on)?;
                let steps = vec![Step::act(Some(&on), act())];
                Ok(PlannedChange::new(name, steps, ()))
            }
        })
    }

    pub(crate) fn adding(&self, learner: bool) -> ChangeOperation<ServerKey, MembersError> {
        self.changing(move |cluster, forced| async move {
            cluster.plan_addition(learner, forced || learner).await
        })
    }

    pub(crate) fn removing(&self, server: &ServerKey) -> ChangeOperation<(), MembersError> {
        let server = server.clone();
        self.changing(move |cluster, forced| {
            let server = server.clone();
            async move { cluster.plan_removal(&server, forced).await }
        })
    }

    async fn plan_addition(
        &self,
        learner: bool,
        forced: bool,
    ) -> Result<PlannedChange<ServerKey>, MembersError> {
        let spare = self.orchestrator().spare(ROLE, SPARES)?;
        if !forced {
            let known = self.known_members().await?;
            self.keeps_majority(&known, QuorumChange::Add(&spare))
                .await?;
        }
        // Learners answer no linearizable reads.
        let (name, gate) = match learner {
            true => ("learner addition", steps::APPLIED),
            false => ("member addition", steps::READ),
        };
        let key = Some(&spare);
        let steps = vec![
            Step::undoable(key, members::add(learner), members::remove()),
            Step::of(&spare, StepKind::Join),
            Step::of(&spare, StepKind::Start),
            Step::gate(key, SystemStep::new(gate)),
        ];
        Ok(PlannedChange::new(name, steps, spare))
    }

    async fn plan_removal(
        &self,
        server: &ServerKey,
        forced: bool,
    ) -> Result<PlannedChange<()>, MembersError> {
        let known = self.known_members().await?;
        member(&known, server)?;
        if !forced {
            self.keeps_majority(&known, QuorumChange::Remove(server))
                .await?;
        }
        let steps = vec![
            // From here on, its end is no crash.
            Step::of(server, StepKind::Leave),
            Step::act(Some(server), members::remove()),
            Step::of(server, StepKind::Dismiss { grace: PARTING }).bound(),
        ];
        Ok(PlannedChange::new("member removal", steps, ()))
    }

    async fn plan_move(
        &self,
        server: &ServerKey,
        forced: bool,
    ) -> Result<PlannedChange<()>, MembersError> {
        let known = self.known_members().await?;
        member(&known, server)?;
        if !forced {
            self.keeps_majority(&known, QuorumChange::Restart(server))
                .await?;
        }
        let spare = self.orchestrator().spare(ROLE, SPARES)?;
        let key = Some(server);
        let port = "peer".to_owned();
        let there = StepKind::Move {
            port,
            to: spare.clone(),
        };
        let steps = vec![
            Step::of(server, StepKind::Stop { forced }),
            Step::undoable(key, members::move_to(&spare), members::move_to(server)),
            Step::of(server, there).bound(),
            Step::of(server, StepKind::Start).bound(),
            Step::gate(key, SystemStep::new(steps::READ)),
        ];
        Ok(PlannedChange::new("member move", steps, ()))
    }

    /// Whether a change leaves a majority of those who have a vote. Members that run may be electing a leader, and are given time to do
    /// their part; what cannot be so however long that takes is refused at once.
    async fn keeps_majority(
        &self,
        members: &[Member],
        change: QuorumChange<'_>,
    ) -> Result<(), MembersError> {
        let votes = members.iter().filter(|member| !member.is_learner);
        // One that is not planned counts, and nobody sees it healthy.
        let key = |member: &Member| {
            let server = member.server.clone();
            server.unwrap_or_else(|| ServerKey(format!("{:x}", member.id)))
        };
        let votes: Vec<ServerKey> = votes.map(key).collect();
        let seen = |health: &Health| Voters::seen("members", votes.iter().cloned(), health);
        let now = seen(&self.health().await?);
        let Err(lost) = now.allow(change) else {
            return Ok(());
        };
        let processes = self.processes().await?;
        let runs = |server: &&ServerKey| {
            let process = processes.get(*server);
            process.is_some_and(|process| !process.phase.is_down())
        };
        let at_best = Voters {
            healthy: votes.iter().filter(runs).cloned().collect(),
            ..now
        };
        if at_best.allow(change).is_err() {
            return Err(lost.into());
        }
        let kept = |health: &Health| seen(health).allow(change).is_ok();
        let kept = when("a majority that is kept", kept);
        match self.orchestrator().wait_until_within(ELECTED, kept).await {
            Ok(_) => Ok(()),
            Err(WaitError::Missing { health, .. }) => Ok(seen(&health).allow(change)?),
            Err(WaitError::Lease(error)) => Err(error.into()),
            Err(_) => Err(lost.into()),
        }
    }
}

fn member<'a>(members: &'a [Member], server: &ServerKey) -> Result<&'a Member, MembersError> {
    let mut known = members.iter();
    known
        .find(|member| member.server.as_ref() == Some(server))
        .ok_or_else(|| MembersError::NotAMember {
            server: server.clone(),
            known: names(members),
        })
}

fn names(members: &[Member]) -> String {
    let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    names.join(", ")
}
