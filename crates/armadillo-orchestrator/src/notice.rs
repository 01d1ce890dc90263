//! What a deployment tells whoever watches it: facts, in the order they happened.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;

use crate::deployment::Operation;
use crate::leadership::LeadershipEntry;
use crate::membership::MembershipChange;
use crate::operations::{OperationId, Outcome, StepState};
use crate::server::{ServerKey, Stage};
use crate::statistics::Statistics;
use crate::system::Level;

/// Something that happened to a deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// An operation on the whole has begun.
    OperationBegan {
        /// Its number within the deployment.
        operation: OperationId,
        /// What it is called.
        name: String,
        /// Its steps, in words.
        steps: Vec<String>,
    },
    /// A step of an operation has begun, or has ended.
    OperationStep {
        /// The operation.
        operation: OperationId,
        /// Which of its steps, the first being 1.
        step: usize,
        /// The server, if it is done to one.
        server: Option<ServerKey>,
        /// What is done, in words.
        what: String,
        /// How far it has come.
        state: StepState,
    },
    /// An operation on the whole has ended.
    OperationEnded {
        /// The operation.
        operation: OperationId,
        /// How.
        outcome: Outcome,
        /// How long it took.
        took: Duration,
    },
    /// A fault of links was ordered, or waited for.
    Link {
        /// What, and where: `cut of member-1 -> member-2`.
        what: String,
        /// How long after it was ordered it was in force.
        in_force_after: Duration,
        /// How long after it was ordered an effect was seen, if somebody has waited for one.
        seen_after: Option<Duration>,
        /// Where an effect was seen.
        seen: Vec<String>,
        /// Whether it is as it should be, and if not, why.
        result: Result<(), String>,
    },
    /// The faults of links that a test has left were undone.
    LinksCleared {
        /// What was still in force.
        undone: Vec<String>,
    },
    /// Another leader of a group was seen, or none.
    Leader(LeadershipEntry),
    /// From its next start on, a server runs another program.
    ProgramChanged {
        /// The server.
        server: ServerKey,
        /// The program.
        program: String,
        /// Its version, if it says one.
        version: Option<String>,
    },
    /// A server's program has done, or could not do, what it must before it can start on data that another program has served.
    Prepared {
        /// The server.
        server: ServerKey,
        /// What that is: `the upgrade of its data`.
        what: String,
        /// How long it took.
        took: Duration,
        /// Whether it was done, and if not, why.
        result: Result<(), String>,
    },
    /// A server joined the deployment or left it, or its address was changed.
    MembershipChanged {
        /// What was changed.
        change: MembershipChange,
    },
    /// Its servers start on a copy of existing data.
    DataCopied {
        /// The directory it is from.
        from: String,
        /// The size of the copy in bytes.
        bytes: u64,
    },
    /// The keys of the deployment were changed: a step of a rotation.
    KeysChanged {
        /// How many steps have been taken so far.
        steps: u32,
    },
    /// What the servers did so far and what they use, in figures.
    Statistics(Statistics),
    /// A server has logged a warning or something graver. Of each server the first hundred are told; its log has all.
    Logged {
        /// The server.
        server: ServerKey,
        /// How loud.
        level: Level,
        /// When, as the log says it, for people: `13:45:01.123`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        time: Option<String>,
        /// The beginning of the message.
        text: String,
    },
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
