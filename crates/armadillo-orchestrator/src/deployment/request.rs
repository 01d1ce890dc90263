//! What a start is asked for, and what keeps it from being done.

use std::path::PathBuf;
use std::time::Duration;

use super::existing_data::DataError;
use super::gates::BadPlan;
use super::observe::NotGood;
use crate::backend::BackEndError;
use crate::deadline::Deadline;
use crate::process::Exit;
use crate::programs::Programs;
use crate::server::ServerKey;
use crate::settings::Settings;
use crate::system::System;
use crate::tls::TlsError;
use crate::topology::Topology;
use crate::view::Share;

/// What is to be started.
pub struct StartRequest {
    /// The deployment's id, unique among all runs; the name of a directory.
    pub id: String,
    /// The system.
    pub system: &'static dyn System,
    /// The complete topology.
    pub topology: Topology,
    /// The settings of the run.
    pub settings: Settings,
    /// The programs, one for each role of the topology.
    pub programs: Programs,
    /// The directory in which each server gets one of its own. It is kept.
    pub directory: PathBuf,
    /// A directory that only its owner can enter, for files with secrets; `None` leaves them in the servers' own.
    pub secrets: Option<PathBuf>,
    /// Each server's share of the machine; `None` gives it what it costs.
    pub share: Option<Share>,
    /// When it must be good.
    pub deadline: Deadline,
}

/// Why a deployment did not start. Nothing of it runs any more.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its plan makes no sense: a mistake in the system.
    #[error("invalid plan for {topology}: {source}")]
    Plan {
        /// What was to be planned.
        topology: String,
        /// What is wrong with the plan.
        source: BadPlan,
    },
    /// Nothing was found that the servers of a role could run.
    #[error("{deployment} has no program for the role {role}")]
    Program {
        /// The deployment's id.
        deployment: String,
        /// The role.
        role: &'static str,
    },
    /// There is no place for its servers.
    #[error("cannot create the directories of {deployment}: {source}")]
    Place {
        /// The deployment's id.
        deployment: String,
        /// What the back end said.
        source: BackEndError,
    },
    /// The data that it is to start on cannot be used.
    #[error("cannot start {deployment} on existing data: {source}")]
    Data {
        /// The deployment's id.
        deployment: String,
        /// Why.
        source: DataError,
    },
    /// The operating system gave no random numbers for its secret.
    #[error("cannot create the secret of {deployment}: {source}")]
    Secret {
        /// The deployment's id.
        deployment: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Its certificates cannot be made.
    #[error("cannot create the certificates of {deployment}: {source}")]
    Tls {
        /// The deployment's id.
        deployment: String,
        /// Why.
        source: TlsError,
    },
    /// A server did not get ready.
    #[error(transparent)]
    Server(#[from] Failure),
    /// Every server is ready, and yet the whole is not good.
    #[error("{deployment}: {source}")]
    NotGood {
        /// The deployment's id.
        deployment: String,
        /// What is missing.
        source: NotGood,
    },
}

/// Why one server did not get ready.
#[derive(Debug, thiserror::Error)]
#[error("{server} {problem}{}{}", in_short(said), tail(log))]
pub struct Failure {
    /// The server.
    pub server: ServerKey,
    /// What happened.
    pub problem: Box<Problem>,
    /// The first line of its log that says why, as the system reads it.
    pub said: Option<String>,
    /// The last lines it logged.
    pub log: Vec<String>,
}

/// What keeps a server from being ready.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The back end could not start it.
    #[error("cannot start: {0}")]
    BackEnd(#[from] BackEndError),
    /// The deployment is being stopped.
    #[error("was not started because the deployment is being stopped")]
    Ended,
    /// Another operation on it did not end before the deadline.
    #[error("cannot start: another operation on it is in progress")]
    Busy,
    /// It ended.
    #[error("exited during start-up: {text}")]
    Exited {
        /// How.
        exit: Exit,
        /// How, in words.
        text: String,
        /// Whether starting again may help.
        may_pass: bool,
    },
    /// Its program could not do what it must before it can start on the data of another.
    #[error("could not do {what}: {text}")]
    Unprepared {
        /// What that is.
        what: &'static str,
        /// How the program ended.
        exit: Exit,
        /// How, in words.
        text: String,
    },
    /// It ended after it was ready.
    #[error("exited: {text}")]
    Crashed {
        /// How, in words.
        text: String,
    },
    /// The system says that it will never be ready.
    #[error("cannot become ready: {0}")]
    Hopeless(String),
    /// Somebody else answers in its place.
    #[error("is not the server that responds: {0}")]
    Foreign(String),
    /// The deadline came first.
    #[error("is not ready after {waited:.1?}: {missing}")]
    Late {
        /// How long it was waited.
        waited: Duration,
        /// What was missing at the last look.
        missing: String,
    },
}

impl Problem {
    /// How the process ended, if that is the problem.
    pub(super) fn exit(&self) -> Option<Exit> {
        match self {
            Self::Exited { exit, .. } | Self::Unprepared { exit, .. } => Some(*exit),
            _ => None,
        }
    }
}

fn in_short(said: &Option<String>) -> String {
    let said = said.as_ref();
    said.map_or(String::new(), |said| format!("; it logged: {said}"))
}

fn tail(log: &[String]) -> String {
    if log.is_empty() {
        return String::new();
    }
    format!("\nlast lines of its log:\n  {}", log.join("\n  "))
}
