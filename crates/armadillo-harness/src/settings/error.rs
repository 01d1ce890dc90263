//! What can be wrong with what a person said: where, why, and what would be right.

use std::fmt;
use std::path::PathBuf;

use crate::select::ExpressionError;

/// Who said a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// This flag of the command line.
    CommandLine(String),
    /// This variable.
    Variable(String),
    /// The declaration of a flag in the code of a suite.
    Code {
        /// The source file and line.
        place: String,
        /// The flag's name.
        flag: &'static str,
    },
    /// This key, on this line of a file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key.
        key: String,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine(flag) => f.write_str(flag),
            Self::Variable(name) => f.write_str(name),
            Self::Code { place, flag } => write!(f, "{place}: --{flag}"),
            Self::File { path, line, key } if key.is_empty() => {
                write!(f, "{}:{line}", path.display())
            }
            Self::File { path, line, key } => write!(f, "{}:{line}: {key}", path.display()),
        }
    }
}

/// Why a run was refused before it began. It ends with exit code 2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// The command line cannot be read.
    #[error("{0}\nhelp: run with `--help` for a list of all flags")]
    CommandLine(String),
    /// A value means nothing.
    #[error("{said_by}: {reason}\nhelp: {help}")]
    Value {
        /// Who said it.
        said_by: Source,
        /// What is wrong with it.
        reason: String,
        /// What would be right.
        help: String,
    },
    /// Two settings contradict each other.
    #[error("{one} conflicts with {other}: {reason}\nhelp: {help}")]
    Contradiction {
        /// One, with its value.
        one: String,
        /// The other.
        other: String,
        /// Why.
        reason: String,
        /// What to do.
        help: String,
    },
    /// The file cannot be read.
    #[error("{}: {reason}\nhelp: {help}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
        /// What to do.
        help: String,
    },
}

/// Why a value was refused; becomes a [`UsageError::Value`] once it is known who said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// What is wrong.
    pub reason: String,
    /// What would be right.
    pub help: String,
}

impl Wrong {
    pub(super) fn new(reason: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            help: help.into(),
        }
    }

    pub(super) fn said_by(self, source: &Source) -> UsageError {
        UsageError::Value {
            said_by: source.clone(),
            reason: self.reason,
            help: self.help,
        }
    }
}

impl From<ExpressionError> for Wrong {
    fn from(error: ExpressionError) -> Self {
        Self {
            reason: format!("{}\n{}", error.reason, error.picture()),
            help: error.suggestion,
        }
    }
}
