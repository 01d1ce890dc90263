//! The steps that operations are made of.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::program::Program;
use crate::server::ServerKey;

/// One step of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Step {
    /// The server it is done to; `None`: the deployment as a whole.
    pub server: Option<ServerKey>,
    /// What is done.
    pub what: StepKind,
    /// Whether it must follow the step before it: once that one is done there is no way back, and a cancel does not keep this one
    /// from being done.
    #[serde(default)]
    pub bound: bool,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Something that the system knows how to do. It is tried until it is done. A cancel waits for the end of a try.
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
    /// Stops the server gracefully. It is undone by a start.
    Stop {
        /// Whether it is done although too few servers would be left to decide anything.
        forced: bool,
    },
    /// Starts the server and waits until it is ready. Steps before it are not undone any more.
    Start,
    /// From now on the server is part of the deployment, and its launch is told what the system says
    /// ([`System::joining`](crate::System::joining)). It is not started by this. It is undone by the opposite: the server leaves, is
    /// stopped, and loses its data.
    Join,
    /// From now on the server is not part of the deployment: nobody misses it, and its exit is no crash. It is not stopped by
    /// this. It is undone by the opposite.
    Leave,
    /// Ends a server that has left, and deletes its data.
    Dismiss {
        /// If it ends by itself within this time, that is awaited; else it is stopped.
        grace: Duration,
    },
    /// From its next start on, a port of the server is where a spare has its own, which is used up by that.
    Move {
        /// The port.
        port: String,
        /// The spare.
        to: ServerKey,
    },
    /// Deletes the data of a server that does not run.
    Wipe,
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
    /// Surely not yet, and why; it is tried again.
    NotYet(String),
    /// Nobody knows whether it was done, and why: it is tried again, even if somebody cancels meanwhile.
    Unsure(String),
    /// It will never be, and why: the operation ends.
    Refused(String),
}

/// What takes a step back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undo {
    /// Something that the system knows how to do.
    Act(SystemStep),
    /// A start of the server.
    Start,
    /// The server is part of the deployment again.
    Join,
    /// The server leaves the deployment; it is stopped, and its data is deleted.
    Leave,
}

impl Step {
    /// This, done to a server.
    #[must_use]
    pub fn of(server: &ServerKey, what: StepKind) -> Self {
        Self {
            server: Some(server.clone()),
            what,
            bound: false,
        }
    }

    /// Something that the system does to a server, or to the whole.
    #[must_use]
    pub fn act(server: Option<&ServerKey>, act: SystemStep) -> Self {
        Self {
            server: server.cloned(),
            what: StepKind::Act { act, undo: None },
            bound: false,
        }
    }

    /// The same, and what undoes it if the operation ends before its last step. To undo what was not done must do no harm.
    #[must_use]
    pub fn undoable(server: Option<&ServerKey>, act: SystemStep, undo: SystemStep) -> Self {
        Self {
            server: server.cloned(),
            what: StepKind::Act {
                act,
                undo: Some(undo),
            },
            bound: false,
        }
    }

    /// A gate of a server, or of the whole.
    #[must_use]
    pub fn gate(server: Option<&ServerKey>, gate: SystemStep) -> Self {
        Self {
            server: server.cloned(),
            what: StepKind::Gate(gate),
            bound: false,
        }
    }

    /// A restart.
    #[must_use]
    pub fn restart(server: &ServerKey, restart: Restart) -> Self {
        Self::of(server, StepKind::Restart(Box::new(restart)))
    }

    /// The same step, which must follow the one before it.
    #[must_use]
    pub fn bound(self) -> Self {
        Self {
            bound: true,
            ..self
        }
    }

    /// Whether its server is down while it is done, and up afterwards.
    #[must_use]
    pub fn takes_down(&self) -> bool {
        matches!(self.what, StepKind::Restart(_) | StepKind::Crash)
    }

    /// Whether it is done to its end once it has begun, whoever cancels.
    pub(crate) fn runs_to_its_end(&self) -> bool {
        let cut_short = matches!(
            self.what,
            StepKind::Act { .. } | StepKind::Gate(_) | StepKind::Hold(_) | StepKind::Join
        );
        self.bound || !cut_short
    }

    /// What takes it back.
    pub(crate) fn undo(&self) -> Option<Undo> {
        match &self.what {
            StepKind::Act { undo, .. } => undo.clone().map(Undo::Act),
            StepKind::Stop { .. } => Some(Undo::Start),
            StepKind::Leave => Some(Undo::Join),
            StepKind::Join => Some(Undo::Leave),
            StepKind::Gate(_)
            | StepKind::Restart(_)
            | StepKind::Crash
            | StepKind::Hold(_)
            | StepKind::Start
            | StepKind::Dismiss { .. }
            | StepKind::Move { .. }
            | StepKind::Wipe => None,
        }
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

impl fmt::Display for Undo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Act(act) => act.fmt(f),
            Self::Start => f.write_str("start"),
            Self::Join => f.write_str("join"),
            Self::Leave => f.write_str("leave"),
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
            StepKind::Stop { .. } => f.write_str("stop"),
            StepKind::Start => f.write_str("start"),
            StepKind::Join => f.write_str("join"),
            StepKind::Leave => f.write_str("leave"),
            StepKind::Dismiss { .. } => f.write_str("end and delete data"),
            StepKind::Move { to, .. } => write!(f, "take the address of {to}"),
            StepKind::Wipe => f.write_str("delete data"),
        }
    }
}
