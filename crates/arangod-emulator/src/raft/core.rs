//! A member: what it knows, and what it does as time passes.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io::Result;
use std::time::Duration;

use serde_json::Value;

use super::log::Log;
use super::{Entry, Kept, Random, Reply, Request, Snapshot, Storage, Timing};

/// What a leader knows of another member.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    /// The next entry to send.
    pub(super) next: u64,
    /// The last entry known to be there.
    pub(crate) matched: u64,
    /// The greatest round that came back.
    pub(super) round: u64,
    /// When the last request that was answered had been sent.
    pub(crate) acked: Duration,
}

/// What only a leader has.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// The others.
    pub(crate) peers: BTreeMap<String, Progress>,
    /// Counts the confirmations that were asked for.
    pub(super) round: u64,
    /// The entry that opened the term.
    pub(super) first: u64,
}

/// What a member is at the moment.
#[derive(Debug)]
pub(crate) enum Role {
    /// Follows a leader, or waits for one.
    Follower,
    /// Wants to lead.
    Candidate {
        /// Only asks whether it would be of use.
        pre: bool,
        /// Who has answered.
        answered: BTreeSet<String>,
        /// Who has said yes, itself among them.
        granted: BTreeSet<String>,
    },
    /// Leads.
    Leader(Ledger),
}

/// A member of the group.
#[derive(Debug)]
pub(crate) struct Raft<S> {
    pub(super) id: String,
    /// All members, sorted; empty until they are known.
    pub(super) members: Vec<String>,
    pub(super) storage: S,
    pub(super) term: u64,
    pub(super) vote: Option<String>,
    pub(super) log: Log,
    pub(super) commit: u64,
    pub(super) role: Role,
    pub(super) leader: Option<String>,
    pub(super) timing: Timing,
    /// When a leader was heard last.
    pub(super) heard: Option<Duration>,
    /// When to stand for election.
    pub(super) deadline: Duration,
    pub(super) random: Random,
}

impl<S: Storage> Raft<S> {
    /// A member as it was kept. It does nothing before it knows the others.
    pub(crate) fn new(id: &str, kept: Kept, storage: S, timing: Timing, random: Random) -> Self {
        Self {
            id: String::from(id),
            members: Vec::new(),
            storage,
            term: kept.term,
            vote: kept.vote,
            commit: kept.snapshot.index,
            log: Log::new(kept.snapshot, kept.base, kept.entries),
            role: Role::Follower,
            leader: None,
            timing,
            heard: None,
            deadline: Duration::ZERO,
            random,
        }
    }

    /// The members are known now. A group that has never had a leader need not wait for one.
    pub(crate) fn join(&mut self, mut members: Vec<String>, now: Duration) {
        members.sort();
        self.members = members;
        if self.term == 0 {
            let (least, most) = (self.timing.least / 20, self.timing.least / 4);
            self.deadline = now + self.random.between(least, most);
        } else {
            self.postpone(now);
        }
    }

    pub(super) fn postpone(&mut self, now: Duration) {
        let (least, most) = (self.timing.least, self.timing.most);
        self.deadline = now + self.random.between(least, most);
    }

    pub(super) fn majority(&self) -> usize {
        self.members.len() / 2 + 1
    }

    /// The term.
    pub(crate) fn term(&self) -> u64 {
        self.term
    }

    /// Who leads, as far as this member knows.
    pub(crate) fn leader(&self) -> Option<&str> {
        self.leader.as_deref()
    }

    /// What this member keeps as a leader, if it is one.
    pub(crate) fn ledger(&self) -> Option<&Ledger> {
        match &self.role {
            Role::Leader(ledger) => Some(ledger),
            _ => None,
        }
    }

    /// The last entry that is known to be committed.
    pub(crate) fn commit(&self) -> u64 {
        self.commit
    }

    /// The index of the last entry, committed or not.
    pub(crate) fn last(&self) -> u64 {
        self.log.last()
    }

    /// An entry that is still kept.
    pub(crate) fn entry(&self, index: u64) -> Option<&Entry> {
        self.log.get(index)
    }

    /// The entries that are still kept, whether committed or not.
    pub(crate) fn entries(&self) -> &[Entry] {
        self.log.entries()
    }

    /// The snapshot.
    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.log.snapshot
    }

    /// Whether [`Raft::tick`] has anything to do.
    pub(crate) fn is_due(&self, now: Duration) -> bool {
        if !self.members.contains(&self.id) {
            return false;
        }
        match &self.role {
            Role::Leader(ledger) => {
                let fresh = |peer: &&Progress| peer.acked + self.timing.most >= now;
                ledger.peers.values().filter(fresh).count() + 1 < self.majority()
            }
            Role::Follower | Role::Candidate { .. } => now >= self.deadline,
        }
    }

    /// This process did not get to run for so long: what the others have said meanwhile is still to be heard. A machine
    /// with much to do would change its leader again and again otherwise. Of a long sleep only a part is excused.
    pub(crate) fn excuse(&mut self, lost: Duration) {
        let lost = lost.min(self.timing.most);
        self.deadline += lost;
        if let Role::Leader(ledger) = &mut self.role {
            for peer in ledger.peers.values_mut() {
                peer.acked += lost;
            }
        }
    }

    /// What time does: elections begin, and a leader that nobody answers stops leading.
    pub(crate) fn tick(&mut self, now: Duration) -> Result<()> {
        if !self.is_due(now) {
            return Ok(());
        }
        if matches!(self.role, Role::Leader(_)) {
            self.role = Role::Follower;
            self.leader = None;
            self.postpone(now);
            return Ok(());
        }
        self.campaign(true, now)
    }

    /// Appends an entry as the leader; its index and term.
    pub(crate) fn propose(&mut self, payload: Value) -> Result<Option<(u64, u64)>> {
        if !matches!(self.role, Role::Leader(_)) {
            return Ok(None);
        }
        let entry = Entry {
            index: self.log.last() + 1,
            term: self.term,
            payload,
        };
        let place = (entry.index, entry.term);
        self.storage.append(std::slice::from_ref(&entry))?;
        self.log.append(vec![entry]);
        self.advance_commit();
        Ok(Some(place))
    }

    /// Asks for a proof that this member leads now. A read that sees everything up to the entry
    /// may be answered when [`Raft::confirmed`] says so of the round. Both come in a pair: (round,
    /// entry).
    pub(crate) fn ask_confirmation(&mut self) -> Option<(u64, u64)> {
        let Role::Leader(ledger) = &mut self.role else {
            return None;
        };
        ledger.round += 1;
        // Before the first entry of its own term a leader does not know what is committed.
        Some((ledger.round, self.commit.max(ledger.first)))
    }

    /// Whether a majority has answered a request that was sent after the round was asked for.
    pub(crate) fn confirmed(&self, round: u64) -> bool {
        let Role::Leader(ledger) = &self.role else {
            return false;
        };
        let seen = ledger.peers.values().filter(|peer| peer.round >= round);
        seen.count() + 1 >= self.majority()
    }

    /// Replaces all but the last `keep` entries up to `index` by the state there.
    pub(crate) fn compact(&mut self, index: u64, data: Value, keep: u64) -> Result<()> {
        let Some(term) = self.log.term(index) else {
            return Ok(());
        };
        let snapshot = Snapshot { index, term, data };
        self.log.compact(snapshot, keep);
        self.rewrite()
    }

    pub(super) fn rewrite(&mut self) -> Result<()> {
        let kept = Kept {
            term: self.term,
            vote: self.vote.clone(),
            snapshot: self.log.snapshot.clone(),
            base: self.log.base(),
            entries: self.log.entries().to_vec(),
        };
        self.storage.replace(&kept)
    }

    /// What to send to another member now, if anything. A leader always has something: at least a
    /// sign of life.
    pub(crate) fn request_for(&self, peer: &str) -> Option<Request> {
        match &self.role {
            Role::Follower => None,
            Role::Candidate { pre, answered, .. } => {
                (!answered.contains(peer)).then(|| Request::Vote {
                    term: self.term + u64::from(*pre),
                    candidate: self.id.clone(),
                    last_index: self.log.last(),
                    last_term: self.log.last_term(),
                    pre: *pre,
                })
            }
            Role::Leader(ledger) => Some(self.replicate(ledger, ledger.peers.get(peer)?)),
        }
    }

    /// Whether another member lacks something, so that the next request should not wait.
    pub(crate) fn owes(&self, peer: &str) -> bool {
        match &self.role {
            Role::Follower => false,
            Role::Candidate { answered, .. } => !answered.contains(peer),
            Role::Leader(ledger) => ledger.peers.get(peer).is_some_and(|progress| {
                progress.next <= self.log.last() || progress.round < ledger.round
            }),
        }
    }

    /// Answers what another member asks.
    pub(crate) fn handle(&mut self, request: Request, now: Duration) -> Result<Reply> {
        match request {
            Request::Vote {
                term,
                candidate,
                last_index,
                last_term,
                pre,
            } => {
                let last = (last_term, last_index);
                if pre {
                    Ok(self.would_vote(term, last, now))
                } else {
                    self.vote_for(term, &candidate, last, now)
                }
            }
            Request::Append {
                term,
                leader,
                prev_index,
                prev_term,
                entries,
                commit,
                round,
            } => {
                if !self.follow(term, &leader, now)? {
                    return Ok(self.refusal(0, round));
                }
                self.accept((prev_index, prev_term), entries, commit, round)
            }
            Request::Install {
                term,
                leader,
                snapshot,
                round,
            } => {
                if !self.follow(term, &leader, now)? {
                    return Ok(self.refusal(0, round));
                }
                self.take_over(snapshot, round)
            }
        }
    }

    /// Takes in what another member has answered to a request that was sent at `sent`.
    pub(crate) fn receive(
        &mut self,
        peer: &str,
        reply: Reply,
        sent: Duration,
        now: Duration,
    ) -> Result<()> {
        match reply {
            Reply::Vote { term, granted, pre } => self.count_vote(peer, term, granted, pre, now),
            Reply::Append {
                term,
                matched,
                hint,
                round,
            } => {
                if term > self.term {
                    return self.step_down(term, now);
                }
                if term == self.term {
                    self.note_progress(peer, matched, hint, round, sent);
                }
                Ok(())
            }
        }
    }
}
