//! Members that are added, promoted, moved and removed while the cluster runs: for clusters of one's own.
//!
//! Sources: <https://etcd.io/docs/v3.4/op-guide/runtime-configuration/> and
//! <https://etcd.io/docs/v3.4/learning/design-learner/>.

use std::time::Duration;

use armadillo_harness::fixture::{Guarded, LeaseError, NoSpare, Observe, Owned, ServerName};
use armadillo_orchestrator::membership::LaunchWords;
use armadillo_orchestrator::{Deadline, Poll, QuorumChange, QuorumLost, ServerKey, Voters};

use crate::client::{EtcdError, Member, Reconfiguration};
use crate::fixture::{AsEtcd, Etcd};
use crate::names::member_name;
use crate::topology::{ROLE, SPARES};

/// How long a member that was removed may take to end by itself: with etcd's own timers it takes five seconds.
const PARTING: Duration = Duration::from_secs(10);

/// How long the cluster may take until it accepts a change. It refuses one while it has not been connected to all members for
/// five seconds (`--strict-reconfig-check`), and a promotion while the learner has not caught up.
const ACCEPTANCE: Duration = Duration::from_secs(20);

/// What etcd says while a change may be accepted a moment later.
const NOT_YET: [&str; 3] = [
    "unhealthy cluster",
    "not enough started members",
    "in sync with leader",
];

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
    /// The cluster refused it.
    #[error(transparent)]
    Etcd(#[from] EtcdError),
    /// The member did not start or stop.
    #[error(transparent)]
    Lease(#[from] LeaseError),
}

/// Changes of the members of a cluster of one's own. One that would leave the cluster without a majority of healthy members is
/// refused, unless it is forced: `cluster.remove_member(&member).force().await?`. After the test, the deployment is replaced.
pub trait Members: AsEtcd {
    /// Adds a member with a vote, and returns it when it serves clients. It is one of the spares of the topology
    /// (`etcd(spares = 1)`), or one that was removed before; its place in the cluster is new.
    fn add_member(&self) -> Guarded<Result<ServerKey, MembersError>>
    where
        Self: Owned,
    {
        let cluster = self.as_etcd().clone();
        Guarded::new(move |forced| async move { cluster.add(false, forced).await })
    }

    /// The same without a vote: it only follows, until it is promoted. It answers nothing but its status and serializable reads.
    fn add_learner(&self) -> impl Future<Output = Result<ServerKey, MembersError>> + Send
    where
        Self: Owned,
    {
        self.as_etcd().add(true, true)
    }

    /// Gives a learner a vote, as soon as it has caught up.
    fn promote(
        &self,
        learner: impl ServerName,
    ) -> impl Future<Output = Result<(), MembersError>> + Send
    where
        Self: Owned,
    {
        self.as_etcd().give_vote(learner.server_key())
    }

    /// Removes a member from the cluster, and returns when its process has ended and its data is gone.
    fn remove_member(&self, member: impl ServerName) -> Guarded<Result<(), MembersError>>
    where
        Self: Owned,
    {
        let (cluster, member) = (self.as_etcd().clone(), member.server_key());
        Guarded::new(move |forced| async move { cluster.remove(&member, forced).await })
    }

    /// Changes the address at which a member's peers reach it, as if it had gone to another machine with its data: stops it,
    /// tells the cluster, and starts it there. Its new address is that of a spare, which is used up.
    fn move_member(&self, member: impl ServerName) -> Guarded<Result<(), MembersError>>
    where
        Self: Owned,
    {
        let (cluster, member) = (self.as_etcd().clone(), member.server_key());
        Guarded::new(move |forced| async move { cluster.readdress(&member, forced).await })
    }
}

impl<T: AsEtcd> Members for T {}

impl Etcd {
    pub(crate) async fn add(&self, learner: bool, forced: bool) -> Result<ServerKey, MembersError> {
        let orchestrator = self.orchestrator();
        let spare = orchestrator.spare(ROLE, SPARES)?;
        if !forced {
            let voters = self.voters(&self.known_members().await?).await?;
            voters.allow(QuorumChange::Add(&spare))?;
        }
        let url = self.peer_url(&spare);
        let peer_url = url.clone();
        let add = Reconfiguration::Add { peer_url, learner };
        let members = self.accepted(&add).await?;
        let name = member_name(&orchestrator.view().deployment, &spare);
        let launch = joining(&members, &url, &name);
        orchestrator.join(&spare, Some(launch)).await?;
        orchestrator.control(&spare).start().await?;
        Ok(spare)
    }

    async fn give_vote(&self, learner: ServerKey) -> Result<(), MembersError> {
        let id = member(&self.known_members().await?, &learner)?.id;
        self.accepted(&Reconfiguration::Promote(id)).await.map(drop)
    }

    pub(crate) async fn remove(
        &self,
        server: &ServerKey,
        forced: bool,
    ) -> Result<(), MembersError> {
        let members = self.known_members().await?;
        let gone = member(&members, server)?;
        if !forced {
            let voters = self.voters(&members).await?;
            voters.allow(QuorumChange::Remove(server))?;
        }
        let orchestrator = self.orchestrator();
        // From here on, its end is no crash.
        orchestrator.leave(server).await?;
        let removed = self.accepted(&Reconfiguration::Remove(gone.id)).await;
        if let Err(error) = removed
            && !self.has_lost(gone.id).await
        {
            orchestrator.join(server, None).await?;
            return Err(error);
        }
        Ok(orchestrator.dismiss(server, PARTING).await?)
    }

    async fn readdress(&self, server: &ServerKey, forced: bool) -> Result<(), MembersError> {
        let members = self.known_members().await?;
        let id = member(&members, server)?.id;
        if !forced {
            let voters = self.voters(&members).await?;
            voters.allow(QuorumChange::Restart(server))?;
        }
        let orchestrator = self.orchestrator();
        let spare = orchestrator.spare(ROLE, SPARES)?;
        let control = orchestrator.control(server);
        control.stop().await?;
        let peer_url = self.peer_url(&spare);
        let url = peer_url.clone();
        let moved = self.accepted(&Reconfiguration::Move { id, peer_url }).await;
        if let Err(error) = moved
            && !self.has_at(id, &url).await
        {
            // Where it was before. That it was not moved says more than that it did not start either.
            let _ = control.start().await;
            return Err(error);
        }
        orchestrator.move_port(server, "peer", &spare).await?;
        Ok(control.start().await?)
    }

    /// Whether the cluster surely has the member at this address: the answer to its move may have been lost.
    async fn has_at(&self, id: u64, url: &str) -> bool {
        let members = self.known_members().await.unwrap_or_default();
        let mut moved = members.iter().filter(|member| member.id == id);
        moved.any(|member| member.peer_urls.iter().any(|known| known == url))
    }

    /// The members that have a vote, and which of them are healthy.
    async fn voters(&self, members: &[Member]) -> Result<Voters, MembersError> {
        let votes = members.iter().filter(|member| !member.is_learner);
        // One that is not planned counts, and nobody sees it healthy.
        let key = |member: &Member| {
            let server = member.server.clone();
            server.unwrap_or_else(|| ServerKey(format!("{:x}", member.id)))
        };
        let health = self.health().await?;
        Ok(Voters::seen("members", votes.map(key), &health))
    }

    /// Whether the cluster surely has no such member any more: the answer to its removal may have been lost.
    async fn has_lost(&self, id: u64) -> bool {
        let members = self.known_members().await;
        members.is_ok_and(|members| members.iter().all(|member| member.id != id))
    }

    /// Asks until the cluster accepts it, as long as it says that it may.
    async fn accepted(&self, change: &Reconfiguration) -> Result<Vec<Member>, MembersError> {
        let client = self.client();
        let deadline: Deadline = self.orchestrator().wait_end().within(ACCEPTANCE);
        let mut poll = Poll::new(Duration::from_millis(20), Duration::from_millis(250));
        loop {
            match client.reconfigure(change).await {
                Err(error) if may_pass(&error) && !deadline.passed() => {}
                outcome => return Ok(outcome?),
            }
            poll.pause(deadline).await;
        }
    }

    /// Where peers reach a planned member.
    fn peer_url(&self, server: &ServerKey) -> String {
        let view = self.orchestrator().view();
        let place = view.place(server);
        let address = place.as_ref().and_then(|place| place.advertise.get("peer"));
        view.url(address.map(String::as_str).unwrap_or_default())
    }
}

/// Whether etcd refused it for a reason that may be gone a moment later.
fn may_pass(error: &EtcdError) -> bool {
    let text = error.to_string();
    NOT_YET.iter().any(|words| text.contains(words))
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

/// What the launch of a new member is told: the members that there are, and that it is one of them. One without a name has not
/// been started yet: the new one itself.
fn joining(members: &[Member], own_url: &str, own_name: &str) -> LaunchWords {
    let mut cluster = Vec::new();
    for member in members {
        let name = match member.peer_urls.iter().any(|url| url == own_url) {
            true => own_name,
            false => &member.name,
        };
        cluster.extend(member.peer_urls.iter().map(|url| format!("{name}={url}")));
    }
    let words = [
        ("initial-cluster", cluster.join(",")),
        ("initial-cluster-state", "existing".to_owned()),
    ];
    words.map(|(name, value)| (name.to_owned(), value)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str, url: &str) -> Member {
        Member {
            server: None,
            id: 1,
            name: name.to_owned(),
            peer_urls: vec![url.to_owned()],
            client_urls: Vec::new(),
            is_learner: false,
        }
    }

    #[test]
    fn a_new_member_is_told_of_the_others_and_of_itself() {
        let members = [known("d.member-1", "http://a"), known("", "http://b")];
        let words = joining(&members, "http://b", "d.member-2");
        assert_eq!(
            words["initial-cluster"],
            "d.member-1=http://a,d.member-2=http://b"
        );
        assert_eq!(words["initial-cluster-state"], "existing");
    }

    #[test]
    fn what_may_pass_is_asked_again() {
        let refused = |message: &str| EtcdError::Unknown {
            request: "add a member".into(),
            why: format!("member-1 answered HTTP 503: {message}"),
        };
        assert!(may_pass(&refused("etcdserver: unhealthy cluster")));
        assert!(may_pass(&refused(
            "etcdserver: can only promote a learner member which is in sync with leader"
        )));
        assert!(!may_pass(&refused("etcdserver: request timed out")));
    }
}
