//! The settings of a run that make sense for a command on deployments, as arguments of another command line.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches};

use super::command::{argument, values};
use super::error::UsageError;
use super::setting::{Group, Linked, Setting};
use super::table::all;

/// Those that are not about tests. The flags of systems belong to them, too.
const NAMES: &[&str] = &[
    "timeout",
    "run-timeout",
    "timeout-factor",
    "memory",
    "tls",
    "cores",
    "record",
    "cgroup",
    "statistics-interval",
    "servers-dir",
    "runtime-dir",
    "output-dir",
    "trace",
    "color",
    "profile",
    "config",
];

/// What the help of some of them says, where that for a run is about tests.
const HELP: &[(&str, &str)] = &[
    (
        "timeout",
        "Time limit for the command, or for how long servers are held: `30s`, `3m`, `1h30m`. When it is reached, the command \
         gets SIGTERM, and SIGKILL five seconds later; the exit code is 124. There is none by default.",
    ),
    (
        "run-timeout",
        "Time limit for everything, including the start of the servers. When it is reached, everything is killed and the exit \
         code is 124.",
    ),
    (
        "timeout-factor",
        "Multiply all time limits by this factor, for example 3 on a slow machine. The default is 3 if a server was built with \
         sanitizers, and 10 if servers are recorded.",
    ),
    (
        "tls",
        "Start every deployment with TLS, as if its topology said `tls`. Certificates are made for the run. It has no effect on \
         systems that do not use TLS.",
    ),
    (
        "runtime-dir",
        "Directory for sockets, pipes and secrets. It must belong to you and be accessible only to you. Its path must be short, \
         because the length of socket paths is limited. Each run cleans up after killed runs that used the same directory. \
         Defaults to `/tmp/armadillo-<uid>`.",
    ),
];

/// The beginning of flags about servers that somebody else has started: a command gets its own.
const ATTACH: &str = "attach-";

/// These settings as arguments, with help.
#[must_use]
pub fn arguments() -> Vec<Arg> {
    let of_table = |setting: &Setting| {
        argument(setting)
            .help(help(setting))
            .help_heading(match setting.group {
                Group::Running => "Time limits",
                Group::Systems => "Servers",
                group => group.title(),
            })
            .hide_possible_values(true)
    };
    settings().iter().map(of_table).collect()
}

fn help(setting: &Setting) -> &'static str {
    let own = HELP.iter().find(|(name, _)| *name == setting.name);
    own.map_or(setting.help, |(_, help)| *help)
}

/// What was given of them, as a run's command line takes it.
///
/// # Errors
/// When a value is not UTF-8.
pub fn given(matches: &ArgMatches) -> Result<Vec<OsString>, UsageError> {
    let mut flags = Vec::new();
    for setting in settings() {
        if matches.value_source(setting.name) == Some(ValueSource::CommandLine) {
            for value in values(matches, setting.name)? {
                flags.push(format!("--{}={value}", setting.name).into());
            }
        }
    }
    Ok(flags)
}

/// Whether the setting of this name is not about tests.
pub(crate) fn is_for_commands(name: &str) -> bool {
    settings().iter().any(|setting| setting.name == name)
}

fn settings() -> Vec<Setting> {
    let table = all(&Linked::registered()).into_iter();
    let for_commands = |setting: &Setting| match setting.group {
        Group::Systems => !setting.name.starts_with(ATTACH) && concerns_any(setting.name),
        _ => NAMES.contains(&setting.name),
    };
    table.filter(for_commands).collect()
}

/// Whether a flag of systems concerns deployments that can be asked for; others are about tests.
fn concerns_any(flag: &str) -> bool {
    let systems = armadillo_orchestrator::systems().into_iter();
    let mut of_it = systems.filter(|system| system.flags().iter().any(|known| known.name == flag));
    of_it.any(|system| {
        let offered = system.offered().iter();
        let mut shapes = offered.map(|offered| offered.topology.shape);
        shapes.any(|shape| system.concerns(flag, shape))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_that_of_a_setting() {
        let table = all(&Linked::default());
        for name in NAMES {
            assert!(table.iter().any(|setting| setting.name == *name), "{name}");
        }
    }

    #[test]
    fn no_help_speaks_of_tests() {
        for (name, _) in HELP {
            assert!(NAMES.contains(name), "{name}");
        }
        for setting in settings() {
            let help = help(&setting);
            assert!(!help.contains("test"), "{}: {help}", setting.name);
        }
    }

    #[test]
    fn what_is_given_can_be_given_again() {
        let mut command = clap::Command::default().args(arguments());
        let args = ["exec", "--timeout", "3m", "--tls", "--output-dir=a b"];
        let matches = command.try_get_matches_from_mut(args).unwrap();
        let given = given(&matches).unwrap();
        assert_eq!(given, ["--timeout=3m", "--tls=true", "--output-dir=a b"]);
    }
}
