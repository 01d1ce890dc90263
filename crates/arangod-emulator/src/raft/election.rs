//! Elections: who may lead in a term.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Result;
use std::time::Duration;

use serde_json::Value;

use super::core::{Ledger, Progress, Raft, Role};
use super::{Reply, Storage};

impl<S: Storage> Raft<S> {
    /// Stands for election. The preliminary one changes no term, so a member that was away cannot
    /// disturb a leader the others are content with.
    pub(super) fn campaign(&mut self, pre: bool, now: Duration) -> Result<()> {
        if !pre {
            self.term += 1;
            self.vote = Some(self.id.clone());
            self.storage.save_vote(self.term, Some(&self.id))?;
        }
        self.leader = None;
        self.role = Role::Candidate {
            pre,
            answered: BTreeSet::new(),
            granted: BTreeSet::from([self.id.clone()]),
        };
        self.postpone(now);
        self.look_at_votes(now)
    }

    /// Goes to a greater term, where nobody is known to lead.
    pub(super) fn step_down(&mut self, term: u64, now: Duration) -> Result<()> {
        self.term = term;
        self.vote = None;
        self.storage.save_vote(term, None)?;
        self.role = Role::Follower;
        self.leader = None;
        self.postpone(now);
        Ok(())
    }

    /// Whether a log that ends there has everything that this member knows.
    fn is_current(&self, last: (u64, u64)) -> bool {
        last >= (self.log.last_term(), self.log.last())
    }

    /// The answer to a preliminary request: no promise, but no while there is a leader.
    pub(super) fn would_vote(&self, term: u64, last: (u64, u64), now: Duration) -> Reply {
        let content = matches!(self.role, Role::Leader(_))
            || self
                .heard
                .is_some_and(|heard| heard + self.timing.least > now);
        Reply::Vote {
            term: self.term,
            granted: !content && term > self.term && self.is_current(last),
            pre: true,
        }
    }

    /// The answer to a request for the vote.
    pub(super) fn vote_for(
        &mut self,
        term: u64,
        candidate: &str,
        last: (u64, u64),
        now: Duration,
    ) -> Result<Reply> {
        if term > self.term {
            self.step_down(term, now)?;
        }
        let free = self.vote.as_deref().is_none_or(|vote| vote == candidate);
        let granted = term == self.term && free && self.is_current(last);
        if granted {
            self.vote = Some(String::from(candidate));
            self.storage.save_vote(self.term, Some(candidate))?;
            self.postpone(now);
        }
        Ok(Reply::Vote {
            term: self.term,
            granted,
            pre: false,
        })
    }

    /// Takes in a vote.
    pub(super) fn count_vote(
        &mut self,
        peer: &str,
        term: u64,
        yes: bool,
        to_pre: bool,
        now: Duration,
    ) -> Result<()> {
        if term > self.term {
            return self.step_down(term, now);
        }
        let Role::Candidate {
            pre,
            answered,
            granted,
        } = &mut self.role
        else {
            return Ok(());
        };
        // A vote of another election says nothing about this one.
        if *pre != to_pre || (!to_pre && term != self.term) {
            return Ok(());
        }
        answered.insert(String::from(peer));
        if yes {
            granted.insert(String::from(peer));
        }
        self.look_at_votes(now)
    }

    fn look_at_votes(&mut self, now: Duration) -> Result<()> {
        let Role::Candidate { pre, granted, .. } = &self.role else {
            return Ok(());
        };
        if granted.len() < self.majority() {
            return Ok(());
        }
        if *pre {
            self.campaign(false, now)
        } else {
            self.lead(now)
        }
    }

    fn lead(&mut self, now: Duration) -> Result<()> {
        let next = self.log.last() + 1;
        let peers: BTreeMap<_, _> = self
            .members
            .iter()
            .filter(|member| **member != self.id)
            .map(|member| {
                let progress = Progress {
                    next,
                    matched: 0,
                    round: 0,
                    acked: now,
                };
                (member.clone(), progress)
            })
            .collect();
        self.leader = Some(self.id.clone());
        self.role = Role::Leader(Ledger {
            peers,
            round: 0,
            first: next,
        });
        self.propose(Value::Null)?;
        Ok(())
    }
}
