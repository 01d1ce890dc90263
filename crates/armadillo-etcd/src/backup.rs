//! Restoring a snapshot into a cluster of one's own.
//!
//! Sources: <https://etcd.io/docs/v3.4/op-guide/recovery/> and <https://etcd.io/docs/v3.6/op-guide/recovery/>.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::time::Duration;

use armadillo_harness::fixture::{LeaseError, Observe, Orchestrator, Owned};
use armadillo_orchestrator::join::{join_all, try_join_all};
use armadillo_orchestrator::operations::Version;
use armadillo_orchestrator::process::{OutputError, output_of};
use armadillo_orchestrator::versions::{Cache, VersionName};
use armadillo_orchestrator::{Client, Login, Poll, Request, ServerKey, View};
use serde_json::json;

use crate::auth;
use crate::client::session::{authenticate, post};
use crate::client::wire::{AuthAnswer, decode};
use crate::client::{EtcdError, Snapshot};
use crate::fixture::{AsEtcd, Etcd};
use crate::names::member_name;

/// The tools that can restore a snapshot, the first for versions from 3.5 on.
const TOOLS: [&str; 2] = ["etcdutl", "etcdctl"];

/// How long a tool may take to say its version.
const VERSION_LIMIT: Duration = Duration::from_secs(10);

/// How long a tool may take for one member.
const TOOL_LIMIT: Duration = Duration::from_secs(120);

/// How long one request may take while members start.
const LIMIT: Duration = Duration::from_secs(2);

/// Why a snapshot was not taken or restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The tool is not on this machine.
    #[error(
        "restoring a snapshot needs {tool} of the members' minor version, which is not in {looked}; with etcd 3.5 and newer, run `armadillo get etcd \
         {version} --tools`; with 3.4, install Debian's package etcd-client"
    )]
    NoTool {
        /// The tool.
        tool: &'static str,
        /// Where it was looked for.
        looked: String,
        /// The version of the members.
        version: String,
    },
    /// The tool could not be run.
    #[error("cannot run {}: {source}", tool.display())]
    Tool {
        /// The tool.
        tool: PathBuf,
        /// Why.
        source: OutputError,
    },
    /// The tool did not make a data directory.
    #[error("{} did not restore {}: {said}", tool.display(), snapshot.display())]
    NotRestored {
        /// The tool.
        tool: PathBuf,
        /// The snapshot.
        snapshot: PathBuf,
        /// What it said.
        said: String,
    },
    /// The thread that looked for the tool, or ran it, was interrupted.
    #[error("the search for the tool was interrupted")]
    Interrupted,
    /// The users of the snapshot cannot be given the login of this deployment.
    #[error(
        "the users of the snapshot are not those of this deployment, and cannot be changed: {0}"
    )]
    Users(String),
    /// A request failed.
    #[error(transparent)]
    Etcd(#[from] EtcdError),
    /// A member did not stop or start.
    #[error(transparent)]
    Lease(#[from] LeaseError),
}

impl BackupError {
    /// Whether a tool is missing on this machine: a reason to skip a test rather than to fail it.
    #[must_use]
    pub fn lacks_tool(&self) -> bool {
        matches!(self, Self::NoTool { .. })
    }
}

/// Restores of a cluster of one's own.
pub trait Backups: AsEtcd {
    /// Replaces everything in the cluster by a snapshot, of this cluster or of another: stops the members, restores the snapshot
    /// into the directory of each with `etcdutl snapshot restore` (3.4: `etcdctl`), and starts them. Returns when the cluster
    /// serves clients. It is a new cluster then: its members have new numbers, and watches of before make no sense. Users keep
    /// the passwords of the snapshot, but `root` gets that of this deployment. After the test, the deployment is replaced.
    fn restore(&self, snapshot: &Snapshot) -> impl Future<Output = Result<(), BackupError>> + Send
    where
        Self: Owned,
    {
        self.as_etcd().restore_from(snapshot)
    }
}

impl<T: AsEtcd> Backups for T {}

impl Etcd {
    async fn restore_from(&self, snapshot: &Snapshot) -> Result<(), BackupError> {
        let orchestrator = self.orchestrator();
        let members = self.members();
        // Before anything is stopped.
        let tool = self.tool(&members).await?;
        let processes = self.processes().await?;
        let running = members.iter().filter(|member| {
            let process = processes.get(*member);
            process.is_some_and(|process| process.phase.is_alive())
        });
        let stopped = running.map(|member| async { orchestrator.control(member).stop().await });
        try_join_all(stopped).await?;
        for member in &members {
            orchestrator.wipe(member).await?;
            let args = restore_args(orchestrator.view(), member, &snapshot.path);
            run(
                &tool,
                args,
                &snapshot.path,
                &data_of(orchestrator.view(), member),
            )
            .await?;
        }
        // A member is ready when it accepts the login of this deployment.
        let started = members
            .iter()
            .map(|member| async { orchestrator.control(member).start().await });
        let started = async { Ok::<_, BackupError>(try_join_all(started).await?) };
        let adopted = adopt_users(orchestrator, &members, snapshot.login.as_ref());
        tokio::try_join!(started, adopted).map(drop)
    }
}

impl Etcd {
    /// A tool of the members' minor version: beside their program, in the user's cache of that version, or in `PATH`. What another
    /// version makes, they may not be able to read.
    async fn tool(&self, members: &[ServerKey]) -> Result<PathBuf, BackupError> {
        let view = self.orchestrator().view().clone();
        let pids = self.orchestrator().processes().await?;
        let pid = members.iter().find_map(|member| pids.get(member)?.pid);
        let program = pid.and_then(|pid| std::fs::read_link(format!("/proc/{pid}/exe")).ok());
        let named = view
            .topology
            .binary(crate::topology::ROLE)
            .map(str::to_owned);
        let client = self.client().with_limit(LIMIT);
        let statuses = join_all(members.iter().map(|member| client.status(member))).await;
        // Where nobody answers, any will do.
        let mut versions = statuses.into_iter().flatten();
        let runs = versions.find_map(|status| Version::parse(&status.version));
        let find = move || find_tool(&view, program, named.as_deref(), runs);
        let found = tokio::task::spawn_blocking(find);
        found.await.map_err(|_| BackupError::Interrupted)?
    }
}

fn find_tool(
    view: &View,
    program: Option<PathBuf>,
    named: Option<&str>,
    runs: Option<Version>,
) -> Result<PathBuf, BackupError> {
    let mut directories = Vec::new();
    directories.extend(
        program
            .as_deref()
            .and_then(Path::parent)
            .map(Path::to_owned),
    );
    let version = named.map(|named| named.strip_prefix("etcd@").unwrap_or(named));
    let version = version.and_then(VersionName::parse);
    if let (Some(version), Ok(cache)) = (&version, Cache::of_user(&view.settings))
        && let Ok(Some(cached)) = cache.find(crate::topology::SYSTEM, version)
    {
        directories.extend(cached.program.parent().map(Path::to_owned));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    directories.extend(std::env::split_paths(&path));
    for tool in TOOLS {
        let mut places = directories.iter().map(|directory| directory.join(tool));
        let is_right = |tool: &Path| runs.is_none_or(|runs| is_of(tool, runs));
        if let Some(found) = places.find(|place| place.is_file() && is_right(place)) {
            return Ok(found);
        }
    }
    let beside = program.map_or(String::new(), |program| {
        format!("beside {} nor ", program.display())
    });
    Err(BackupError::NoTool {
        tool: match runs {
            Some(runs) if (runs.major, runs.minor) < (3, 5) => TOOLS[1],
            _ => TOOLS[0],
        },
        looked: format!("{beside}PATH"),
        version: (runs.map(|runs| runs.to_string()))
            .or(version.map(|version| version.to_string()))
            .unwrap_or("3.6.16".to_owned()),
    })
}

/// Whether a tool says that it is of this minor version.
fn is_of(tool: &Path, runs: Version) -> bool {
    let said = output_of(tool, &["version"], VERSION_LIMIT).unwrap_or_default();
    version_of(&said).is_some_and(|version| version.cmp_line(&runs) == Ordering::Equal)
}

/// The version in what `etcdutl version` and `etcdctl version` print: `etcdutl version: 3.6.16`.
fn version_of(said: &str) -> Option<Version> {
    let first = said.lines().find_map(|line| line.split_once("version:"));
    Version::parse(first?.1.trim())
}

fn data_of(view: &View, member: &ServerKey) -> PathBuf {
    let place = view.places.get(member);
    place.map_or_else(PathBuf::new, |place| place.dir_outside.join("data"))
}

/// The arguments with which a tool makes the data directory of one member.
fn restore_args(view: &View, member: &ServerKey, snapshot: &Path) -> Vec<String> {
    let peers = crate::launch::peers(view);
    let own = member_name(&view.deployment, member);
    let own_url = peers.iter().find(|(name, _)| *name == own);
    let cluster: Vec<String> = peers
        .iter()
        .map(|(name, url)| format!("{name}={url}"))
        .collect();
    [
        "snapshot".to_owned(),
        "restore".to_owned(),
        snapshot.display().to_string(),
        format!("--name={own}"),
        format!("--initial-cluster={}", cluster.join(",")),
        format!("--initial-cluster-token={}", view.deployment),
        format!(
            "--initial-advertise-peer-urls={}",
            own_url.map(|(_, url)| url.as_str()).unwrap_or_default()
        ),
        format!("--data-dir={}", data_of(view, member).display()),
    ]
    .into()
}

async fn run(
    tool: &Path,
    args: Vec<String>,
    snapshot: &Path,
    made: &Path,
) -> Result<(), BackupError> {
    let executed = tool.to_owned();
    let ran = tokio::task::spawn_blocking(move || {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        output_of(&executed, &args, TOOL_LIMIT)
    });
    let said = ran.await.map_err(|_| BackupError::Interrupted)?;
    let said = said.map_err(|source| BackupError::Tool {
        tool: tool.to_owned(),
        source,
    })?;
    // The log comes last, after the hash of the snapshot was compared.
    if made.join("member/wal").is_dir() {
        return Ok(());
    }
    Err(BackupError::NotRestored {
        tool: tool.to_owned(),
        snapshot: snapshot.to_owned(),
        said: said.trim().to_owned(),
    })
}

/// The users of a snapshot are those of the cluster it is from. The user with all rights gets the password of this deployment;
/// where this deployment has no users, they are switched off. Asks every member until one has done it.
async fn adopt_users(
    orchestrator: &Orchestrator,
    members: &[ServerKey],
    theirs: Option<&Login>,
) -> Result<(), BackupError> {
    let view = orchestrator.view();
    let ours = auth::login(view);
    let Some(theirs) = theirs.filter(|theirs| Some(*theirs) != ours.as_ref()) else {
        return Ok(());
    };
    let clients = members
        .iter()
        .filter_map(|member| view.client(member, "client"));
    let clients: Vec<Client> = clients.collect();
    let deadline = orchestrator.wait_end();
    let mut poll = Poll::new(Duration::from_millis(20), Duration::from_millis(200));
    loop {
        let asked = join_all(
            clients
                .iter()
                .map(|member| adopt(member, theirs, ours.as_ref())),
        );
        let mut refusals = Vec::new();
        for outcome in asked.await {
            match outcome {
                Ok(()) => return Ok(()),
                Err(why) => refusals.push(why),
            }
        }
        if deadline.passed() {
            return Err(BackupError::Users(refusals.join("; ")));
        }
        poll.pause(deadline).await;
    }
}

async fn adopt(member: &Client, theirs: &Login, ours: Option<&Login>) -> Result<(), String> {
    if let Some(ours) = ours
        && send(member, authenticate(ours)).await.is_ok()
    {
        // Another member was faster.
        return Ok(());
    }
    let token = send(member, authenticate(theirs)).await?;
    let token: AuthAnswer = decode(&token)?;
    let request = match ours {
        Some(ours) => post(
            "/v3/auth/user/changepw",
            &json!({ "name": theirs.user, "password": ours.password.reveal() }),
        ),
        None => post("/v3/auth/disable", &json!({})),
    };
    let request = request.header("authorization", token.token);
    send(member, request).await.map(drop)
}

async fn send(member: &Client, request: Request) -> Result<Vec<u8>, String> {
    let response = member.send(request, LIMIT).await;
    let response = response.map_err(|error| error.to_string())?;
    match response.is_success() {
        true => Ok(response.body),
        false => Err(format!("{member} responds with HTTP {}", response.status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_says_its_version() {
        for (said, version) in [
            ("etcdutl version: 3.6.16\nAPI version: 3.6\n", "3.6"),
            ("etcdctl version: 3.4.23\nAPI version: 3.4\n", "3.4"),
        ] {
            assert_eq!(version_of(said).unwrap().line(), version);
        }
        assert_eq!(version_of("unknown command"), None);
    }
}
