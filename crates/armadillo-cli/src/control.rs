//! What can be done to servers that are up: `kill`, `pause`, `cut`, `down` and so on.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use armadillo_harness::fixture::{LeaseError, ServerControl};
use armadillo_harness::session::{Found, Session, SessionError};
use armadillo_orchestrator::links::LINKS;
use armadillo_orchestrator::process::proc_fs;
use armadillo_orchestrator::topology::offered;

use crate::complete;
use crate::session::{CommandError, Which, code, limit, runtime, say, within};
use crate::shared;

/// How long an operation on a server may take, unless somebody says otherwise.
const LIMIT: &str = "60s";

/// How long a cut may take to have an effect.
const CUT_LIMIT: Duration = Duration::from_secs(10);

/// How long it may take until everything gets through again.
const HEAL_LIMIT: Duration = Duration::from_secs(30);

/// How long servers may take to stop.
const DOWN_LIMIT: Duration = Duration::from_secs(120);

/// How often the end of a run is looked for. Its process is no child of this one, so nothing announces its end.
const PAUSE: Duration = Duration::from_millis(50);

/// Servers by name.
#[derive(clap::Args)]
pub(crate) struct Servers {
    /// Their names, as `armadillo ps` shows them
    #[arg(required = true, value_name = "SERVER", add = complete::servers())]
    servers: Vec<String>,
    /// How long the operation may take for each server: `90s`, `2m`
    #[arg(long, value_name = "DURATION", default_value = LIMIT, value_parser = limit)]
    timeout: Duration,
    #[command(flatten)]
    which: Which,
}

#[derive(Clone, Copy)]
pub(crate) enum Verb {
    Kill,
    Stop,
    Start,
    Restart,
    Pause,
    Resume,
}

impl Verb {
    const fn done(self) -> &'static str {
        match self {
            Self::Kill => "killed",
            Self::Stop => "stopped",
            Self::Start => "started, ready",
            Self::Restart => "restarted, ready",
            Self::Pause => "paused",
            Self::Resume => "resumed",
        }
    }

    async fn act(self, server: &ServerControl) -> Result<(), LeaseError> {
        match self {
            Self::Kill => server.kill().await,
            Self::Stop => server.stop().await,
            Self::Start => server.start().await,
            Self::Restart => server.restart().await,
            Self::Pause => server.pause().await,
            Self::Resume => server.resume().await,
        }
    }
}

pub(crate) fn operate(servers: &Servers, verb: Verb) -> ExitCode {
    within(&servers.which, async |session| {
        let named = servers.servers.iter();
        // Nothing is done if one of the names is wrong.
        let named: Vec<(&String, ServerControl)> = named
            .map(|name| Ok((name, session.server(name)?)))
            .collect::<Result<_, SessionError>>()?;
        for (name, server) in named {
            let server = server.within(servers.timeout);
            let begun = Instant::now();
            let acted = verb.act(&server).await;
            acted.map_err(|error| failed(name, &server, &error))?;
            let took = begun.elapsed();
            say(&format!("{name}: {} after {took:.2?}\n", verb.done()));
        }
        Ok(())
    })
}

/// What the daemon refuses, it refuses of a server that it names.
fn failed(name: &str, server: &ServerControl, error: &LeaseError) -> CommandError {
    let says_it = matches!(error, LeaseError::Refused { .. }) && *name == *server.key().as_str();
    CommandError::Other(match says_it {
        true => error.to_string(),
        false => format!("{name}: {error}"),
    })
}

/// Cut a server off from all others, or two servers from each other
///
/// Clients can still reach it. Needs a topology with links: `armadillo up 'etcd(links)'`.
#[derive(clap::Args)]
pub(crate) struct Cut {
    /// The server
    #[arg(add = complete::servers())]
    server: String,
    /// The server that it is to be cut off from; all others if not given
    #[arg(add = complete::servers())]
    from: Option<String>,
    #[command(flatten)]
    which: Which,
}

pub(crate) fn cut(cut: &Cut) -> ExitCode {
    within(&cut.which, async |session| {
        let server = session.server(&cut.server)?;
        check_links(&server)?;
        let links = Session::links_of(server.orchestrator());
        let link = match &cut.from {
            Some(other) => {
                let other = session.server(other)?;
                let id = |server: &ServerControl| server.orchestrator().view().deployment.clone();
                if id(&server) != id(&other) {
                    let why = format!("{} and {} have no links", server.key(), other.key());
                    return Err(CommandError::Other(why));
                }
                links.between(server.key(), other.key())
            }
            None => links.of(server.key()),
        };
        let ordered = link.within(CUT_LIMIT).cut().await;
        ordered.map_err(|error| CommandError::Other(error.to_string()))?;
        say(&format!("{}: cut off\n", cut.server));
        Ok(())
    })
}

/// Only servers that were started with links can be cut off from each other.
fn check_links(server: &ServerControl) -> Result<(), CommandError> {
    let topology = &server.orchestrator().view().topology;
    if topology.says(LINKS) {
        return Ok(());
    }
    let key = server.key();
    let mut offered = offered().into_iter().filter(|offered| {
        let of = offered.topology;
        of.system == topology.system && of.shape == topology.shape
    });
    Err(CommandError::Other(
        match offered.find(|offered| offered.words.contains(&LINKS)) {
            Some(offered) => format!(
                "{key} was started without links, so it cannot be cut off\nhelp: write the topology as '{}({LINKS})'",
                offered.name
            ),
            None => format!("{key} has no links to other servers"),
        },
    ))
}

/// End every fault of the links between servers
#[derive(clap::Args)]
pub(crate) struct Heal {
    #[command(flatten)]
    which: Which,
}

pub(crate) fn heal(heal: &Heal) -> ExitCode {
    within(&heal.which, async |session| {
        let deployments = session.deployments().iter();
        let with_links = deployments.filter(|one| one.view().topology.says(LINKS));
        for deployment in with_links {
            let all = Session::links_of(deployment).all();
            let healed = all.within(HEAL_LIMIT).heal().await;
            healed.map_err(|error| CommandError::Other(error.to_string()))?;
        }
        say("healed\n");
        Ok(())
    })
}

/// Stop what `up` has started
#[derive(clap::Args)]
pub(crate) struct Down {
    /// Stop everything that is up, and what test runs have left for the next run (`--reuse`)
    #[arg(long, conflicts_with = "run")]
    all: bool,
    #[command(flatten)]
    which: Which,
}

pub(crate) fn down(down: &Down) -> ExitCode {
    let found = match down.all {
        true => Ok(down.which.all()),
        false => down.which.find().map(|found| vec![found]),
    };
    let ended = found.map_err(|error| match error {
        SessionError::None if shared::count() > 0 => {
            let why =
                "nothing is up except what test runs have left; `armadillo down --all` stops it";
            CommandError::Other(why.to_owned())
        }
        error => error.into(),
    });
    code(ended.and_then(|found| {
        runtime()?.block_on(async {
            end(found).await?;
            if down.all {
                shared::end_all().await?;
            }
            Ok(())
        })
    }))
}

async fn end(all: Vec<Found>) -> Result<(), CommandError> {
    for found in &all {
        if holds_this_process(found) {
            let why = format!(
                "this shell runs in {}; leave it, and its servers stop",
                found.command()
            );
            return Err(CommandError::Other(why));
        }
    }
    for found in &all {
        // One that has ended meanwhile is what was wanted.
        if let Err(error) = found.end()
            && found.lives()
        {
            return Err(error.into());
        }
    }
    let end = Instant::now() + DOWN_LIMIT;
    for found in &all {
        let (run, pid) = (found.run(), found.pid());
        while found.lives() {
            if Instant::now() > end {
                return Err(CommandError::Other(format!(
                    "{run} did not end within {DOWN_LIMIT:.0?}: its command may ignore SIGTERM; `kill -9 {pid}` ends the run, \
                     and its servers with it"
                )));
            }
            tokio::time::sleep(PAUSE).await;
        }
        say(&format!("{run}: stopped\n"));
    }
    Ok(())
}

/// Whether this process was started by a command of that session.
fn holds_this_process(found: &Found) -> bool {
    let mut pid = std::process::id();
    while let Some(stat) = proc_fs::stat(pid) {
        if stat.parent == found.pid() {
            return true;
        }
        pid = stat.parent;
    }
    false
}
