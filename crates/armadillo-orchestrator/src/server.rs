//! What a plan says of one server, and how it is launched and stopped.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// The name of a server within its deployment: `member-1`, `agent-2`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct ServerKey(pub String);

impl ServerKey {
    /// `role-number`, the usual spelling.
    #[must_use]
    pub fn numbered(role: &str, number: u32) -> Self {
        Self(format!("{role}-{number}"))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for ServerKey {
    fn from(key: &str) -> Self {
        Self(key.to_owned())
    }
}

/// How far a server has come. Each stage includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The process runs.
    Started,
    /// It answers on its port, and its peers can count on it.
    Answering,
    /// It serves clients.
    Ready,
}

/// What a server costs while it runs: counted in the budget, and imposed through [`Launch::env`] where a product lets us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Resident memory, in MiB.
    pub memory_mib: u32,
    /// CPU in per cent of one core, on average over a run.
    pub cpu_percent: u32,
    /// Disk, in MiB.
    pub disk_mib: u32,
}

/// One server of a planned deployment.
#[derive(Clone, Debug)]
pub struct ServerPlan {
    /// Its name within the deployment.
    pub key: ServerKey,
    /// Its role: `member`, `agent`, `single`.
    pub role: &'static str,
    /// The gates: it starts when each of these servers has reached that stage.
    pub after: Vec<(ServerKey, Stage)>,
    /// It is stopped when these are gone.
    pub stop_after: Vec<ServerKey>,
    /// The names of the ports it listens on: `client`, `peer`, `http`.
    pub ports: &'static [&'static str],
    /// What it costs.
    pub cost: Cost,
    /// Whether it is a spare: it has a place, and is not part of the deployment until a test adds it.
    pub spare: bool,
}

/// How a server is started, this time.
#[derive(Clone, Debug, Default)]
pub struct Launch {
    /// Arguments, without the program.
    pub args: Vec<String>,
    /// More arguments, until it has been ready once.
    pub first: Vec<String>,
    /// The environment, on top of `PATH`, `HOME`, `TZ` and `LANG`; nothing else is inherited.
    pub env: BTreeMap<String, String>,
    /// Files to write before the start, relative to the server's directory, with their mode.
    pub files: Vec<(PathBuf, u32, Secret)>,
    /// How it is stopped.
    pub stop: Stop,
}

/// What a server's program must do, and end, before it can start on data that another program has served.
#[derive(Clone, Debug)]
pub struct Preparation {
    /// What that is, for messages: `the upgrade of its data`.
    pub what: &'static str,
    /// How the program is launched for it. It exits with 0 when it is done.
    pub launch: Launch,
}

/// A graceful stop and its escalation.
#[derive(Clone, Debug)]
pub struct Stop {
    /// What asks it to stop.
    pub polite: Verb,
    /// How long it may take.
    pub grace: Duration,
    /// What follows, and how long each may take. [`Verb::Kill`] always comes last, said or not.
    pub then: Vec<(Verb, Duration)>,
}

impl Default for Stop {
    fn default() -> Self {
        Self {
            polite: Verb::Terminate,
            grace: Duration::from_secs(10),
            then: Vec::new(),
        }
    }
}

/// What can be done to a running server: verbs, not signal numbers, because a container takes other means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Ask it to end (SIGTERM).
    Terminate,
    /// End it at once (SIGKILL).
    Kill,
    /// Freeze it (SIGSTOP).
    Pause,
    /// Let it go on (SIGCONT).
    Resume,
    /// End it with a core (SIGABRT).
    Abort,
    /// Make it say where it is (SIGQUIT for Go programs, which then end).
    DumpStacks,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Started => "started",
            Self::Answering => "answering",
            Self::Ready => "ready",
        })
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminate => "terminate",
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Abort => "abort",
            Self::DumpStacks => "dump stacks",
        })
    }
}
