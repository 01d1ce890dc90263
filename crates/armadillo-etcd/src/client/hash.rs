//! Hashes of what members have stored, to compare them while writes go on.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use armadillo_orchestrator::join::try_join_all;
use armadillo_orchestrator::{Deadline, Poll, Request, ServerKey};
use serde_json::json;

use super::wire::{HashAnswer, HashKvAnswer, decode};
use super::{EtcdClient, EtcdError, Kind};

/// Where peers compare their stores (`PeerHashKVPath` in etcd's `etcdserver/corrupt.go`). The gateway does not have it in any version
/// from 3.4 to 3.7, so the members' peer ports are asked.
const PEER_HASH: &str = "/members/hashkv";

/// What a member says of a revision that it has not applied yet (`ErrFutureRev` in etcd's `mvcc/kv.go`).
const NOT_YET: &str = "future revision";

/// The keys of every member up to one revision, as hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreHashes {
    /// The revision.
    pub revision: u64,
    /// Each member's.
    pub members: BTreeMap<ServerKey, StoreHash>,
}

/// The keys of one member up to a revision, as a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreHash {
    /// The hash. Those of members that have compacted at other revisions cannot be compared.
    pub hash: u32,
    /// The revision at which the member's store was compacted last; `None` if it never was.
    pub compacted: Option<u64>,
}

impl StoreHashes {
    /// Whether all members have stored the same.
    #[must_use]
    pub fn are_equal(&self) -> bool {
        let mut all = self.members.values();
        let first = all.next();
        all.all(|hash| Some(hash) == first)
    }
}

/// `revision 812: member-1 5ae1c3f0, member-2 5ae1c3f0`
impl fmt::Display for StoreHashes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "revision {}:", self.revision)?;
        for (number, (member, hash)) in self.members.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(f, "{comma} {member} {:08x}", hash.hash)?;
            if let Some(revision) = hash.compacted {
                write!(f, " (compacted at {revision})")?;
            }
        }
        Ok(())
    }
}

impl EtcdClient {
    /// A hash of one member's whole store. Members that have applied the same entries have the same.
    ///
    /// # Errors
    /// When it does not answer, or is not one of the client's.
    pub async fn hash(&self, server: &ServerKey) -> Result<u32, EtcdError> {
        let answer: HashAnswer = self
            .at(server)?
            .call(
                Kind::Read,
                format!("hash of {server}"),
                "/v3/maintenance/hash",
                &json!({}),
            )
            .await?;
        Ok(answer.hash)
    }

    /// A hash of all keys and their history up to the newest revision, of every member. Writes may go on meanwhile: a member that has
    /// not applied that revision is waited for, within the client's limit ([`Self::with_limit`]). All tests' keys are in it.
    ///
    /// # Errors
    /// When a member does not answer, or has not applied the revision in time.
    pub async fn hashes(&self) -> Result<StoreHashes, EtcdError> {
        let deadline = Deadline::after(self.limit);
        let servers = self.servers();
        // All at once: the limit of each is as long as the deadline, and begins with it.
        let statuses = try_join_all(servers.iter().map(|server| self.status(server))).await?;
        let revisions = statuses.iter().map(|status| status.revision);
        let revision = revisions.max().unwrap_or(0);
        let mut members = BTreeMap::new();
        for server in servers {
            let hash = self.hash_at(&server, revision, deadline).await?;
            members.insert(server, hash);
        }
        Ok(StoreHashes { revision, members })
    }

    async fn hash_at(
        &self,
        server: &ServerKey,
        revision: u64,
        deadline: Deadline,
    ) -> Result<StoreHash, EtcdError> {
        let request = format!("hash of {server} at revision {revision}");
        let Some(peer) = self.view.client(server, "peer") else {
            return Err(EtcdError::Unreachable {
                request,
                tried: vec![format!("the peer port of {server} is not known")],
            });
        };
        let mut poll = Poll::new(Duration::from_millis(2), Duration::from_millis(50));
        loop {
            let ask = Request::get(PEER_HASH).json(&json!({ "revision": revision }));
            let answer = peer.send(ask, deadline).await;
            let answer = answer.map_err(|loss| EtcdError::of_loss(&request, server, &loss))?;
            if answer.is_success() {
                return match decode::<HashKvAnswer>(&answer.body) {
                    Ok(answer) => Ok(answer.into()),
                    Err(why) => Err(EtcdError::Malformed {
                        request,
                        server: server.clone(),
                        why,
                    }),
                };
            }
            if !answer.text().contains(NOT_YET) || deadline.passed() {
                return Err(EtcdError::of_answer(&request, server, &answer));
            }
            poll.pause(deadline).await;
        }
    }
}

impl From<HashKvAnswer> for StoreHash {
    fn from(answer: HashKvAnswer) -> Self {
        Self {
            hash: answer.hash,
            // Of a store that was never compacted it says -1.
            compacted: u64::try_from(answer.compact_revision).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(text: &str) -> StoreHash {
        decode::<HashKvAnswer>(text.as_bytes()).unwrap().into()
    }

    #[test]
    fn hashes_are_equal_if_all_members_have_the_same() {
        let one = hash(r#"{"header":{"revision":2},"hash":3628877040,"compact_revision":-1}"#);
        assert_eq!((one.hash, one.compacted), (3_628_877_040, None));
        let compacted = hash(r#"{"hash":3628877040,"compact_revision":2}"#);
        let hashes = |second| StoreHashes {
            revision: 7,
            members: [("member-1".into(), one), ("member-2".into(), second)].into(),
        };
        assert!(hashes(one).are_equal());
        assert!(!hashes(StoreHash { hash: 1, ..one }).are_equal());
        let differ = hashes(compacted);
        assert!(!differ.are_equal());
        assert_eq!(
            differ.to_string(),
            "revision 7: member-1 d84c44f0, member-2 d84c44f0 (compacted at 2)"
        );
    }
}
