//! What a deployment tells whoever watches it: facts, in the order they happened.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;

use crate::deployment::Operation;
use crate::leadership::LeadershipEntry;
use crate::server::{ServerKey, Stage};

/// Something that happened to a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Notice {
    /// A server's process runs.
    ServerStarted {
        /// The server.
        server: ServerKey,
        /// Its process id, where it has one.
        pid: Option<u32>,
    },
    /// A server has reached a stage, proven to be itself.
    ServerReached {
        /// The server.
        server: ServerKey,
        /// How far it has come.
        stage: Stage,
        /// How long after its process was started.
        after: Duration,
    },
    /// A server's process has ended.
    ServerExited {
        /// The server.
        server: ServerKey,
        /// How: signal or exit code, and what the system says of it.
        exit: String,
        /// Whether it was told to, or a test had said that it would. If not, this is a crash.
        expected: bool,
        /// The last lines it logged, if it was a crash.
        log: Vec<String>,
    },
    /// An operation on a server has ended.
    Operation {
        /// The server.
        server: ServerKey,
        /// What was to be done.
        operation: Operation,
        /// How long it took.
        took: Duration,
        /// Whether it was done, and if not, why.
        result: Result<(), String>,
    },
    /// Another leader of a group was seen, or none.
    Leader(LeadershipEntry),
    /// A server's log has become too long: the beginning and the end are kept.
    LogCut {
        /// The server.
        server: ServerKey,
        /// What is kept of the beginning, in MiB.
        head_mib: u64,
        /// What is kept of the end, in MiB.
        tail_mib: u64,
    },
    /// Something that does not end anything but should be known.
    Warning {
        /// A sentence.
        text: String,
    },
}

/// Where the notices of one deployment go. Nobody may be listening.
#[derive(Clone, Debug)]
pub(crate) struct Notices {
    deployment: String,
    to: UnboundedSender<(String, Notice)>,
}

impl Notices {
    pub(crate) fn new(deployment: &str, to: UnboundedSender<(String, Notice)>) -> Self {
        Self {
            deployment: deployment.to_owned(),
            to,
        }
    }

    pub(crate) fn send(&self, notice: Notice) {
        // A listener that is gone wants to know nothing.
        let _ = self.to.send((self.deployment.clone(), notice));
    }

    pub(crate) fn warn(&self, text: impl Into<String>) {
        self.send(Notice::Warning { text: text.into() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_the_same_after_json() {
        let notices = [
            Notice::ServerReached {
                server: "member-1".into(),
                stage: Stage::Ready,
                after: Duration::from_millis(17),
            },
            Notice::Operation {
                server: "member-1".into(),
                operation: Operation::Kill,
                took: Duration::from_millis(9),
                result: Err("it had no effect".into()),
            },
            Notice::Operation {
                server: "member-1".into(),
                operation: Operation::Pause,
                took: Duration::ZERO,
                result: Ok(()),
            },
            Notice::Warning {
                text: "careful".into(),
            },
        ];
        let json = serde_json::to_string(&notices).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Notice>>(&json).unwrap(), notices);
        assert!(json.starts_with(r#"[{"notice":"server_reached""#), "{json}");
    }
}
