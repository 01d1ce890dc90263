//! Raft without input and output: elections with a preliminary vote, replication, snapshots, and
//! the confirmation that a read needs.
//!
//! Nothing here knows a clock, a network or a disk: time is an argument, a transport asks
//! [`Raft::request_for`] what to send and brings back the reply, and a [`Storage`] keeps what must
//! survive. So the same code runs in a server and in a simulation that drops, delays and crashes.
//!
//! The algorithm is that of Ongaro and Ousterhout, "In Search of an Understandable Consensus
//! Algorithm"; preliminary votes and confirmed reads are in Ongaro's dissertation, 9.6 and 6.4.

mod core;
mod election;
mod log;
mod random;
mod replication;
#[cfg(test)]
mod simulation;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::core::Raft;
pub(crate) use self::random::Random;

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Its place, from 1.
    pub(crate) index: u64,
    /// The term of the leader that made it.
    pub(crate) term: u64,
    /// What it says; null is the mark that a new leader sets.
    pub(crate) payload: Value,
}

/// What the log up to an entry has come to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    /// The last entry that is in it.
    pub(crate) index: u64,
    /// The term of that entry.
    pub(crate) term: u64,
    /// The state.
    pub(crate) data: Value,
}

/// What survives a crash.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Kept {
    /// The greatest term seen.
    pub(crate) term: u64,
    /// Who got the vote in it.
    pub(crate) vote: Option<String>,
    /// The state at some entry.
    pub(crate) snapshot: Snapshot,
    /// The last entry that is not in `entries` any more, and its term.
    pub(crate) base: (u64, u64),
    /// The entries behind `base`.
    pub(crate) entries: Vec<Entry>,
}

/// Where it survives. What a method has been given is safe when it returns.
pub(crate) trait Storage {
    /// Keeps term and vote.
    fn save_vote(&mut self, term: u64, vote: Option<&str>) -> std::io::Result<()>;
    /// Keeps entries; those that were there from the first index on are gone.
    fn append(&mut self, entries: &[Entry]) -> std::io::Result<()>;
    /// Keeps this, and nothing else.
    fn replace(&mut self, kept: &Kept) -> std::io::Result<()>;
}

/// How long things take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// The least time without a leader after which somebody wants to be one.
    pub(crate) least: Duration,
    /// The greatest.
    pub(crate) most: Duration,
    /// The time between two signs of life of a leader.
    pub(crate) heartbeat: Duration,
    /// Entries in one request.
    pub(crate) batch: usize,
}

/// What one member asks another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Request {
    /// May I lead? With `pre`: would you say yes, if I asked?
    #[serde(rename_all = "camelCase")]
    Vote {
        /// The term the candidate would lead in.
        term: u64,
        /// Who asks.
        candidate: String,
        /// The last entry of its log.
        last_index: u64,
        /// The term of that entry.
        last_term: u64,
        /// Nothing is promised yet.
        pre: bool,
    },
    /// Entries, or just a sign of life.
    #[serde(rename_all = "camelCase")]
    Append {
        /// The term of the leader.
        term: u64,
        /// Its id.
        leader: String,
        /// The entry in front of `entries`.
        prev_index: u64,
        /// The term of that entry.
        prev_term: u64,
        /// The entries.
        entries: Vec<Entry>,
        /// What is committed, as far as the leader knows.
        commit: u64,
        /// Comes back in the reply, as a proof of when the leader still led.
        round: u64,
    },
    /// The state, for a member that is too far behind.
    #[serde(rename_all = "camelCase")]
    Install {
        /// The term of the leader.
        term: u64,
        /// Its id.
        leader: String,
        /// The state.
        snapshot: Snapshot,
        /// As in `Append`.
        round: u64,
    },
}

/// What the other one answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Reply {
    /// To a vote.
    Vote {
        /// The term of the voter.
        term: u64,
        /// Yes.
        granted: bool,
        /// To a preliminary vote.
        pre: bool,
    },
    /// To entries or a state.
    Append {
        /// The term of the follower.
        term: u64,
        /// The last entry known to be the same as the leader's; or nothing, and then
        /// `hint` is where the leader should look.
        matched: Option<u64>,
        /// The last entry that can be the same.
        hint: u64,
        /// As in the request.
        round: u64,
    },
}
