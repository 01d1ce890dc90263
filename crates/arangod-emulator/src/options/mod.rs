//! The command line and the configuration file.

mod catalog;
mod config_file;
mod dump;
mod parse;
mod suggest;
mod value;

use std::collections::BTreeMap;

use crate::exit::Exit;

pub(crate) use dump::{dump_options, help};
pub(crate) use parse::parse;

/// Why the options cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OptionError {
    /// No option has this name.
    #[error("unknown option '{name}'{}", hint(.near))]
    Unknown {
        /// The name as given.
        name: String,
        /// Names near to it.
        near: Vec<&'static str>,
    },
    /// The value does not fit the option.
    #[error("error setting value for option '{name}': {reason}")]
    Value {
        /// The option.
        name: String,
        /// What is wrong with its value.
        reason: String,
    },
    /// An option that needs a value stands alone.
    #[error("option '{name}' requires a value")]
    Missing {
        /// The option.
        name: String,
    },
    /// More than one positional argument.
    #[error("expecting a single database directory, got a second argument '{0}'")]
    Surplus(String),
    /// An argument is not UTF-8.
    #[error("argument is not valid UTF-8: {0:?}")]
    NotUtf8(std::ffi::OsString),
    /// A configuration file cannot be read.
    #[error("cannot read configuration file '{path}': {source}")]
    ConfigFile {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A line of a configuration file is no assignment.
    #[error("configuration file '{path}', line {line}: {reason}")]
    ConfigLine {
        /// The file.
        path: String,
        /// The number of the line.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

fn hint(near: &[&str]) -> String {
    if near.is_empty() {
        String::new()
    } else {
        format!("\n\nDid you mean one of these:\n  {}", near.join("\n  "))
    }
}

impl OptionError {
    /// The exit code that arangod gives this error.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Unknown { .. } => Exit::InvalidOptionName,
            Self::Value { .. } | Self::Missing { .. } => Exit::InvalidOptionValue,
            Self::ConfigFile { .. } => Exit::ConfigNotFound,
            Self::Surplus(_) | Self::NotUtf8(_) | Self::ConfigLine { .. } => Exit::Failed,
        }
    }
}

/// All options with the values they have, defaults included.
#[derive(Debug, Default, Clone)]
pub(crate) struct Options {
    set: BTreeMap<&'static str, Vec<String>>,
    /// `--help` or `--help-...` was given.
    pub(crate) help: Option<String>,
}

impl Options {
    /// The value of an option that takes one, the last if it was given several times.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.list(name).last().map_or("", String::as_str)
    }

    /// The values of an option that may be repeated.
    pub(crate) fn list(&self, name: &str) -> &[String] {
        match self.set.get(name) {
            Some(values) => values,
            None => catalog::all()
                .get(name)
                .map_or(&[], |spec| spec.default.as_slice()),
        }
    }

    /// Whether a boolean option is on.
    pub(crate) fn flag(&self, name: &str) -> bool {
        value::flag(self.text(name)).unwrap_or(false)
    }

    /// The value of an option that is a whole number.
    pub(crate) fn unsigned(&self, name: &str) -> u64 {
        value::unsigned(self.text(name)).unwrap_or(0)
    }

    /// The value of an option that is a number.
    pub(crate) fn double(&self, name: &str) -> f64 {
        value::double(self.text(name)).unwrap_or(0.0)
    }

    /// Whether the option was given, on the command line or in a file.
    pub(crate) fn given(&self, name: &str) -> bool {
        self.set.contains_key(name)
    }
}
