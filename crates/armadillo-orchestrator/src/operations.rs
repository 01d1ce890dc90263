//! Operations on a whole deployment: a plan of steps, done one after the other, that can be watched and cancelled.
//!
//! What the steps are is the system's to say ([`System::rolling`](crate::System::rolling)); the machine in [`machine`] decides
//! which comes next, and a [`Deployment`](crate::Deployment) does them.

pub mod machine;
pub mod rolling;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::program::Program;
use crate::server::ServerKey;

pub use rolling::{Change, Direction, Rolling, RollingServer, Version};

/// The number of an operation within its deployment; the first is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct OperationId(pub u32);

/// What an operation will do, step by step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OperationPlan {
    /// What it is called: `rolling restart`.
    pub name: String,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// What else whoever begins it should know.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// One step of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Step {
    /// The server it is done to; `None`: the deployment as a whole.
    pub server: Option<ServerKey>,
    /// What is done.
    pub what: StepKind,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Something that the system knows how to do. It is tried until it is done.
    Act {
        /// What.
        act: SystemStep,
        /// What undoes it, if the operation ends before its last step.
        undo: Option<SystemStep>,
    },
    /// Waits until the system says that this holds. A test can leave a gate out by its name.
    Gate(SystemStep),
    /// Stops the server gracefully and starts it, as it was or otherwise.
    Restart(Box<Restart>),
    /// Ends the server by SIGKILL and starts it again.
    Crash,
    /// Lets time pass, so that what is there now is used for a while.
    Hold(Duration),
}

/// Something that a system can do, or look at, by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SystemStep {
    /// Its name within the system: `hand-over`, `version`.
    pub name: String,
    /// What else there is to say: a version, say. Empty if there is nothing.
    pub argument: String,
}

/// How a server is started again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Restart {
    /// Another program; `None`: the one it ran.
    pub program: Option<Program>,
    /// Options of its command line, in the place of those of the same name.
    pub options: Vec<(String, String)>,
    /// Whether it is done although too few servers would be left to decide anything.
    #[serde(default)]
    pub forced: bool,
}

/// What one try of a [`SystemStep`] came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It is done, or holds: by what it was seen. Empty if there is nothing to say.
    Done(String),
    /// Not yet, and why; it is tried again.
    NotYet(String),
    /// It will never be, and why: the operation ends.
    Refused(String),
}

/// How far a step has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum StepState {
    /// Its turn has not come.
    Planned,
    /// It is being done.
    Running,
    /// It is done.
    Done {
        /// How long it took.
        took: Duration,
        /// By what its end was seen; empty if there is nothing to say.
        seen: String,
    },
    /// A gate that the test has left out.
    LeftOut,
    /// It was not done.
    Failed {
        /// After how long.
        took: Duration,
        /// Why.
        why: String,
    },
    /// It was done, and then undone, because the operation did not come to its end.
    Undone,
}

/// How an operation is, or has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It goes on.
    Running,
    /// It waits for the test to let it go on.
    Waiting,
    /// All steps were done.
    Done,
    /// It was cancelled, and has stopped where it is safe.
    Cancelled,
    /// A step failed.
    Failed {
        /// Why, in words.
        why: String,
    },
}

/// How an operation is: its plan, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OperationStatus {
    /// Its number.
    pub id: OperationId,
    /// What it is called.
    pub name: String,
    /// The steps, each with its state.
    pub steps: Vec<(Step, StepState)>,
    /// How it is as a whole.
    pub outcome: Outcome,
    /// What each server ran before it was given another program: the way back.
    #[serde(default)]
    pub before: Vec<(ServerKey, Program)>,
}

/// How an operation is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OperationTerms {
    /// The names of the gates that are left out.
    pub without_gates: BTreeSet<String>,
    /// Whether it waits after each server until it is told to go on.
    pub step_by_step: bool,
}

impl OperationPlan {
    /// The names of its gates, each once.
    #[must_use]
    pub fn gates(&self) -> BTreeSet<&str> {
        let gates = self.steps.iter().filter_map(|step| match &step.what {
            StepKind::Gate(gate) => Some(gate.name.as_str()),
            _ => None,
        });
        gates.collect()
    }
}

impl Step {
    /// Something that the system does to a server, or to the whole.
    #[must_use]
    pub fn act(server: Option<&ServerKey>, act: SystemStep) -> Self {
        Self {
            server: server.cloned(),
            what: StepKind::Act { act, undo: None },
        }
    }

    /// A gate of a server, or of the whole.
    #[must_use]
    pub fn gate(server: Option<&ServerKey>, gate: SystemStep) -> Self {
        Self {
            server: server.cloned(),
            what: StepKind::Gate(gate),
        }
    }

    /// A restart.
    #[must_use]
    pub fn restart(server: &ServerKey, restart: Restart) -> Self {
        Self {
            server: Some(server.clone()),
            what: StepKind::Restart(Box::new(restart)),
        }
    }

    /// Whether its server is down while it is done: such a step is done to its end, whoever cancels.
    #[must_use]
    pub fn takes_down(&self) -> bool {
        matches!(self.what, StepKind::Restart(_) | StepKind::Crash)
    }
}

impl SystemStep {
    /// One without an argument.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self::with(name, "")
    }

    /// One with an argument.
    #[must_use]
    pub fn with(name: &str, argument: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            argument: argument.into(),
        }
    }
}

impl OperationStatus {
    /// Whether it has come to its end, whichever.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        !matches!(self.outcome, Outcome::Running | Outcome::Waiting)
    }

    /// The servers that were restarted, in this order, each once.
    #[must_use]
    pub fn restarted(&self) -> Vec<&ServerKey> {
        self.with_restart(|state| matches!(state, StepState::Done { .. }))
    }

    /// The servers that were to be restarted and were not.
    #[must_use]
    pub fn not_restarted(&self) -> Vec<&ServerKey> {
        let restarted = self.restarted();
        let mut rest = self.with_restart(|state| !matches!(state, StepState::Done { .. }));
        rest.retain(|server| !restarted.contains(server));
        rest
    }

    fn with_restart(&self, wanted: impl Fn(&StepState) -> bool) -> Vec<&ServerKey> {
        let mut found = Vec::new();
        for (step, state) in &self.steps {
            if let Some(server) = step.server.as_ref().filter(|_| step.takes_down())
                && wanted(state)
                && !found.contains(&server)
            {
                found.push(server);
            }
        }
        found
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for SystemStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.argument.as_str() {
            "" => f.write_str(&self.name),
            argument => write!(f, "{} {argument}", self.name),
        }
    }
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("restart")?;
        let program = self.program.as_ref();
        let program = program.map(|program| program.version.as_ref().unwrap_or(&program.title));
        let options = self.options.iter();
        let options = options.map(|(name, value)| format!("{name}={value}"));
        let with: Vec<String> = program.cloned().into_iter().chain(options).collect();
        match with.is_empty() {
            true => Ok(()),
            false => write!(f, " with {}", with.join(", ")),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(server) = &self.server {
            write!(f, "{server}: ")?;
        }
        match &self.what {
            StepKind::Act { act, .. } => act.fmt(f),
            StepKind::Gate(gate) => write!(f, "wait for {gate}"),
            StepKind::Restart(restart) => restart.fmt(f),
            StepKind::Crash => f.write_str("kill and start"),
            StepKind::Hold(time) => write!(f, "hold for {time:.1?}"),
        }
    }
}

impl fmt::Display for StepState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Planned => f.write_str("not begun"),
            Self::Running => f.write_str("running"),
            Self::Done { took, seen } if seen.is_empty() => write!(f, "{took:.2?}"),
            Self::Done { took, seen } => write!(f, "{took:.2?}, {seen}"),
            Self::LeftOut => f.write_str("left out"),
            Self::Failed { took, .. } => write!(f, "failed after {took:.2?}"),
            Self::Undone => f.write_str("undone"),
        }
    }
}

impl fmt::Display for OperationPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (number, step) in self.steps.iter().enumerate() {
            write!(f, "\n  {:2}. {step}", number + 1)?;
        }
        for note in &self.notes {
            write!(f, "\n  note: {note}")?;
        }
        Ok(())
    }
}

/// The whole, a step a line, with times: what is saved beside the test.
impl fmt::Display for OperationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match &self.outcome {
            Outcome::Running => "running",
            Outcome::Waiting => "waiting to be told to go on",
            Outcome::Done => "done",
            Outcome::Cancelled => "cancelled",
            Outcome::Failed { .. } => "failed",
        };
        write!(f, "operation {}: {}: {outcome}", self.id, self.name)?;
        for (number, (step, state)) in self.steps.iter().enumerate() {
            write!(f, "\n  {:2}. {step} ({state})", number + 1)?;
        }
        Ok(())
    }
}
