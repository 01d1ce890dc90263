//! What the proxy is told and what it answers: lines of JSON over one socket, which is its stdout.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::order::{Direction, LinkOrder};
use crate::server::ServerKey;

/// What a proxy is for: its first line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Setup {
    /// The system, which names streams.
    pub(crate) system: String,
    pub(crate) listeners: Vec<Listener>,
}

/// A port to listen on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listener {
    /// The server that is behind it.
    pub(crate) server: ServerKey,
    /// Whether it is for clients; otherwise for the other servers.
    pub(crate) clients: bool,
    /// Where it is.
    pub(crate) listen: String,
    /// Where the server is.
    pub(crate) target: String,
}

/// A request with its number.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Numbered<T> {
    pub(super) number: u64,
    pub(super) what: T,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ask {
    /// This process is this server: its connections are that server's, and those of what it starts.
    Server {
        server: ServerKey,
        pid: u32,
        start_time: u64,
    },
    /// Whoever connects to the address of one server reaches the other from now on.
    Moved { server: ServerKey, to: ServerKey },
    /// Follow an order.
    Order(LinkOrder),
    /// Wait until an order has had an effect.
    See { ticket: u64, limit: Duration },
    /// Undo every fault.
    Clear,
    /// How many connections came from nobody known.
    Unattributed,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// It listens on all ports: the answer to the setup.
    Listens,
    Done,
    /// An order is in force.
    Ordered {
        ticket: u64,
    },
    /// An order has had an effect.
    Seen {
        on: Vec<Direction>,
    },
    /// It has had none.
    NotSeen {
        why: Option<String>,
    },
    Cleared {
        undone: Vec<String>,
        without_effect: Vec<String>,
    },
    Unattributed {
        count: u64,
    },
    /// It cannot be done.
    Refused {
        why: String,
    },
}
