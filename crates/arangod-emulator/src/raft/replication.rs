//! Replication: how entries get from the leader to the others, and when they are committed.

use std::io::Result;
use std::time::Duration;

use super::core::{Ledger, Progress, Raft, Role};
use super::{Entry, Reply, Request, Snapshot, Storage};

impl<S: Storage> Raft<S> {
    /// What a follower lacks, as far as the leader knows.
    pub(super) fn replicate(&self, ledger: &Ledger, progress: &Progress) -> Request {
        let (term, leader, round) = (self.term, self.id.clone(), ledger.round);
        let prev_index = progress.next.saturating_sub(1);
        match self.log.term(prev_index) {
            Some(prev_term) => Request::Append {
                term,
                leader,
                prev_index,
                prev_term,
                entries: self
                    .log
                    .slice(progress.next, self.timing.batch.max(1))
                    .to_vec(),
                commit: self.commit,
                round,
            },
            None => Request::Install {
                term,
                leader,
                snapshot: self.log.snapshot.clone(),
                round,
            },
        }
    }

    /// Recognises a leader, unless its time is over.
    pub(super) fn follow(&mut self, term: u64, leader: &str, now: Duration) -> Result<bool> {
        if term < self.term {
            return Ok(false);
        }
        if term > self.term {
            self.step_down(term, now)?;
        }
        self.role = Role::Follower;
        self.leader = Some(String::from(leader));
        self.heard = Some(now);
        self.postpone(now);
        Ok(true)
    }

    pub(super) fn refusal(&self, hint: u64, round: u64) -> Reply {
        Reply::Append {
            term: self.term,
            matched: None,
            hint,
            round,
        }
    }

    /// Takes entries from the leader, if the log agrees with what is in front of them.
    pub(super) fn accept(
        &mut self,
        prev: (u64, u64),
        entries: Vec<Entry>,
        commit: u64,
        round: u64,
    ) -> Result<Reply> {
        let (base, _) = self.log.base();
        // What is not kept any more was committed, and so agrees.
        if prev.0 >= base && self.log.term(prev.0) != Some(prev.1) {
            let hint = prev.0.saturating_sub(1).min(self.log.last());
            return Ok(self.refusal(hint.max(self.commit), round));
        }
        let last = prev.0 + entries.len() as u64;
        let fresh: Vec<Entry> = entries
            .into_iter()
            .skip_while(|entry| {
                entry.index <= base || self.log.term(entry.index) == Some(entry.term)
            })
            .collect();
        if !fresh.is_empty() {
            self.storage.append(&fresh)?;
            self.log.append(fresh);
        }
        self.commit = self.commit.max(commit.min(last));
        Ok(Reply::Append {
            term: self.term,
            matched: Some(last),
            hint: last,
            round,
        })
    }

    /// Takes the whole state from the leader.
    pub(super) fn take_over(&mut self, snapshot: Snapshot, round: u64) -> Result<Reply> {
        let index = snapshot.index;
        if index > self.commit {
            self.log.install(snapshot);
            self.commit = index;
            self.rewrite()?;
        }
        Ok(Reply::Append {
            term: self.term,
            matched: Some(index),
            hint: index,
            round,
        })
    }

    /// Takes in how far a follower has come.
    pub(super) fn note_progress(
        &mut self,
        peer: &str,
        matched: Option<u64>,
        hint: u64,
        round: u64,
        sent: Duration,
    ) {
        let Role::Leader(ledger) = &mut self.role else {
            return;
        };
        let Some(progress) = ledger.peers.get_mut(peer) else {
            return;
        };
        progress.round = progress.round.max(round);
        progress.acked = progress.acked.max(sent);
        match matched {
            Some(matched) => {
                progress.matched = progress.matched.max(matched);
                progress.next = progress.matched + 1;
            }
            None => {
                // Less than it has acknowledged: it was started again without its disk (`Agent::reportFailed`).
                progress.matched = progress.matched.min(hint);
                let back = progress.next.saturating_sub(1).min(hint + 1);
                progress.next = back.max(progress.matched + 1);
            }
        }
        self.advance_commit();
    }

    /// Commits what a majority has, if it is of this term: what came before is then committed too.
    pub(super) fn advance_commit(&mut self) {
        let Role::Leader(ledger) = &self.role else {
            return;
        };
        let mut matched: Vec<u64> = ledger.peers.values().map(|peer| peer.matched).collect();
        matched.push(self.log.last());
        matched.sort_unstable_by(|a, b| b.cmp(a));
        let Some(index) = matched.get(self.majority() - 1).copied() else {
            return;
        };
        if index > self.commit && self.log.term(index) == Some(self.term) {
            self.commit = index;
        }
    }
}
