//! What a server goes through from its start on.

use std::time::Duration;

/// One state of a server, as its clients see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nobody listens.
    Closed,
    /// With early connections: version and status for a superuser, 503 for the rest.
    Startup,
    /// The same, and no token is accepted yet.
    Keyless,
    /// It boots: version and status answer anybody, the rest is 503.
    Maintenance,
    /// It boots without early connections: all is 503.
    Blocked,
    /// It serves, but its users are not loaded.
    Userless,
    /// It serves, and is not available: its queue is full.
    Full,
    /// An agent that serves, and knows no leader.
    Leaderless,
    /// The normal state.
    Normal,
}

const NAMES: [(&str, Phase); 8] = [
    ("closed", Phase::Closed),
    ("startup", Phase::Startup),
    ("keyless", Phase::Keyless),
    ("maintenance", Phase::Maintenance),
    ("blocked", Phase::Blocked),
    ("userless", Phase::Userless),
    ("full", Phase::Full),
    ("leaderless", Phase::Leaderless),
];

/// The phases of one role, each with its end.
pub(crate) struct Phases {
    all: Vec<(Phase, Duration)>,
    /// How many requests are rejected with 401 at first, once it serves.
    pub(crate) rejects: u32,
    /// How long it takes to stop.
    pub(crate) stopping: Duration,
    /// Whether it is read-only when it serves.
    pub(crate) read_only: bool,
    /// Whether it never says that it is ready.
    pub(crate) silent: bool,
    /// What it calls its role, if something else than it should.
    pub(crate) role: Option<String>,
}

impl Phases {
    /// Those of this role in a script.
    pub(crate) fn of(role: &str, script: &str) -> Result<Self, String> {
        let mut phases = Self {
            all: Vec::new(),
            rejects: 0,
            stopping: Duration::from_millis(20),
            read_only: false,
            silent: false,
            role: None,
        };
        let mut end = Duration::ZERO;
        let lines = script.lines().filter_map(|line| line.split_once(':'));
        let words = lines.filter(|(name, _)| name.trim() == role);
        for word in words.flat_map(|(_, words)| words.split_whitespace()) {
            let (name, value) = word.split_once('=').unwrap_or((word, "0"));
            let number: u32 = match name {
                "role" => 0,
                _ => value.parse().map_err(|_| format!("{word}: no number"))?,
            };
            let millis = Duration::from_millis(number.into());
            match name {
                "rejects" => phases.rejects = number,
                "stopping" => phases.stopping = millis,
                "readonly" => phases.read_only = true,
                "silent" => phases.silent = true,
                "role" => phases.role = Some(value.to_owned()),
                _ => {
                    let known = NAMES.iter().find(|(known, _)| *known == name);
                    let (_, phase) = known.ok_or(format!("{word}: no phase"))?;
                    end += millis;
                    phases.all.push((*phase, end));
                }
            }
        }
        Ok(phases)
    }

    /// The phase at this age.
    pub(crate) fn at(&self, age: Duration) -> Phase {
        let current = self.all.iter().find(|(_, end)| age < *end);
        current.map_or(Phase::Normal, |(phase, _)| *phase)
    }

    /// How long nobody listens at first.
    pub(crate) fn until_open(&self) -> Duration {
        let first = self
            .all
            .first()
            .filter(|(phase, _)| *phase == Phase::Closed);
        first.map_or(Duration::ZERO, |(_, end)| *end)
    }

    /// How long all phases take.
    pub(crate) fn until_ready(&self) -> Duration {
        self.all.last().map_or(Duration::ZERO, |(_, end)| *end)
    }
}
