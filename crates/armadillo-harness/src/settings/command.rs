//! The command line, read by clap from the table.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::builder::OsStringValueParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::error::UsageError;
use super::setting::{Said, Setting};

/// What the command line says.
#[derive(Debug, Default)]
pub(super) struct CommandLine {
    /// The names or parts of names.
    pub(super) filters: Vec<String>,
    /// The values of each setting that was given.
    pub(super) given: BTreeMap<&'static str, Vec<String>>,
    /// `-h`, `--help`.
    pub(super) help: bool,
    /// `-V`, `--version`.
    pub(super) version: bool,
}

const FILTERS: &str = "FILTER";
const HELP: &str = "help";
const VERSION: &str = "version";

/// Reads the arguments (without the program's name).
pub(super) fn read(table: &[Setting], args: &[OsString]) -> Result<CommandLine, UsageError> {
    let matches = command(table)
        .try_get_matches_from(args)
        .map_err(|error| UsageError::CommandLine(shortened(&error.render().to_string())))?;
    let mut line = CommandLine {
        filters: values(&matches, FILTERS)?,
        given: BTreeMap::new(),
        help: matches.get_flag(HELP),
        version: matches.get_flag(VERSION),
    };
    for setting in table {
        if matches.value_source(setting.name) == Some(ValueSource::CommandLine) {
            line.given
                .insert(setting.name, values(&matches, setting.name)?);
        }
    }
    Ok(line)
}

/// The values of an argument; those that are not UTF-8 are refused.
pub(super) fn values(matches: &ArgMatches, id: &str) -> Result<Vec<String>, UsageError> {
    let given = matches.get_many::<OsString>(id).into_iter().flatten();
    given
        .map(|value| {
            let text = value.to_str().map(str::to_owned);
            text.ok_or_else(|| {
                let shown = value.to_string_lossy();
                UsageError::CommandLine(format!("`{shown}` is not valid UTF-8"))
            })
        })
        .collect()
}

fn command(table: &[Setting]) -> Command {
    let switch = |id: &'static str, short| {
        Arg::new(id)
            .long(id)
            .short(short)
            .action(ArgAction::SetTrue)
    };
    Command::new("TEST")
        .no_binary_name(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args_override_self(true)
        .override_usage("cargo test -- [OPTIONS] [FILTER]...")
        .arg(
            Arg::new(FILTERS)
                .num_args(0..)
                .value_parser(OsStringValueParser::new()),
        )
        .arg(switch(HELP, 'h'))
        .arg(switch(VERSION, 'V'))
        .args(table.iter().map(argument))
}

/// A switch may carry a value after `=`, so that the command line can take back what the file says.
pub(super) fn argument(setting: &Setting) -> Arg {
    let mut arg = Arg::new(setting.name)
        .aliases(setting.aliases.iter().copied())
        .value_parser(OsStringValueParser::new());
    if setting.said == Said::OnCommandLine && setting.short.is_some() {
        arg = arg.value_name(setting.value);
    } else {
        arg = arg.long(setting.name);
    }
    if let Some(short) = setting.short {
        arg = arg.short(short);
    }
    if setting.is_switch() {
        arg.num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_name("BOOL")
    } else if !setting.bare.is_empty() {
        arg.num_args(0..=1)
            .require_equals(true)
            .default_missing_value(setting.bare)
            .value_name(setting.value)
    } else {
        let action = if setting.repeats {
            ArgAction::Append
        } else {
            ArgAction::Set
        };
        arg.num_args(1)
            .allow_negative_numbers(true)
            .action(action)
            .value_name(setting.value)
    }
}

/// clap's message without its prefix, its usage line and its pointer to `--help`, which follows anyway.
fn shortened(message: &str) -> String {
    let message = message.trim();
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let end = message
        .find("\n\nUsage:")
        .or_else(|| message.find("\n\nFor more"));
    let message = end.and_then(|end| message.get(..end)).unwrap_or(message);
    message.trim_end().to_owned()
}
