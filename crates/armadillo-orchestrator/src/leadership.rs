//! Who led which group when, as far as anybody has seen it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::health::Health;
use crate::server::ServerKey;

/// A change of a group's leader or term, as a look at the deployment has shown it.
///
/// It happened at some time between `after_ms` and `seen_ms`. What came and went between two looks was seen by nobody;
/// where a group has terms, a term that is skipped tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LeadershipEntry {
    /// The group: `raft`, `agency`.
    pub group: String,
    /// Its leader; `None`: nobody was seen to lead.
    pub leader: Option<ServerKey>,
    /// The newest term known, where the group has terms.
    pub term: Option<u64>,
    /// When the last look began that still showed what was before, in milliseconds since 1970; `None` in a group's first entry.
    pub after_ms: Option<u64>,
    /// When the look ended that showed this, in milliseconds since 1970.
    pub seen_ms: u64,
}

/// Every change of a leader that was seen since a deployment was started, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct LeadershipLog(Vec<LeadershipEntry>);

impl LeadershipLog {
    /// All entries, the oldest first.
    #[must_use]
    pub fn entries(&self) -> &[LeadershipEntry] {
        &self.0
    }

    /// Those of one group.
    #[must_use]
    pub fn of(&self, group: &str) -> Self {
        let own = self.0.iter().filter(|entry| entry.group == group);
        Self(own.cloned().collect())
    }

    /// Terms in which more than one server was seen to lead the same group. There must be none.
    #[must_use]
    pub fn disputed_terms(&self) -> Vec<u64> {
        let mut leaders: BTreeMap<(u64, &str), Vec<&ServerKey>> = BTreeMap::new();
        for entry in &self.0 {
            let (Some(term), Some(leader)) = (entry.term, &entry.leader) else {
                continue;
            };
            let of_term = leaders.entry((term, &entry.group)).or_default();
            if !of_term.contains(&leader) {
                of_term.push(leader);
            }
        }
        let disputed = leaders.into_iter().filter(|(_, all)| all.len() > 1);
        disputed.map(|((term, _), _)| term).collect()
    }

    /// One JSON object a line, as it stands in files.
    #[must_use]
    pub fn to_lines(&self) -> String {
        let json = self
            .0
            .iter()
            .filter_map(|entry| serde_json::to_string(entry).ok());
        json.map(|line| line + "\n").collect()
    }

    /// Adds what a look showed that began and ended then; returns what is new. A look of an older term than one known is a
    /// look at the past, and adds nothing.
    pub(crate) fn saw(&mut self, health: &Health, look: Look) -> Self {
        let mut new = Vec::new();
        for (group, leader) in &health.leaders {
            let term = health.terms.get(group).copied();
            let last = self.0.iter().rev().find(|entry| entry.group == *group);
            let changed = last.is_none_or(|last| {
                let is_older = term.is_some() && term < last.term;
                !is_older && (term, leader) != (last.term, &last.leader)
            });
            if changed {
                new.push(LeadershipEntry {
                    group: group.clone(),
                    leader: leader.clone(),
                    term,
                    after_ms: last.and(look.before_ms),
                    seen_ms: look.ended_ms,
                });
            }
        }
        self.0.extend(new.iter().cloned());
        Self(new)
    }
}

/// When a look was made.
#[derive(Clone, Copy)]
pub(crate) struct Look {
    /// When the look before it began.
    pub(crate) before_ms: Option<u64>,
    /// When it ended.
    pub(crate) ended_ms: u64,
}

/// `agency: agent-2 leads in term 5`.
impl fmt::Display for LeadershipEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.leader {
            Some(leader) => write!(f, "{}: {leader} leads", self.group)?,
            None => write!(f, "{}: no leader", self.group)?,
        }
        match self.term {
            Some(term) => write!(f, " in term {term}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn led(leader: Option<&str>, term: Option<u64>) -> Health {
        let mut health = Health::default();
        health
            .leaders
            .insert("raft".into(), leader.map(ServerKey::from));
        health
            .terms
            .extend(term.map(|term| ("raft".to_owned(), term)));
        health
    }

    fn at(before_ms: Option<u64>, ended_ms: u64) -> Look {
        Look {
            before_ms,
            ended_ms,
        }
    }

    #[test]
    fn each_change_is_in_it_once() {
        let mut log = LeadershipLog::default();
        log.saw(&led(Some("a"), Some(1)), at(None, 10));
        log.saw(&led(Some("a"), Some(1)), at(Some(9), 20));
        log.saw(&led(None, Some(1)), at(Some(19), 30));
        log.saw(&led(Some("b"), Some(3)), at(Some(29), 40));
        log.saw(&led(Some("a"), Some(1)), at(Some(38), 50));
        let said: Vec<String> = log.entries().iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "raft: a leads in term 1",
                "raft: no leader in term 1",
                "raft: b leads in term 3"
            ]
        );
        let times: Vec<_> = log
            .entries()
            .iter()
            .map(|e| (e.after_ms, e.seen_ms))
            .collect();
        assert_eq!(times, [(None, 10), (Some(19), 30), (Some(29), 40)]);
        assert!(log.disputed_terms().is_empty());
        assert_eq!(log.of("raft"), log);
        assert!(log.of("other").entries().is_empty());
    }

    #[test]
    fn two_leaders_of_one_term_are_a_dispute() {
        let mut log = LeadershipLog::default();
        log.saw(&led(Some("a"), Some(7)), at(None, 1));
        log.saw(&led(Some("b"), Some(7)), at(Some(1), 2));
        assert_eq!(log.disputed_terms(), [7]);
    }

    #[test]
    fn a_group_without_terms_has_a_log_too() {
        let mut log = LeadershipLog::default();
        log.saw(&led(Some("a"), None), at(None, 1));
        log.saw(&led(Some("b"), None), at(Some(1), 2));
        assert_eq!(log.entries().len(), 2);
        assert_eq!(log.entries()[1].to_string(), "raft: b leads");
        assert!(log.disputed_terms().is_empty());
    }
}
