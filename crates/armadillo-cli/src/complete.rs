//! Completion of names on the command line: what is up at this moment, which versions are there.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use armadillo_harness::session::{Found, Session};
use armadillo_orchestrator::topology::offered;
use armadillo_orchestrator::versions::Cache;
use armadillo_orchestrator::{Settings, systems};
use clap::CommandFactory;
use clap_complete::Shell;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::{CompleteEnv, Shells};
use tokio::task::{JoinSet, LocalSet};

use crate::session::{CommandError, Which, code, runtime};

/// The variable by which the shell's function asks this command for completions.
const VARIABLE: &str = "_ARMADILLO_COMPLETE";

/// How long whoever types waits for the sessions, all together.
const LIMIT: Duration = Duration::from_millis(500);

const COMMAND: &str = "armadillo";

/// Print completions for a shell
///
/// They know the servers that are up and the versions that are there.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  armadillo completions bash > ~/.local/share/bash-completion/completions/armadillo"
)]
pub(crate) struct Completions {
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn completions(args: &Completions) -> ExitCode {
    let name = args.shell.to_string();
    let mut text = Vec::new();
    let written = match Shells::builtins().completer(&name) {
        Some(shell) => shell.write_registration(VARIABLE, COMMAND, COMMAND, COMMAND, &mut text),
        None => Err(io::Error::other(format!("there are none for {name}"))),
    };
    code(match written {
        Ok(()) => {
            // Whoever closed stdout wants to see no more.
            let _ = io::stdout().write_all(&text);
            Ok(())
        }
        Err(error) => Err(CommandError::Other(error.to_string())),
    })
}

/// Answers the shell's function and ends this process, if it has asked.
pub(crate) fn answer<A: CommandFactory>() {
    CompleteEnv::with_factory(A::command)
        .var(VARIABLE)
        .complete();
}

/// The servers that are up.
pub(crate) fn servers() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        words(|session, names| {
            for (deployment, one) in session.named() {
                let servers = one.servers().into_iter();
                names.extend(servers.map(|server| session.name_of(&deployment, &server)));
            }
        })
    })
}

/// The deployments that are up.
pub(crate) fn deployments() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        words(|session, names| names.extend(session.named().map(|(name, _)| name)))
    })
}

/// The runs that have servers.
pub(crate) fn runs() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let found = Which::default().all().into_iter();
        let candidate = |found: Found| {
            let command = found.command().to_owned();
            CompletionCandidate::new(found.run()).help(Some(command.into()))
        };
        found.map(candidate).collect()
    })
}

/// The runs of this directory.
pub(crate) fn recorded_runs() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let names = armadillo_harness::replay::names().unwrap_or_default();
        names.into_iter().map(CompletionCandidate::new).collect()
    })
}

/// The versions in the user's cache.
pub(crate) fn versions() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let Ok(cache) = Cache::of_user(&Settings::default()) else {
            return Vec::new();
        };
        let versions = systems().into_iter().flat_map(|system| {
            let versions = cache.versions(system.name()).into_iter();
            versions.map(|version| {
                CompletionCandidate::new(version.to_string()).help(Some(system.name().into()))
            })
        });
        versions.collect()
    })
}

/// The topologies that can be asked for by name.
pub(crate) fn topologies() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let names = offered().into_iter().map(|offered| offered.name);
        names.map(CompletionCandidate::new).collect()
    })
}

/// Words that the sessions know. While somebody types, there is nobody to tell of an error.
fn words(of: impl Fn(&Session, &mut BTreeSet<String>)) -> Vec<CompletionCandidate> {
    let mut names = BTreeSet::new();
    if let (Ok(all), Ok(runtime)) = (Which::default().find_all(), runtime()) {
        let tasks = LocalSet::new();
        for session in runtime.block_on(tasks.run_until(joined(all))) {
            of(&session, &mut names);
        }
    }
    names.into_iter().map(CompletionCandidate::new).collect()
}

/// Those of the sessions that answer in time.
async fn joined(all: Vec<Found>) -> Vec<Session> {
    let mut asked = JoinSet::new();
    for found in all {
        asked.spawn_local(found.join());
    }
    let mut sessions = Vec::new();
    let collect = async {
        while let Some(answer) = asked.join_next().await {
            sessions.extend(answer.into_iter().flatten());
        }
    };
    // What has answered until then is of use.
    _ = tokio::time::timeout(LIMIT, collect).await;
    sessions
}
