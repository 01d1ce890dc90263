//! The agency: agents on Raft, and the tree that they keep.
//!
//! * `tree`, `operation`, `state` are what the log comes to;
//! * `disk` and `pool` are what an agent keeps;
//! * `agent` joins them with Raft, `tasks` talks to the other agents.
//!
//! Reads are linearizable: a leader answers only after a majority has confirmed, since the read
//! began, that it still leads. An index is given to a writer only when its entry is committed.

mod agent;
mod disk;
mod operation;
mod pool;
#[cfg(test)]
mod property;
mod state;
mod tasks;
pub(crate) mod tree;

pub(crate) use agent::{AgencySettings, Agent, Unavailable};
pub(crate) use operation::{Refusal, Transaction};
pub(crate) use pool::Member;
pub(crate) use state::{Outcome, replay};
pub(crate) use tasks::join_all;
