//! The rule that keeps operations from breaking a majority.

use std::collections::BTreeSet;

use crate::health::{Health, State};
use crate::server::ServerKey;

/// Servers that decide by majority, as one look has shown them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voters {
    /// What they are called, in the plural: `members`, `agents`.
    pub called: String,
    /// Everybody who has a vote.
    pub all: BTreeSet<ServerKey>,
    /// Those of them that do their part.
    pub healthy: BTreeSet<ServerKey>,
}

/// What an operation does to a majority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuorumChange<'a> {
    /// A server loses its vote.
    Remove(&'a ServerKey),
    /// A server is away for a while, and keeps its vote.
    Restart(&'a ServerKey),
    /// A server without anything gets a vote. Until it has caught up, it does not do its part.
    Add(&'a ServerKey),
}

/// An operation that would leave a group without a majority.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{healthy} of {voters} {called} {} healthy; {what} would leave {left} of {of}, which is no majority; `.force()` in a test, `--force` on the command line, does it all the same",
    is_are(*.healthy)
)]
pub struct QuorumLost {
    /// What the servers are called.
    pub called: String,
    /// How many of them are healthy now.
    pub healthy: usize,
    /// How many have a vote now.
    pub voters: usize,
    /// The operation: `removing member-2`.
    pub what: String,
    /// How many would be healthy.
    pub left: usize,
    /// How many would have a vote.
    pub of: usize,
}

fn is_are(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

/// A group that has no majority now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{healthy} of {voters} {called} {} healthy, which is no majority; `.force()` in a test, `--force` on the command line, does it all the same",
    is_are(*.healthy)
)]
pub struct NoQuorum {
    /// What the servers are called.
    pub called: String,
    /// How many of them are healthy.
    pub healthy: usize,
    /// How many have a vote.
    pub voters: usize,
}

impl Voters {
    /// Those servers, as a look at the deployment has shown them: only a good one does its part.
    #[must_use]
    pub fn seen(
        called: &str,
        voters: impl IntoIterator<Item = ServerKey>,
        health: &Health,
    ) -> Self {
        let all: BTreeSet<ServerKey> = voters.into_iter().collect();
        let good = |server: &&ServerKey| {
            let seen = health.servers.get(*server);
            seen.is_some_and(|(state, _)| *state == State::Good)
        };
        Self {
            called: called.to_owned(),
            healthy: all.iter().filter(good).cloned().collect(),
            all,
        }
    }

    /// Whether there is a majority now.
    ///
    /// # Errors
    /// When there is none, with the numbers.
    pub fn have_majority(&self) -> Result<(), NoQuorum> {
        let (healthy, voters) = (self.healthy.len(), self.all.len());
        if healthy > voters / 2 {
            return Ok(());
        }
        Err(NoQuorum {
            called: self.called.clone(),
            healthy,
            voters,
        })
    }

    /// Whether a majority is left while, and after, this is done. To restart a server that does nothing now is always allowed.
    ///
    /// # Errors
    /// When none is left, with the numbers.
    pub fn allow(&self, change: QuorumChange<'_>) -> Result<(), QuorumLost> {
        let (healthy, voters) = (self.healthy.len(), self.all.len());
        let counts = |server| usize::from(self.healthy.contains(server));
        let (what, left, of) = match change {
            QuorumChange::Remove(server) => {
                let votes = usize::from(self.all.contains(server));
                let what = format!("removing {server}");
                (what, healthy - counts(server), voters - votes)
            }
            QuorumChange::Restart(server) if !self.healthy.contains(server) => return Ok(()),
            QuorumChange::Restart(server) => (format!("restarting {server}"), healthy - 1, voters),
            QuorumChange::Add(server) => (format!("adding {server}"), healthy, voters + 1),
        };
        if left > of / 2 {
            return Ok(());
        }
        Err(QuorumLost {
            called: self.called.clone(),
            healthy,
            voters,
            what,
            left,
            of,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> ServerKey {
        ServerKey(format!("m{number}"))
    }

    /// The first `healthy` of so many.
    fn voters(healthy: usize, all: usize) -> Voters {
        Voters {
            called: "members".into(),
            all: (1..=all).map(key).collect(),
            healthy: (1..=healthy).map(key).collect(),
        }
    }

    #[test]
    fn what_leaves_a_majority_is_allowed() {
        // healthy, all, and whether the first, which is healthy, and the last may be removed, restarted, and one added.
        for (healthy, all, first, last, restart, add) in [
            (3, 3, true, true, true, true),
            (2, 3, false, true, false, false),
            (1, 1, false, false, false, false),
            (2, 2, true, true, false, true),
            (5, 5, true, true, true, true),
            (4, 5, true, true, true, true),
            (3, 5, false, true, false, false),
            (1, 3, false, false, false, false),
        ] {
            let voters = voters(healthy, all);
            let removed = |number| voters.allow(QuorumChange::Remove(&key(number))).is_ok();
            let case = format!("{healthy} of {all}");
            assert_eq!(removed(1), first, "removing the first of {case}");
            assert_eq!(removed(all), last, "removing the last of {case}");
            let restarted = voters.allow(QuorumChange::Restart(&key(1)));
            assert_eq!(restarted.is_ok(), restart, "restarting one of {case}");
            let added = voters.allow(QuorumChange::Add(&key(9)));
            assert_eq!(added.is_ok(), add, "adding to {case}");
        }
    }

    #[test]
    fn a_group_without_a_majority_says_so() {
        for (healthy, all, has) in [
            (3, 3, true),
            (2, 3, true),
            (1, 3, false),
            (0, 3, false),
            (1, 2, false),
        ] {
            assert_eq!(
                voters(healthy, all).have_majority().is_ok(),
                has,
                "{healthy} of {all}"
            );
        }
        assert_eq!(
            voters(1, 3).have_majority().unwrap_err().to_string(),
            "1 of 3 members is healthy, which is no majority; `.force()` in a test, `--force` on the command line, does it all the same"
        );
    }

    #[test]
    fn the_refusal_counts() {
        fn said(change: QuorumChange<'_>) -> String {
            voters(2, 3).allow(change).unwrap_err().to_string()
        }
        let force = "which is no majority; `.force()` in a test, `--force` on the command line, does it all the same";
        assert_eq!(
            said(QuorumChange::Remove(&key(2))),
            format!("2 of 3 members are healthy; removing m2 would leave 1 of 2, {force}")
        );
        assert_eq!(
            said(QuorumChange::Restart(&key(1))),
            format!("2 of 3 members are healthy; restarting m1 would leave 1 of 3, {force}")
        );
        assert_eq!(
            said(QuorumChange::Add(&key(4))),
            format!("2 of 3 members are healthy; adding m4 would leave 2 of 4, {force}")
        );
    }

    #[test]
    fn who_has_no_vote_or_does_nothing_can_go() {
        // A learner, say.
        let learner = ServerKey::from("m4");
        assert!(voters(2, 3).allow(QuorumChange::Remove(&learner)).is_ok());
        assert!(voters(2, 3).allow(QuorumChange::Restart(&learner)).is_ok());
        assert!(voters(1, 3).allow(QuorumChange::Restart(&key(3))).is_ok());
    }

    #[test]
    fn only_good_servers_do_their_part() {
        let mut health = Health::default();
        let states = [
            ("m1", State::Good),
            ("m2", State::Degraded),
            ("other", State::Good),
        ];
        let states = states.map(|(key, state)| (ServerKey::from(key), (state, String::new())));
        health.servers = states.into();
        let seen = Voters::seen("members", [key(1), key(2), key(3)], &health);
        assert_eq!((seen.healthy.len(), seen.all.len()), (1, 3));
    }
}
