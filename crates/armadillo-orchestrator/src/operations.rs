//! Operations on a whole deployment: a plan of steps, done one after the other, that can be watched and cancelled.
//!
//! What the steps are is the system's to say ([`System::rolling`](crate::System::rolling)); the machine in [`machine`] decides
//! which comes next, and a [`Deployment`](crate::Deployment) does them.

pub mod machine;
pub mod rolling;
pub mod step;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::program::Program;
use crate::server::ServerKey;

pub use rolling::{Change, Direction, Rolling, RollingServer, Version};
pub use step::{Restart, Step, StepKind, SystemStep, Tried, Undo};

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
