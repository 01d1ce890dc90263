//! Completion of names on the command line: what is up at this moment, which versions are there.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use armadillo_harness::session::{Found, Session};
use armadillo_orchestrator::topology::offered;
use armadillo_orchestrator::versions::VersionName;
use armadillo_orchestrator::{System, systems};
use clap::{Arg, CommandFactory};
use clap_complete::Shell;
use clap_complete::engine::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter as _,
};
use clap_complete::env::{CompleteEnv, Shells};
use tokio::task::{JoinSet, LocalSet};

use crate::get;
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
    ArgValueCandidates::new(|| systems().into_iter().flat_map(cached).collect())
}

/// The versions of a system in the user's cache.
fn cached(system: &dyn System) -> Vec<CompletionCandidate> {
    let Ok(cache) = get::cache(None) else {
        return Vec::new();
    };
    let mut versions = cache.versions(system.name());
    versions.sort_by(|one, other| {
        let newest_first = other.order(one);
        newest_first.then_with(|| one.change().cmp(&other.change()))
    });
    let candidate = |version: VersionName| {
        CompletionCandidate::new(version.to_string()).help(Some(system.name().into()))
    };
    versions.into_iter().map(candidate).collect()
}

/// A flag that names a system's program is completed with paths, and with versions if it takes them.
pub(crate) fn with_programs(flag: Arg) -> Arg {
    let of_system = |system: &'static dyn System| {
        let mut flags = system.flags().iter();
        let known = flags.find(|known| flag.get_id() == known.name)?;
        Some((system, known.value.split('|').collect::<Vec<_>>()))
    };
    let Some((system, values)) = systems().into_iter().find_map(of_system) else {
        return flag;
    };
    if !values.contains(&"PATH") {
        return flag;
    }
    let takes_version = values.contains(&"VERSION");
    flag.add(ArgValueCompleter::new(move |typed: &OsStr| {
        let mut found = PathCompleter::any().complete(typed);
        if takes_version {
            let begins = |version: &CompletionCandidate| {
                let (version, typed) = (version.get_value(), typed.as_encoded_bytes());
                version.as_encoded_bytes().starts_with(typed)
            };
            found.extend(cached(system).into_iter().filter(begins));
        }
        found
    }))
}

/// The systems of which versions can be fetched.
pub(crate) fn fetched() -> ArgValueCandidates {
    ArgValueCandidates::new(|| vec![CompletionCandidate::new(get::SYSTEM)])
}

/// What versions begin with that can be fetched: the newest of these is the one that is mostly wanted.
pub(crate) fn lines() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let candidate = |line: &&str| {
            CompletionCandidate::new(*line).help(Some(format!("the newest {line}").into()))
        };
        get::LINES.iter().map(candidate).collect()
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
