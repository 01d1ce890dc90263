//! What can be asked of links, and what is answered.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::server::ServerKey;

/// One end of a link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// A server.
    Server(ServerKey),
    /// All clients together: whoever connects to an address for clients.
    Clients,
}

/// The way from one end to another. Bytes take it on every connection between the two, whoever opened that.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "LinkDirection")
)]
pub struct Direction {
    /// Where bytes come from.
    pub from: End,
    /// Where they go.
    pub to: End,
}

/// What is done to a direction of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LinkFault {
    /// Nothing gets through. What was sent meanwhile is lost: when it is healed, the connections that missed something are
    /// reset.
    Cut,
    /// Nothing gets through until it is released; then it is delivered, late and in order.
    Hold,
    /// What is held is delivered, and nothing is held any more.
    Release,
    /// Everything arrives later.
    Delay {
        /// By how much when the delay begins.
        from: Duration,
        /// By how much at the end.
        to: Duration,
        /// How long it takes to get there; zero for at once.
        over: Duration,
    },
    /// No more than this gets through.
    Bandwidth {
        /// How much, for all its connections together.
        bytes_per_second: u64,
    },
    /// Every connection is reset, now. New ones are not affected.
    Reset,
    /// Everything gets through again.
    Heal,
}

/// A fault on directions of links.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LinkOrder {
    /// Where.
    pub directions: Vec<Direction>,
    /// Only for streams that the system calls so.
    pub stream: Option<String>,
    /// What.
    pub fault: LinkFault,
}

/// An order that was followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LinkReport {
    /// The number of the order, by which its effect can be asked for later.
    pub ticket: u64,
    /// The directions on which an effect has been seen.
    pub seen: Vec<Direction>,
    /// How long it took until the order was in force.
    pub in_force_after: Duration,
    /// How long it took until an effect was seen; `None` if nobody has waited for one.
    pub seen_after: Option<Duration>,
}

impl Direction {
    /// From one end to another.
    #[must_use]
    pub fn new(from: End, to: End) -> Self {
        Self { from, to }
    }

    /// The way back.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self::new(self.to.clone(), self.from.clone())
    }
}

impl LinkFault {
    /// Whether it lasts until something else is ordered.
    #[must_use]
    pub fn lasts(self) -> bool {
        match self {
            Self::Cut | Self::Hold | Self::Delay { .. } | Self::Bandwidth { .. } => true,
            Self::Release | Self::Reset | Self::Heal => false,
        }
    }

    /// What it is that is not seen, where it has no effect.
    pub(crate) fn missing(self) -> &'static str {
        match self {
            Self::Cut | Self::Hold | Self::Delay { .. } => "no traffic",
            Self::Bandwidth { .. } => "no traffic that exceeded it",
            Self::Release => "nothing was held",
            Self::Reset => "there was no connection",
            Self::Heal => "no traffic got through again",
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(server) => server.fmt(f),
            Self::Clients => f.write_str("clients"),
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.from, self.to)
    }
}

impl fmt::Display for LinkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut => f.write_str("cut"),
            Self::Hold => f.write_str("hold"),
            Self::Release => f.write_str("release"),
            Self::Delay { to, over, .. } if over.is_zero() => write!(f, "delay of {to:?}"),
            Self::Delay { from, to, over } => {
                write!(f, "delay that grows from {from:?} to {to:?} over {over:?}")
            }
            Self::Bandwidth { bytes_per_second } => {
                write!(f, "limit of {bytes_per_second} bytes per second")
            }
            Self::Reset => f.write_str("reset"),
            Self::Heal => f.write_str("heal"),
        }
    }
}

impl fmt::Display for LinkOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on: Vec<String> = self.directions.iter().map(Direction::to_string).collect();
        write!(f, "{} of {}", self.fault, on.join(", "))?;
        match &self.stream {
            Some(stream) => write!(f, ", stream {stream}"),
            None => Ok(()),
        }
    }
}
