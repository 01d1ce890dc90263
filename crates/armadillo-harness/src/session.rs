//! Deployments that another process of the same user holds, such as `armadillo up`: whoever joins them can look at them and do to
//! them what their holder can.

mod error;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use armadillo_orchestrator::process::proc_fs;
use armadillo_orchestrator::{OperationId, OperationStatus, Secret, ServerKey, View, run_dir};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::client::DaemonClient;
use crate::fixture::{
    LeaseError, Links, Orchestrator, RollingOperation, RunningOperation, ServerControl, TestContext,
};
use crate::needs::LeaseMode;
use crate::protocol::daemon::Grant;
use crate::protocol::endpoints::ReadView;

pub use error::SessionError;

/// The variable that names the file of the session that a command runs in.
pub const SESSION: &str = "ARMADILLO_SESSION";

/// The name of that file in the private directory of a run.
const FILE: &str = "session.json";

/// How long the daemon may take to describe a deployment.
const LIMIT: Duration = Duration::from_secs(10);

/// The version of what is said between those who hold deployments and those who join them: the file, and what follows from it. It grows
/// when one would misunderstand the other. The clients in Python and JavaScript check it, too.
pub const PROTOCOL: u32 = 1;

/// What every version of the file has.
#[derive(Deserialize)]
struct Spoken {
    #[serde(default)]
    protocol: u32,
    /// The process that holds the deployments, and when it was started.
    pid: u32,
    start_time: u64,
}

/// The content of the file. Only its owner can read it.
#[derive(Clone, Serialize, Deserialize)]
struct SessionFile {
    /// [`PROTOCOL`].
    protocol: u32,
    /// What was typed.
    command: String,
    /// The process that holds the deployments, and when it was started.
    pid: u32,
    start_time: u64,
    /// The daemon.
    socket: PathBuf,
    /// The lease, and what proves that a request comes from its holder.
    lease: String,
    #[serde(with = "armadillo_orchestrator::secret::on_the_wire")]
    token: Secret,
    /// The deployments, by id.
    deployments: Vec<String>,
    /// How programs reach them, as variables of their environment.
    variables: BTreeMap<String, String>,
    /// Where the files of the run are.
    files: PathBuf,
}

/// A session that is not joined yet.
#[derive(Clone)]
pub struct Found {
    path: PathBuf,
    content: SessionFile,
}

/// Deployments that somebody holds.
pub struct Session {
    found: Found,
    deployments: Vec<Orchestrator>,
}

/// Whether this process lives.
fn lives(pid: u32, start_time: u64) -> bool {
    let stat = proc_fs::stat(pid);
    stat.is_some_and(|stat| stat.start_time == start_time && !stat.is_zombie())
}

/// The id of the run whose file this is.
fn run_of(path: &Path) -> &str {
    let directory = path.parent().and_then(Path::file_name);
    directory.and_then(|name| name.to_str()).unwrap_or_default()
}

impl Found {
    /// Every session of this user whose holder lives, by id.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let entries = fs::read_dir(run_dir::base()).into_iter().flatten();
        let files = entries.flatten().map(|entry| entry.path().join(FILE));
        // One that cannot be read is gone, or is being written.
        let mut all: Vec<Self> = files.filter_map(|path| Self::read(&path).ok()).collect();
        all.retain(Self::lives);
        all.sort_by(|one, other| one.path.cmp(&other.path));
        all
    }

    /// The session with this id; the only one if none is said. Within a command of a session, that one.
    ///
    /// # Errors
    /// When there is none, or several.
    pub fn named(run: Option<&str>) -> Result<Self, SessionError> {
        if let (None, Some(path)) = (run, std::env::var_os(SESSION)) {
            let found = match Self::read(Path::new(&path)) {
                Err(version @ SessionError::Version { .. }) => return Err(version),
                found => found.ok(),
            };
            return found.filter(Self::lives).ok_or(SessionError::Ended);
        }
        let all = Self::all();
        let mut others = Self::of_other_versions();
        let other = match run {
            Some(run) => others.remove(run),
            None if all.is_empty() => others.pop_first().map(|(_, other)| other),
            None => None,
        };
        if let Some(other) = other {
            return Err(other);
        }
        let known = || {
            let lines = all.iter();
            let lines = lines.map(|found| format!("  {}  {}", found.run(), found.content.command));
            lines.collect::<Vec<_>>().join("\n")
        };
        match (run, all.as_slice()) {
            (_, []) => Err(SessionError::None),
            (None, [one]) => Ok(one.clone()),
            (None, _) => Err(SessionError::Several(known())),
            (Some(run), _) => {
                let found = all.iter().find(|found| found.run() == run);
                found.cloned().ok_or_else(|| SessionError::Unknown {
                    run: run.to_owned(),
                    known: known(),
                })
            }
        }
    }

    /// Why each session of another version of Armadillo cannot be joined, by its id.
    #[must_use]
    pub fn of_other_versions() -> BTreeMap<String, SessionError> {
        let entries = fs::read_dir(run_dir::base()).into_iter().flatten();
        let read = entries
            .flatten()
            .map(|entry| Self::read(&entry.path().join(FILE)));
        let others = read.filter_map(|read| match read {
            Err(SessionError::Version { run, theirs }) => {
                Some((run.clone(), SessionError::Version { run, theirs }))
            }
            _ => None,
        });
        others.collect()
    }

    fn read(path: &Path) -> Result<Self, SessionError> {
        let fail = |source| SessionError::File {
            action: "read",
            path: path.to_owned(),
            source,
        };
        let text = fs::read(path).map_err(fail)?;
        let wrong = |error: serde_json::Error| fail(error.into());
        let Spoken {
            protocol,
            pid,
            start_time,
        } = serde_json::from_slice(&text).map_err(wrong)?;
        // One whose holder is gone is gone, whatever its version.
        if protocol != PROTOCOL && lives(pid, start_time) {
            return Err(SessionError::Version {
                run: run_of(path).to_owned(),
                theirs: protocol,
            });
        }
        let content = serde_json::from_slice(&text).map_err(wrong)?;
        let path = path.to_owned();
        Ok(Self { path, content })
    }

    /// The run's id.
    #[must_use]
    pub fn run(&self) -> &str {
        run_of(&self.path)
    }

    /// The file by which it is joined. Only its owner can read it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was typed to start it.
    #[must_use]
    pub fn command(&self) -> &str {
        &self.content.command
    }

    /// The directory with the files of the run.
    #[must_use]
    pub fn files(&self) -> &Path {
        &self.content.files
    }

    /// The process that holds the deployments.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.content.pid
    }

    /// Whether that process lives.
    #[must_use]
    pub fn lives(&self) -> bool {
        lives(self.content.pid, self.content.start_time)
    }

    /// Tells the holder to end, which stops the deployments.
    ///
    /// # Errors
    /// When it is gone.
    pub fn end(&self) -> Result<(), SessionError> {
        let gone = |why: String| SessionError::Gone {
            run: self.run().to_owned(),
            why,
        };
        let pid = i32::try_from(self.content.pid).ok().and_then(Pid::from_raw);
        let Some(pid) = pid.filter(|_| self.lives()) else {
            return Err(gone("their holder has exited".to_owned()));
        };
        kill_process(pid, Signal::TERM).map_err(|error| gone(error.to_string()))
    }

    /// Joins it.
    ///
    /// # Errors
    /// When the daemon does not answer, or the lease has ended.
    pub async fn join(self) -> Result<Session, SessionError> {
        let content = &self.content;
        let client = DaemonClient::new(&content.socket);
        let mut deployments = Vec::new();
        for id in &content.deployments {
            let (places, token) = ([content.lease.as_str(), id], Some(&content.token));
            let asked = client.ask::<ReadView>(&places, &(), token, LIMIT).await;
            let view = asked.map_err(|error| SessionError::Gone {
                run: self.run().to_owned(),
                why: error.to_string(),
            })?;
            deployments.push(Orchestrator::of_grant(&Grant {
                lease: content.lease.clone(),
                token: content.token.clone(),
                mode: LeaseMode::Fresh,
                view,
                socket: content.socket.clone(),
            }));
        }
        Ok(Session {
            found: self,
            deployments,
        })
    }
}

impl Session {
    /// Lets others join the deployments of this test.
    pub(crate) fn begin(
        context: &TestContext,
        command: String,
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, SessionError> {
        let grants: Vec<&Grant> = context.leases().collect();
        let Some(first) = grants.first() else {
            return Err(SessionError::None);
        };
        let path = first.socket.with_file_name(FILE);
        let pid = std::process::id();
        let content = SessionFile {
            protocol: PROTOCOL,
            command,
            pid,
            start_time: proc_fs::start_time(pid).unwrap_or_default(),
            socket: first.socket.clone(),
            lease: first.lease.clone(),
            token: first.token.clone(),
            deployments: grants
                .iter()
                .map(|grant| grant.view.deployment.clone())
                .collect(),
            variables: variables.clone(),
            files: context.files_of_run().to_owned(),
        };
        write(&path, &content).map_err(|source| SessionError::File {
            action: "write",
            path: path.clone(),
            source,
        })?;
        Ok(Self {
            found: Found { path, content },
            deployments: grants.into_iter().map(Orchestrator::of_grant).collect(),
        })
    }

    /// Which one it is.
    #[must_use]
    pub fn found(&self) -> &Found {
        &self.found
    }

    /// Its deployments.
    #[must_use]
    pub fn deployments(&self) -> &[Orchestrator] {
        &self.deployments
    }

    /// Its deployments with their names: `mydb`, and for the second of the same system `mydb-2`.
    pub fn named(&self) -> impl Iterator<Item = (String, &Orchestrator)> {
        let deployments = self.deployments.iter();
        let systems = deployments.map(|one| &*one.view().topology.system);
        let named = self.deployments.iter().zip(numbers(systems));
        named.map(|(one, number)| {
            let system = &one.view().topology.system;
            let name = match number {
                1 => system.clone(),
                number => format!("{system}-{number}"),
            };
            (name, one)
        })
    }

    /// The server of this name: `server-1`. Where several deployments have one, the name or the id of the deployment is written
    /// before it: `mydb-2/server-1`.
    ///
    /// # Errors
    /// When there is none, or several.
    pub fn server(&self, name: &str) -> Result<ServerControl, SessionError> {
        let (of, key) = match name.split_once('/') {
            Some((of, key)) => (Some(of), key),
            None => (None, name),
        };
        let is_meant = |named: &str, view: &View| {
            of.is_none_or(|of| named == of || view.deployment == of)
                && view.places.contains_key(&ServerKey::from(key))
        };
        let found: Vec<(String, &Orchestrator)> = self
            .named()
            .filter(|(named, deployment)| is_meant(named, deployment.view()))
            .collect();
        match found.as_slice() {
            [(_, one)] => Ok(ServerControl::new(one, &key)),
            [] => {
                let known = self.named().flat_map(|(name, deployment)| {
                    let servers = deployment.servers().into_iter();
                    servers.map(move |server| self.name_of(&name, &server))
                });
                Err(SessionError::UnknownServer {
                    server: name.to_owned(),
                    known: known.collect::<Vec<_>>().join(", "),
                })
            }
            several => {
                let names = several.iter().map(|(named, _)| format!("{named}/{key}"));
                Err(SessionError::Ambiguous {
                    server: name.to_owned(),
                    known: names.collect::<Vec<_>>().join(" or "),
                })
            }
        }
    }

    /// How a server of the deployment of this name is called: with that name before it if there are several deployments.
    #[must_use]
    pub fn name_of(&self, deployment: &str, server: &ServerKey) -> String {
        match self.deployments.as_slice() {
            [_, _, ..] => format!("{deployment}/{server}"),
            _ => server.to_string(),
        }
    }

    /// A rolling restart of one of its deployments.
    pub fn rolling_restart(deployment: &Orchestrator) -> RollingOperation {
        RollingOperation::restart(deployment)
    }

    /// A rolling upgrade of one of its deployments along a path of versions.
    pub fn rolling_upgrade(deployment: &Orchestrator, path: &[String]) -> RollingOperation {
        RollingOperation::upgrade(deployment, path)
    }

    /// A rolling downgrade of one of its deployments along a path of versions.
    pub fn rolling_downgrade(deployment: &Orchestrator, path: &[String]) -> RollingOperation {
        RollingOperation::downgrade(deployment, path)
    }

    /// Every operation on one of its deployments that is in progress or has ended, the oldest first.
    ///
    /// # Errors
    /// When the daemon does not answer, or the lease has ended.
    pub async fn operations(deployment: &Orchestrator) -> Result<Vec<OperationStatus>, LeaseError> {
        deployment.operations().await
    }

    /// The operation of this number, whoever has begun it.
    #[must_use]
    pub fn operation(deployment: &Orchestrator, id: OperationId) -> RunningOperation {
        RunningOperation::known(deployment, id)
    }

    /// The deployment of this name or id; without a name, the only one.
    ///
    /// # Errors
    /// When there is none of that name, or several and none is named.
    pub fn deployment(&self, name: Option<&str>) -> Result<&Orchestrator, SessionError> {
        let is_meant = |named: &str, one: &Orchestrator| {
            name.is_none_or(|name| name == named || name == one.view().deployment)
        };
        let mut meant = self.named().filter(|(named, one)| is_meant(named, one));
        match (meant.next(), meant.next()) {
            (Some((_, one)), None) => Ok(one),
            _ => Err(SessionError::UnknownDeployment {
                deployment: name.map(str::to_owned),
                known: self
                    .named()
                    .map(|(name, _)| name)
                    .collect::<Vec<_>>()
                    .join(", "),
            }),
        }
    }

    /// The links between the servers of one of its deployments.
    #[must_use]
    pub fn links_of(deployment: &Orchestrator) -> Links {
        Links::of_deployment(deployment)
    }
}

/// Which of their system's deployments these are, by their systems: the first, the second.
pub(crate) fn numbers<'a>(systems: impl Iterator<Item = &'a str>) -> Vec<usize> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let number = |system| {
        let number = seen.entry(system).or_insert(0);
        *number += 1;
        *number
    };
    systems.map(number).collect()
}

/// Writes the file under another name first, because others may read it at any moment.
fn write(path: &Path, content: &SessionFile) -> io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(&serde_json::to_vec(content)?)?;
    fs::rename(&unfinished, path)
}
