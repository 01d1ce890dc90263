//! The session that a command is about, and running the command on it.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use armadillo_harness::exit_code::Exit;
use armadillo_harness::session::{Found, SESSION, Session, SessionError};
use armadillo_harness::settings::time_limit;
use armadillo_orchestrator::run_dir;

use crate::complete;

/// Which session is meant.
#[derive(Default, clap::Args)]
pub(crate) struct Which {
    /// The run that holds the servers, if there are several: its id, as `armadillo ps` shows it
    #[arg(long, value_name = "ID", add = complete::runs())]
    pub(crate) run: Option<String>,
    /// Where runs have their private directories [default: ARMADILLO_RUNTIME_DIR, or one in /tmp]
    #[arg(long, value_name = "DIR")]
    runtime_dir: Option<PathBuf>,
}

impl Which {
    /// The session that is meant.
    pub(crate) fn find(&self) -> Result<Found, SessionError> {
        self.settle();
        Found::named(self.run.as_deref())
    }

    /// Every session of this user.
    pub(crate) fn all(&self) -> Vec<Found> {
        self.settle();
        Found::all()
    }

    /// Every session, if it is not said which. Within a command of a session, that one.
    pub(crate) fn find_all(&self) -> Result<Vec<Found>, SessionError> {
        self.settle();
        match self.is_said() {
            true => Ok(vec![Found::named(self.run.as_deref())?]),
            false => {
                for other in Found::of_other_versions().values() {
                    eprintln!("warning: {other}");
                }
                Ok(Found::all())
            }
        }
    }

    /// Whether one is named: on the command line, or by the environment of a command that runs in it.
    pub(crate) fn is_said(&self) -> bool {
        self.run.is_some() || std::env::var_os(SESSION).is_some()
    }

    fn settle(&self) {
        let variable = || std::env::var_os("ARMADILLO_RUNTIME_DIR").map(PathBuf::from);
        // A session lies in the directory of its run, which lies there.
        let session = || {
            let path = PathBuf::from(std::env::var_os(SESSION)?);
            Some(path.parent()?.parent()?.to_owned())
        };
        let named = self.runtime_dir.clone().or_else(variable).or_else(session);
        if let Some(path) = named.and_then(|path| std::path::absolute(path).ok()) {
            run_dir::settle_in(&path);
        }
    }
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error("{0}")]
    Other(String),
    #[error("cannot create a runtime: {0}")]
    Runtime(#[source] std::io::Error),
    #[error("cannot wait for signals: {0}")]
    Signals(#[source] std::io::Error),
    /// By Ctrl-C.
    #[error("{0}")]
    Interrupted(String),
}

/// A time limit: `90s`, `10m`. A number alone is seconds.
pub(crate) fn limit(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds)),
        _ => time_limit(text).map_err(|wrong| format!("{}; {}", wrong.reason, wrong.help)),
    }
}

/// Joins the session and does this with it.
pub(crate) fn within<F>(which: &Which, act: impl FnOnce(Session) -> F) -> ExitCode
where
    F: Future<Output = Result<(), CommandError>>,
{
    code(which.find().map_err(CommandError::from).and_then(|found| {
        runtime()?.block_on(async move {
            let session = found.join().await?;
            act(session).await
        })
    }))
}

/// A runtime for commands that ask the daemon.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.map_err(CommandError::Runtime)
}

/// What the process ends with; what went wrong is said.
pub(crate) fn code(done: Result<(), CommandError>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            match error {
                CommandError::Interrupted(_) => Exit::Interrupted.into(),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

/// Prints this; whether anybody still reads it. Whoever closed stdout wants to see no more.
pub(crate) fn say(text: &str) -> bool {
    let mut stdout = std::io::stdout();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .is_ok()
}

/// Whether a person looks at stdout.
pub(crate) fn is_watched() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
