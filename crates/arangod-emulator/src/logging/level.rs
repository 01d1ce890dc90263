//! Log levels and topics.

use std::collections::BTreeMap;

/// How important a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// The process cannot go on.
    Fatal,
    /// Something failed.
    Error,
    /// Something may fail.
    Warning,
    /// Something happened.
    Info,
    /// For those who look for a fault.
    Debug,
    /// For those who did not find it.
    Trace,
}

impl Level {
    /// Reads a level in any case.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "fatal" => Self::Fatal,
            "error" | "err" => Self::Error,
            "warning" | "warn" => Self::Warning,
            "info" => Self::Info,
            "debug" => Self::Debug,
            "trace" => Self::Trace,
            _ => return None,
        })
    }

    /// The name in text lines and in the log API.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fatal => "FATAL",
            Self::Error => "ERROR",
            Self::Warning => "WARNING",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
            Self::Trace => "TRACE",
        }
    }

    /// The name in JSON lines, where `WARNING` is shorter (option text of `--log.use-json-format`).
    pub(crate) fn json_name(self) -> &'static str {
        match self {
            Self::Warning => "WARN",
            other => other.name(),
        }
    }
}

/// The topics of arangod (documentation, page "Log levels").
pub(crate) const TOPICS: &[&str] = &[
    "agency",
    "agencycomm",
    "agencystore",
    "aql",
    "arangosearch",
    "authentication",
    "authorization",
    "backup",
    "bench",
    "cache",
    "cluster",
    "communication",
    "config",
    "crash",
    "deprecation",
    "development",
    "dump",
    "engines",
    "flush",
    "general",
    "graphs",
    "heartbeat",
    "httpclient",
    "libiresearch",
    "license",
    "maintenance",
    "memory",
    "queries",
    "rep-state",
    "rep-wal",
    "replication",
    "replication2",
    "requests",
    "rocksdb",
    "security",
    "ssl",
    "startup",
    "statistics",
    "supervision",
    "syscall",
    "threads",
    "trx",
    "ttl",
    "v8",
    "validation",
    "views",
];

/// The level of every topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Levels(BTreeMap<&'static str, Level>);

impl Default for Levels {
    fn default() -> Self {
        Self(TOPICS.iter().map(|topic| (*topic, Level::Info)).collect())
    }
}

impl Levels {
    /// Applies one `--log.level` argument: `info`, `all=info` or `topic=level`.
    pub(crate) fn apply(&mut self, text: &str) -> Result<(), String> {
        let (topic, level) = text.split_once('=').unwrap_or(("all", text));
        self.set(topic.trim(), level.trim())
    }

    /// Sets the level of a topic, or of `all`.
    pub(crate) fn set(&mut self, topic: &str, level: &str) -> Result<(), String> {
        let level = Level::parse(level).ok_or_else(|| format!("invalid log level '{level}'"))?;
        if matches!(topic, "all" | "") {
            for slot in self.0.values_mut() {
                *slot = level;
            }
            return Ok(());
        }
        match self.0.get_mut(topic) {
            Some(slot) => {
                *slot = level;
                Ok(())
            }
            None => Err(format!("unknown log topic '{topic}'")),
        }
    }

    /// Whether a line of this topic and level is to be written.
    pub(crate) fn shows(&self, topic: &str, level: Level) -> bool {
        self.0
            .get(topic)
            .is_none_or(|threshold| level <= *threshold)
    }

    /// All topics with their levels.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, Level)> {
        self.0.iter().map(|(topic, level)| (*topic, *level))
    }
}
