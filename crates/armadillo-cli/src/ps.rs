//! `armadillo ps`: what is up.

use std::process::ExitCode;

use armadillo_harness::session::{Found, Session};
use serde::Serialize;

use crate::look::{self, Deployment};
use crate::session::{CommandError, Which, code, runtime, say};
use crate::{shared, table};

/// Show the servers that `up` and `exec` have started
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    /// Also show deployments that test runs share or have kept (`--reuse`, nextest, `armadillo test run`)
    #[arg(long, conflicts_with_all = ["json", "run"])]
    all: bool,
    #[command(flatten)]
    which: Which,
}

/// A run that holds servers, for programs.
#[derive(Serialize)]
pub(crate) struct Running {
    /// Its id.
    run: String,
    /// The process that holds the servers.
    pid: u32,
    /// What was typed.
    command: String,
    /// The directory with its files: logs of servers, reports.
    files: String,
    /// The file by which others join. It has `variables`: how programs reach the servers. Only its owner can read it.
    session: String,
    /// The deployments.
    deployments: Vec<Deployment>,
}

impl Running {
    /// How it is now.
    pub(crate) async fn of(session: &Session) -> Result<Self, CommandError> {
        let found = session.found();
        let mut all = Vec::new();
        for (name, deployment) in session.named() {
            let seen = look::at(name, deployment).await;
            all.push(seen.map_err(|error| CommandError::Other(error.to_string()))?);
        }
        Ok(Self {
            run: found.run().to_owned(),
            pid: found.pid(),
            command: found.command().to_owned(),
            files: found.files().display().to_string(),
            session: found.path().display().to_string(),
            deployments: all,
        })
    }
}

pub(crate) fn ps(args: &Args) -> ExitCode {
    let found = args.which.find_all().map_err(CommandError::from);
    code(found.and_then(|found| match args.json {
        true => runtime()?.block_on(as_json(found, args.which.is_said())),
        false => runtime()?.block_on(as_text(found, args.all)),
    }))
}

async fn as_json(all: Vec<Found>, is_named: bool) -> Result<(), CommandError> {
    let mut running = Vec::new();
    for found in all {
        match one(&found).await {
            Ok(one) => running.push(one),
            // One that ended at this moment is not up any more.
            Err(_) if !is_named && !found.lives() => {}
            Err(error) => return Err(error),
        }
    }
    let text = serde_json::to_string(&running);
    say(&(text.map_err(|error| CommandError::Other(error.to_string()))? + "\n"));
    Ok(())
}

async fn one(found: &Found) -> Result<Running, CommandError> {
    Running::of(&found.clone().join().await?).await
}

async fn as_text(found: Vec<Found>, all: bool) -> Result<(), CommandError> {
    let mut text = String::new();
    let others = if all {
        shared::text().await
    } else {
        String::new()
    };
    if found.is_empty() && others.is_empty() {
        text.push_str("nothing is up; `armadillo up --help` says how to start servers\n");
        if !all && shared::count() > 0 {
            text.push_str("test runs have deployments up; `armadillo ps --all` shows them\n");
        }
    }
    for found in found {
        let (run, pid, command) = (found.run(), found.pid(), found.command());
        text.push_str(&format!("run {run}  pid {pid}  {command}\n"));
        match found.join().await {
            Ok(session) => text.push_str(&table::of(&session).await),
            Err(error) => text.push_str(&format!("  {error}\n")),
        }
    }
    say(&(text + &others));
    Ok(())
}
