//! What `exec` and `up` have in common: topologies, and the flags of a run of tests that are not about tests.

use std::ffi::OsString;

use armadillo_harness::settings;
use armadillo_orchestrator::StaticTopology;
use armadillo_orchestrator::topology::{offered, read_topology};
use clap::error::ErrorKind;
use clap::{ArgMatches, Command, FromArgMatches};

/// What is to be started, and how.
#[derive(clap::Args)]
pub(crate) struct Deployments {
    /// What to start: `etcd`, `cluster(dbservers = 5, tls)`; several start several deployments
    #[arg(required = true, value_name = "TOPOLOGY", add = crate::complete::topologies())]
    topologies: Vec<String>,
    #[command(flatten)]
    pub(crate) flags: Flags,
}

impl Deployments {
    /// The topologies. Of the first word that is none, `help` says what is to be done instead, if it knows better.
    pub(crate) fn topologies(
        &self,
        help: impl Fn(&str) -> Option<String>,
    ) -> Result<Vec<StaticTopology>, clap::Error> {
        let read = |text: &String| {
            read_topology(text).map_err(|error| {
                let help = help(text).unwrap_or(error.help);
                usage(&format!("{}\nhelp: {help}", error.says))
            })
        };
        self.topologies.iter().map(read).collect()
    }

    /// What was written of them.
    pub(crate) fn written(&self) -> &[String] {
        &self.topologies
    }
}

/// Why a command line is refused.
pub(crate) fn usage(why: &str) -> clap::Error {
    clap::Error::raw(ErrorKind::ValueValidation, format!("{why}\n"))
}

/// The flags of a run of tests that make sense without tests.
#[derive(Clone, Debug)]
pub(crate) struct Flags(pub(crate) Vec<OsString>);

impl clap::Args for Flags {
    fn augment_args(command: Command) -> Command {
        let arguments = settings::arguments().into_iter();
        command.args(arguments.map(crate::complete::with_programs))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = settings::given(matches);
        let given = given.map_err(|error| clap::Error::raw(ErrorKind::InvalidUtf8, error));
        given.map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The part of `--help` about topologies.
pub(crate) fn help_on_topologies() -> String {
    let lines = offered().into_iter().map(|offered| {
        let (name, about) = (offered.name, offered.about);
        format!("  {name:<9}{about}\n           {}\n", offered.in_words())
    });
    format!("Topologies:\n{}", lines.collect::<String>())
}

/// What was typed.
pub(crate) fn typed() -> Vec<OsString> {
    let words = std::env::args_os().skip(1);
    std::iter::once("armadillo".into()).chain(words).collect()
}
