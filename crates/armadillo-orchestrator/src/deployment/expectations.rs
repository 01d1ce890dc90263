//! Exits that are meant: declared by whoever brings them about, met by one exit of the process that runs now.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Deployment;
use super::status::Phase;
use crate::deadline::Deadline;
use crate::process::Exit;
use crate::server::ServerKey;

/// How a server is expected to exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ExitExpectation {
    /// By this signal.
    Signal(i32),
    /// With this exit code.
    Code(i32),
    /// By a signal, whichever: a crash handler may choose another one than the fault.
    Crash,
    /// In whatever way.
    Any,
}

impl ExitExpectation {
    /// By this signal: 6 for a failed assertion, 9 for the kernel's out-of-memory killer.
    #[must_use]
    pub const fn signal(signal: i32) -> Self {
        Self::Signal(signal)
    }

    /// With this exit code.
    #[must_use]
    pub const fn code(code: i32) -> Self {
        Self::Code(code)
    }

    /// In whatever way.
    #[must_use]
    pub const fn any() -> Self {
        Self::Any
    }

    /// By a signal, whichever.
    #[must_use]
    pub const fn crash() -> Self {
        Self::Crash
    }

    /// Whether this exit is such a one.
    #[must_use]
    pub fn is_met_by(self, exit: Exit) -> bool {
        match self {
            Self::Signal(signal) => exit.signal == Some(signal),
            Self::Code(code) => exit.signal.is_none() && exit.code == Some(code),
            Self::Crash => exit.signal.is_some(),
            Self::Any => true,
        }
    }
}

/// What follows "expected to".
impl fmt::Display for ExitExpectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Signal(signal) => write!(f, "exit with {}", Exit::by_signal(signal)),
            Self::Code(code) => write!(f, "exit with {}", Exit::with_code(code)),
            Self::Crash => f.write_str("crash"),
            Self::Any => f.write_str("exit"),
        }
    }
}

/// The number of an expectation, unique in its deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct ExpectationId(u64);

/// Why an exit cannot be expected, or was not seen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpectationError {
    /// There is no such server.
    #[error("no server {server} in {deployment}")]
    Unknown {
        /// The name asked for.
        server: ServerKey,
        /// The deployment's id.
        deployment: String,
    },
    /// The server has no process that could exit, or somebody is starting it.
    #[error("cannot expect {server} to exit: it is {phase}")]
    State {
        /// The server.
        server: ServerKey,
        /// How it is.
        phase: Phase,
    },
    /// The expectation is not there any more: another one on the same server has taken its place.
    #[error("this exit is no longer expected: another expectation replaced it")]
    Gone,
    /// The deadline came first.
    #[error("timed out after {waited:.1?} waiting for {server} to {expectation}; it is {phase}")]
    Late {
        /// The server.
        server: ServerKey,
        /// How it is expected to exit.
        expectation: ExitExpectation,
        /// How it is.
        phase: Phase,
        /// How long it was waited.
        waited: Duration,
    },
    /// It ended in another way.
    #[error("{server} was expected to {expectation}, but exited with {text}")]
    Otherwise {
        /// The server.
        server: ServerKey,
        /// How it was expected to exit.
        expectation: ExitExpectation,
        /// How it did, in words.
        text: String,
    },
}

/// The expectations of a deployment.
#[derive(Default)]
pub(super) struct Expectations(Mutex<Book>);

#[derive(Default)]
struct Book {
    /// The number of the newest one.
    last: u64,
    declared: BTreeMap<ExpectationId, Declared>,
}

#[derive(Clone)]
struct Declared {
    server: ServerKey,
    expectation: ExitExpectation,
    /// How the server ended, and the same in words.
    exit: Option<(Exit, String)>,
}

impl Declared {
    fn is_met(&self) -> bool {
        let met = |(exit, _): &(Exit, String)| self.expectation.is_met_by(*exit);
        self.exit.as_ref().is_some_and(met)
    }

    fn unmet(&self) -> Option<String> {
        let Self {
            server,
            expectation,
            exit,
        } = self;
        if self.is_met() {
            return None;
        }
        Some(match exit {
            None => format!("{server} was expected to {expectation}, but did not"),
            Some((_, text)) => {
                format!("{server} was expected to {expectation}, but exited with {text}")
            }
        })
    }
}

impl Expectations {
    /// Takes the place of what was expected of the same server and has not happened.
    fn declare(&self, server: &ServerKey, expectation: ExitExpectation) -> ExpectationId {
        self.book(|book| {
            book.declared
                .retain(|_, declared| declared.server != *server || declared.exit.is_some());
            book.last += 1;
            let id = ExpectationId(book.last);
            let declared = Declared {
                server: server.clone(),
                expectation,
                exit: None,
            };
            book.declared.insert(id, declared);
            id
        })
    }

    /// Takes note of an exit; returns how it was expected, if it was.
    pub(super) fn note_exit(
        &self,
        server: &ServerKey,
        exit: Exit,
        text: &str,
    ) -> Option<ExitExpectation> {
        self.book(|book| {
            let declared = book
                .declared
                .values_mut()
                .find(|declared| declared.server == *server && declared.exit.is_none())?;
            declared.exit = Some((exit, text.to_owned()));
            Some(declared.expectation)
        })
    }

    fn get(&self, id: ExpectationId) -> Option<Declared> {
        self.book(|book| book.declared.get(&id).cloned())
    }

    fn take_unmet(&self) -> Vec<String> {
        let all = self.book(|book| std::mem::take(&mut book.declared));
        all.values().filter_map(Declared::unmet).collect()
    }

    fn book<T>(&self, act: impl FnOnce(&mut Book) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Deployment {
    /// Declares that the process of a server that runs now will exit in this way. When it does, that is no crash, and the
    /// server counts as stopped; when it ends in another way by itself, that is a crash. Another expectation on the same
    /// server takes the place of this one.
    ///
    /// # Errors
    /// When there is no such server, or it does not run.
    pub fn expect_exit(
        &self,
        server: &ServerKey,
        expectation: ExitExpectation,
    ) -> Result<ExpectationId, ExpectationError> {
        let target = self
            .servers
            .get(server)
            .ok_or_else(|| ExpectationError::Unknown {
                server: server.clone(),
                deployment: self.id().to_owned(),
            })?;
        match target.phase() {
            Phase::Running | Phase::Paused => Ok(self.expectations.declare(server, expectation)),
            phase => Err(ExpectationError::State {
                server: server.clone(),
                phase,
            }),
        }
    }

    /// Waits for the exit that was expected, and returns how the server exited.
    ///
    /// # Errors
    /// When it exits in another way, or not before the deadline.
    pub async fn wait_for_exit(
        &self,
        expectation: ExpectationId,
        deadline: impl Into<Deadline> + Send,
    ) -> Result<Exit, ExpectationError> {
        let deadline = deadline.into();
        let begun = Instant::now();
        let mut changes = self.changes();
        loop {
            changes.mark_unchanged();
            let declared = self
                .expectations
                .get(expectation)
                .ok_or(ExpectationError::Gone)?;
            let met = declared.is_met();
            let Declared {
                server,
                expectation,
                exit,
            } = declared;
            match exit {
                Some((exit, _)) if met => return Ok(exit),
                Some((_, text)) => {
                    return Err(ExpectationError::Otherwise {
                        server,
                        expectation,
                        text,
                    });
                }
                None if deadline.bound(changes.changed()).await.is_some() => {}
                None => {
                    let phase = self.servers.get(&server).map(super::status::Server::phase);
                    return Err(ExpectationError::Late {
                        server,
                        expectation,
                        phase: phase.unwrap_or(Phase::Planned),
                        waited: begun.elapsed(),
                    });
                }
            }
        }
    }

    /// Forgets every expectation; returns a sentence for each that was not met. For the end of a lease.
    #[must_use]
    pub fn take_unmet_expectations(&self) -> Vec<String> {
        self.expectations.take_unmet()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expectation_is_met_by_just_that_exit() {
        let abort = Exit::by_signal(libc::SIGABRT);
        let clean = Exit::with_code(0);
        assert!(ExitExpectation::signal(6).is_met_by(abort));
        assert!(!ExitExpectation::signal(6).is_met_by(clean));
        assert!(!ExitExpectation::code(6).is_met_by(abort));
        assert!(ExitExpectation::code(0).is_met_by(clean));
        assert!(!ExitExpectation::code(1).is_met_by(clean));
        assert!(ExitExpectation::crash().is_met_by(abort));
        assert!(!ExitExpectation::crash().is_met_by(clean));
        assert!(ExitExpectation::any().is_met_by(abort) && ExitExpectation::any().is_met_by(clean));
        assert_eq!(
            ExitExpectation::signal(6).to_string(),
            "exit with SIGABRT (signal 6)"
        );
    }
}
