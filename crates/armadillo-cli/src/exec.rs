//! `armadillo exec`: a command on deployments of its own.

use std::ffi::OsString;
use std::process::ExitCode;

use armadillo_harness::{Body, Exec};
use armadillo_orchestrator::StaticTopology;
use armadillo_orchestrator::topology::read_topology;

use crate::flags::{Deployments, help_on_topologies, typed, usage};

/// Start servers, run a command on them, stop them
///
/// The command can be a program in any language. Its environment says how to reach the servers. Its exit code is that of
/// `armadillo exec`. If it fails, the logs of the servers are kept. If a server crashes while it runs, the exit code is 101
/// although the command exits with 0. It is 124 if the command did not end within --timeout.
#[derive(clap::Args)]
#[command(after_long_help = after_help())]
pub(crate) struct Args {
    #[command(flatten)]
    deployments: Deployments,
    /// Set a variable for the command: a text with variables of the servers in braces, such as
    /// `URL={ARANGO_ENDPOINTS}`
    #[arg(long = "env", value_name = "NAME=TEMPLATE", value_parser = variable)]
    variables: Vec<(String, String)>,
    /// Print nothing of our own, unless something fails
    #[arg(short, long)]
    quiet: bool,
    /// The command and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, template)) if !name.is_empty() => Ok((name.to_owned(), template.to_owned())),
        _ => Err("write NAME=TEMPLATE, such as URL={ARANGO_ENDPOINTS}".to_owned()),
    }
}

fn after_help() -> String {
    format!(
        "{}\n\
         Variables of the command:\n  \
           etcd      ETCDCTL_ENDPOINTS, ETCDCTL_USER, ETCDCTL_API\n           \
                     with tls also ETCDCTL_CACERT, ETCDCTL_CERT, ETCDCTL_KEY\n  \
           ArangoDB  ARANGO_ENDPOINTS, ARANGO_DATABASE, ARANGO_USERNAME, ARANGO_PASSWORD, ARANGO_TOKEN\n           \
                     with tls also ARMADILLO_ARANGODB_CA\n  \
           The names of a second deployment of the same system end with _2: ETCDCTL_ENDPOINTS_2.\n  \
           `armadillo ps`, `kill` and so on, called by the command, mean its servers.\n\n\
         Examples:\n  \
           armadillo exec etcd -- etcdctl put greeting hello\n  \
           armadillo exec 'cluster(dbservers = 3)' --arangod /opt/arangodb -- pytest tests/\n  \
           armadillo exec single etcd --env 'DB_URL={{ARANGO_ENDPOINTS}}' -- ./run-my-tests\n  \
           armadillo exec cluster -- bash\n",
        help_on_topologies()
    )
}

pub(crate) fn exec(args: Args) -> ExitCode {
    let topologies = match read(&args) {
        Ok(topologies) => topologies,
        Err(error) => error.exit(),
    };
    armadillo_harness::exec(Exec {
        flags: args.deployments.flags.0,
        topologies,
        body: Body::Command {
            words: args.command,
            variables: args.variables,
        },
        typed: typed(),
        quiet: args.quiet,
    })
}

fn read(args: &Args) -> Result<Vec<StaticTopology>, clap::Error> {
    let topologies = args.deployments.topologies(|_| without_dashes(args));
    let topologies = topologies?;
    match args.command.is_empty() {
        true => Err(usage(
            "there is no command to run\nhelp: write it after `--`: `armadillo exec etcd -- COMMAND`",
        )),
        false => Ok(topologies),
    }
}

/// What to write if the command stands among the topologies: without a command after `--`, the first word behind a topology
/// that is none.
fn without_dashes(args: &Args) -> Option<String> {
    let words = args.deployments.written();
    let at = words.iter().position(|word| read_topology(word).is_err())?;
    let (topologies, command) = words.split_at(at);
    let is_program = command.first().is_some_and(|word| !word.contains('('));
    if topologies.is_empty() || !args.command.is_empty() || !is_program {
        return None;
    }
    Some(format!(
        "write `--` before the command: `armadillo exec {} -- {}`",
        topologies.join(" "),
        command.join(" ")
    ))
}
