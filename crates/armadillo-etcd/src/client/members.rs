//! The members: who they are, how each is, who leads.

use armadillo_orchestrator::{Deadline, ServerKey};
use serde_json::json;

use super::wire::{MemberAnswer, MembersAnswer, PlainAnswer, StatusAnswer};
use super::{EtcdClient, EtcdError, Kind};
use crate::all::all;
use crate::leader::{Look, agreed_leader};
use crate::names::server_of_name;

/// A member as the cluster knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member {
    /// The server, if it is one of the deployment's plan: a member that a test has started itself is not, nor one without a name.
    pub server: Option<ServerKey>,
    /// etcd's number for it.
    pub id: u64,
    /// Its `--name`.
    pub name: String,
    /// Where its peers reach it.
    pub peer_urls: Vec<String>,
    /// Where clients reach it.
    pub client_urls: Vec<String>,
    /// Whether it only follows, without a vote.
    pub is_learner: bool,
}

/// How a member is, as it says itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberStatus {
    /// etcd's number for it.
    pub id: u64,
    /// Its version.
    pub version: String,
    /// The version whose format its database has; `None` before 3.6.
    pub storage_version: Option<String>,
    /// The version that the cluster is being downgraded to, if it was told that it will be.
    pub downgrade_to: Option<String>,
    /// etcd's number for the leader it follows; `None` while it knows none.
    pub leader: Option<u64>,
    /// The Raft term.
    pub term: u64,
    /// The index of the last entry in its log that it knows as committed.
    pub raft_index: u64,
    /// The index of the last entry it has applied.
    pub applied_index: u64,
    /// The store's revision.
    pub revision: u64,
    /// The size of its database file, in bytes.
    pub db_size: u64,
    /// Whether it only follows, without a vote.
    pub is_learner: bool,
    /// What it complains of: no leader, alarms.
    pub errors: Vec<String>,
}

/// A change of the members.
pub(crate) enum Reconfiguration {
    /// One more, that its peers will reach there. A learner has no vote.
    Add { peer_url: String, learner: bool },
    /// A learner gets a vote.
    Promote(u64),
    /// Peers reach it there from now on.
    Move { id: u64, peer_url: String },
    /// One less.
    Remove(u64),
}

impl MemberStatus {
    /// Whether it is the leader, as far as it knows.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.leader == Some(self.id)
    }
}

impl From<StatusAnswer> for MemberStatus {
    fn from(answer: StatusAnswer) -> Self {
        Self {
            id: answer.header.member_id,
            version: answer.version,
            storage_version: Some(answer.storage_version).filter(|version| !version.is_empty()),
            downgrade_to: Some(answer.downgrade.target).filter(|_| answer.downgrade.enabled),
            leader: Some(answer.leader).filter(|leader| *leader != 0),
            term: answer.raft_term,
            raft_index: answer.raft_index,
            applied_index: answer.raft_applied_index,
            revision: answer.header.revision,
            db_size: answer.db_size,
            is_learner: answer.is_learner,
            errors: answer.errors,
        }
    }
}

impl EtcdClient {
    /// How one member is.
    ///
    /// # Errors
    /// When it does not answer, or is not one of the client's.
    pub async fn status(&self, server: &ServerKey) -> Result<MemberStatus, EtcdError> {
        let answer: StatusAnswer = self
            .at(server)?
            .call(
                Kind::Read,
                format!("status of {server}"),
                "/v3/maintenance/status",
                &json!({}),
            )
            .await?;
        Ok(answer.into())
    }

    /// The cluster's members, as the first member that answers knows them.
    ///
    /// # Errors
    /// When none answers.
    pub async fn members(&self) -> Result<Vec<Member>, EtcdError> {
        let answer: MembersAnswer = self
            .call(
                Kind::Read,
                "list members".to_owned(),
                "/v3/cluster/member/list",
                &json!({}),
            )
            .await?;
        Ok(self.of_answer(answer))
    }

    fn of_answer(&self, answer: MembersAnswer) -> Vec<Member> {
        let member = |answer: MemberAnswer| Member {
            server: server_of_name(&self.deployment, &answer.name),
            id: answer.id,
            name: answer.name,
            peer_urls: answer.peer_urls,
            client_urls: answer.client_urls,
            is_learner: answer.is_learner,
        };
        answer.members.into_iter().map(member).collect()
    }

    /// Changes the members, and returns all of them. A new one has no name until it is started.
    pub(crate) async fn reconfigure(
        &self,
        change: &Reconfiguration,
    ) -> Result<Vec<Member>, EtcdError> {
        let (request, path, body) = match change {
            Reconfiguration::Add { peer_url, learner } => (
                format!("add a member at {peer_url}"),
                "/v3/cluster/member/add",
                json!({ "peerURLs": [peer_url], "isLearner": learner }),
            ),
            Reconfiguration::Promote(id) => (
                format!("promote the member {id:x}"),
                "/v3/cluster/member/promote",
                json!({ "ID": id.to_string() }),
            ),
            Reconfiguration::Move { id, peer_url } => (
                format!("move the member {id:x} to {peer_url}"),
                "/v3/cluster/member/update",
                json!({ "ID": id.to_string(), "peerURLs": [peer_url] }),
            ),
            Reconfiguration::Remove(id) => (
                format!("remove the member {id:x}"),
                "/v3/cluster/member/remove",
                json!({ "ID": id.to_string() }),
            ),
        };
        let answer: MembersAnswer = self.call(Kind::Write, request, path, &body).await?;
        Ok(self.of_answer(answer))
    }

    /// The leader: the member that a majority follows in the newest term, and that says so itself.
    ///
    /// # Errors
    /// [`EtcdError::NoLeader`] when there is none right now. It is one look: an election takes its time.
    pub async fn leader(&self) -> Result<ServerKey, EtcdError> {
        let looks = all(self.members_now().into_iter().map(|member| async {
            let limit = Deadline::after(self.limit);
            let look = match self
                .ask(member, "/v3/maintenance/status", &json!({}), limit)
                .await
            {
                Ok(response) => member
                    .read::<StatusAnswer>("status", &response)
                    .map(MemberStatus::from)
                    .map_err(|error| error.to_string()),
                Err(loss) => Err(loss.to_string()),
            };
            Look {
                server: member.server.clone(),
                status: look,
            }
        }))
        .await;
        match agreed_leader(&looks) {
            Some((leader, _)) => Ok(leader.clone()),
            None => Err(EtcdError::NoLeader {
                request: "find the leader".to_owned(),
                why: looks
                    .iter()
                    .map(Look::to_string)
                    .collect::<Vec<_>>()
                    .join("; "),
            }),
        }
    }

    /// Makes `to` the leader. Returns when the present leader has handed over.
    ///
    /// # Errors
    /// When there is no leader, `to` is not a member, or the hand-over is refused.
    pub async fn transfer_leadership(&self, to: &ServerKey) -> Result<(), EtcdError> {
        let target = self.status(to).await?.id;
        let leader = self.leader().await?;
        let _: PlainAnswer = self
            .at(&leader)?
            .call(
                Kind::Write,
                format!("transfer leadership from {leader} to {to}"),
                "/v3/maintenance/transfer-leadership",
                &json!({ "targetID": target.to_string() }),
            )
            .await?;
        Ok(())
    }

    /// Tells the cluster that it will be downgraded to this version, the minor version before its own: `3.5.0`. Only then do
    /// members of that version start on its data. From etcd 3.6 on.
    ///
    /// # Errors
    /// When the cluster refuses the version, or has been told before; those of any request.
    pub async fn enable_downgrade(&self, version: &str) -> Result<(), EtcdError> {
        let request = format!("enable the downgrade to {version}");
        self.downgrade(request, json!({ "action": "ENABLE", "version": version }))
            .await
    }

    /// Tells the cluster that it will not be downgraded.
    ///
    /// # Errors
    /// When it was not told that it would be; those of any request.
    pub async fn cancel_downgrade(&self) -> Result<(), EtcdError> {
        let request = "cancel the downgrade".to_owned();
        self.downgrade(request, json!({ "action": "CANCEL" })).await
    }

    async fn downgrade(&self, request: String, body: serde_json::Value) -> Result<(), EtcdError> {
        let path = "/v3/maintenance/downgrade";
        let _: PlainAnswer = self.call(Kind::Write, request, path, &body).await?;
        Ok(())
    }

    /// Removes the member with this number from the cluster. Its process then ends by itself: with code 0, or with 2 and a
    /// panic ("failed to find local ID in cluster members") if it is handling any request at that moment. Armadillo asks each
    /// member for its status several times a second, so expect both: `expect_exit(ExitExpectation::any())`.
    ///
    /// # Errors
    /// [`Code::NotFound`](super::Code::NotFound) if there is none; those of any request.
    pub async fn remove_member(&self, id: u64) -> Result<(), EtcdError> {
        self.reconfigure(&Reconfiguration::Remove(id))
            .await
            .map(drop)
    }
}
