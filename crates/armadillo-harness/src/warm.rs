//! Deployments that outlive a run: `--reuse` leaves them for the next, and the tests of a nextest run share them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use armadillo_orchestrator::process::tree;

use crate::client::{AskError, DaemonClient};
use crate::dispatch::shared::{descriptors, use_alone};
use crate::process_end;
use crate::protocol::daemon::DeploymentStatus;
use crate::protocol::endpoints;

/// How long the daemon may take to answer.
const LIMIT: Duration = Duration::from_secs(10);

/// A daemon with deployments that no single run owns.
pub struct Warm {
    run: String,
    pid: u32,
    start_time: u64,
    socket: PathBuf,
    files: PathBuf,
    scope: String,
    /// Whether runs have it one after the other.
    is_reusable: bool,
}

/// Why a request to the daemon failed.
#[derive(Debug, thiserror::Error)]
#[error("{run}: {source}")]
pub struct WarmError {
    run: String,
    source: AskError,
}

/// All shared daemons of this user.
#[must_use]
pub fn all() -> Vec<Warm> {
    let known = descriptors().into_iter().map(|known| Warm {
        run: (known.started.run_dir.file_name())
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        pid: known.started.pid,
        start_time: known.start_time,
        socket: known.started.socket,
        files: known.directory,
        scope: known.scope,
        is_reusable: known.is_reusable,
    });
    known.filter(Warm::lives).collect()
}

impl Warm {
    /// Its id.
    #[must_use]
    pub fn run(&self) -> &str {
        &self.run
    }

    /// The daemon's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whose deployments these are: `--reuse` or `nextest`, and of which project or run.
    #[must_use]
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// The directory with the logs and the data of its servers.
    #[must_use]
    pub fn files(&self) -> &Path {
        &self.files
    }

    /// Whether the daemon is still running.
    #[must_use]
    pub fn lives(&self) -> bool {
        matches!(tree::watch_end(self.pid, self.start_time), Ok(Some(_)))
    }

    /// What it has, by id.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn deployments(&self) -> Result<Vec<(String, DeploymentStatus)>, WarmError> {
        let daemon = DaemonClient::new(&self.socket);
        let status = daemon.ask::<endpoints::Status>(&[], &(), None, LIMIT).await;
        let status = status.map_err(|source| self.failed(source))?;
        Ok(status.deployments.into_iter().collect())
    }

    /// Has it stop everything and end; it does so a moment later.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn end(&self) -> Result<(), WarmError> {
        let daemon = DaemonClient::new(&self.socket);
        let told = daemon.ask::<endpoints::End>(&[], &(), None, LIMIT);
        told.await.map(drop).map_err(|source| self.failed(source))
    }

    /// Whether a run is using it: a later one could not have it now.
    #[must_use]
    pub fn is_used(&self) -> bool {
        let directory = self.socket.parent().unwrap_or(Path::new("/"));
        !self.is_reusable || use_alone(directory).is_none()
    }

    /// Waits until it has ended, at most for `limit`; whether it has.
    pub async fn ended_within(&self, limit: Duration) -> bool {
        let gone = process_end::gone(self.pid, self.start_time);
        matches!(tokio::time::timeout(limit, gone).await, Ok(Ok(())))
    }

    fn failed(&self, source: AskError) -> WarmError {
        WarmError {
            run: self.run.clone(),
            source,
        }
    }
}
