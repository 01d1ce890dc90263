//! Faults of links. Only leases on a deployment of one's own may.

use armadillo_orchestrator::{LinkOrder, LinkReport};
use serde::{Deserialize, Serialize};

/// What is asked of the links of a deployment.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OperateLinks {
    /// A fault.
    Order {
        /// Which, and where.
        order: LinkOrder,
        /// How long to wait for its effect, in milliseconds; `None`: the answer comes when it is in force.
        limit_ms: Option<u64>,
    },
    /// A wait for the effect of an order.
    See {
        /// The number of the order.
        ticket: u64,
        /// The order in words.
        what: String,
        /// How long to wait, in milliseconds.
        limit_ms: u64,
    },
    /// Everything is healed: the test has ended.
    Clear,
    /// The number of connections to which faults do not apply, because their source is not known.
    Unattributed,
}

/// What became of it.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LinksAnswer {
    /// It is done.
    Done(LinkReport),
    /// It had no effect, and is not in force any more.
    NoEffect {
        /// What was ordered, and where.
        what: String,
        /// What was not seen.
        why: String,
    },
    /// It could not be done.
    Refused {
        /// Why.
        why: String,
    },
    /// Everything was healed.
    Cleared {
        /// Faults that were in force and have had no effect.
        without_effect: Vec<String>,
    },
    /// So many connections.
    Unattributed {
        /// Their number.
        count: u64,
    },
}
