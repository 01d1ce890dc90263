//! Our own rolling restart: a suite with one test, run as a person runs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use armadillo::etcd::Member;
use armadillo::prelude::*;
use serde::{Deserialize, Serialize};

use crate::Failed;
use crate::figures::Round;
use crate::process::Running;
use crate::writers::{WARM_UP, WRITERS};

/// The variable that tells the test where to write what it has measured.
const RESULT: &str = "ROLLING_RESTART_RESULT";

/// How a member of ours was started.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Started {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
}

/// Runs the suite once. Returns what it has measured, and how its members were started.
pub(crate) async fn round(directory: &Path) -> Result<(Round, Vec<Started>), Failed> {
    fs::create_dir_all(directory)?;
    let (result, output) = (directory.join("result.json"), directory.join("output.txt"));
    let said = fs::File::create(&output)?;
    let mut suite = Running::start(
        Command::new(std::env::current_exe()?)
            .env(RESULT, &result)
            .env("ARMADILLO_OUTPUT_DIR", directory.join("runs"))
            .env_remove("ARMADILLO_ROUNDS")
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said),
    )?;
    let status = suite.ended().await?;
    match fs::read(&result) {
        Ok(measured) if status.success() => Ok(serde_json::from_slice(&measured)?),
        _ => Err(fs::read_to_string(&output)?.into()),
    }
}

/// Without authentication, as by hand: there is nobody else.
#[armadillo::test(etcd(no_auth), timeout = "2m")]
async fn rolling_restart(cluster: Exclusive<Etcd>, client: EtcdClient) -> TestResult {
    let started = started(&cluster.known_members().await?)?;
    let load = client.load(WRITERS);
    load.acknowledges(WARM_UP).await?;
    let (restarted, writes) = load.during(cluster.rolling_restart()).await;
    println!("{}", restarted?);
    let all = load.stop().await?;
    let round = Round::of(&writes, &all, &client).await?;
    if let Some(result) = std::env::var_os(RESULT) {
        fs::write(result, serde_json::to_vec(&(round, started))?)?;
    }
    Ok(())
}

/// How these members were started, by what the system knows of their processes.
fn started(members: &[Member]) -> TestResult<Vec<Started>> {
    let mut found = Vec::new();
    for process in fs::read_dir("/proc")? {
        let process = process?.path();
        // One that has ended meanwhile is none of them.
        let Ok(command) = words(&process.join("cmdline")) else {
            continue;
        };
        let is_of = |member: &Member| command.contains(&format!("--name={}", member.name));
        if !members.iter().any(is_of) {
            continue;
        }
        let env = words(&process.join("environ"))?;
        let env = env.iter().filter_map(|word| word.split_once('='));
        // The rest is the daemon's, by which it finds its own processes.
        let env = env.filter(|(name, _)| name.starts_with("GO") || name.starts_with("ETCD"));
        found.push(Started {
            program: fs::read_link(process.join("exe"))?,
            args: command.into_iter().skip(1).collect(),
            env: env
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        });
    }
    match found.len() == members.len() {
        true => Ok(found),
        false => Err(format!("{} processes of {} members", found.len(), members.len()).into()),
    }
}

/// What `/proc` shows as words that end with a zero.
fn words(file: &Path) -> std::io::Result<Vec<String>> {
    let words = fs::read(file)?;
    let words = words
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty());
    Ok(words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect())
}
