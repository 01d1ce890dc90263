//! The daemons of a run: one of its own, which ends with it, and one that has its deployments if others share these.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

use super::children::Children;
use super::daemon_process::{DaemonProcess, log_tail};
use super::shared::SharedDaemon;
use crate::client::DaemonClient;
use crate::fixture::KEPT;
use crate::process_end;
use crate::protocol::start::Started;

/// What became of a daemon that is gone.
pub(super) const EXITED: &str = "it exited";

/// Where temporary directories go in a run without any daemon.
const TEMPORARY: &str = "temporary";

/// The daemons of a run.
#[derive(Default)]
pub(super) struct Daemons {
    /// It runs the tests' processes and writes the log of the run. It has the deployments, too, if nobody shares them.
    pub(super) own: Option<DaemonProcess>,
    /// It has the deployments, and outlives the run.
    pub(super) shared: Option<SharedDaemon>,
    /// `--timeout-factor`.
    pub(super) factor: f64,
}

impl Daemons {
    /// What they said when they were there.
    pub(super) fn started(&self) -> impl Iterator<Item = &Started> {
        let own = self.own.iter().map(|daemon| &daemon.started);
        own.chain(self.shared.iter().map(|daemon| &daemon.started))
    }

    /// Whether the deployments are those of a daemon that others use, too, and whose log lies below this directory.
    pub(super) fn shares_log_below(&self, directory: &Path) -> bool {
        let shared = self.shared.as_ref();
        shared.is_some_and(|daemon| daemon.directory.parent() == Some(directory))
    }

    /// The private directory for sockets, secrets and temporary files that belongs to the run alone.
    pub(super) fn private_directory(&self) -> Option<&Path> {
        self.own.as_ref().map(|daemon| &*daemon.started.run_dir)
    }

    /// Where the temporary directories of tests go: into the private directory of a daemon, or beside the files of the run, which
    /// are in `run`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn temporary_directory(&self, run: &Path) -> io::Result<PathBuf> {
        if let Some(private) = self.private_directory() {
            return Ok(private.to_owned());
        }
        let path = self.temporary_of_part(run);
        DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(&path)?;
        Ok(path)
    }

    /// The same for a run without a daemon of its own.
    fn temporary_of_part(&self, run: &Path) -> PathBuf {
        match &self.shared {
            Some(shared) => shared
                .started
                .run_dir
                .join(run.file_name().unwrap_or_default()),
            None => run.join(TEMPORARY),
        }
    }

    /// Removes it, unless a daemon does that. What fixtures keep there for a deployment that others use stays.
    pub(super) fn remove_temporary(&self, run: &Path) {
        if self.own.is_some() {
            return;
        }
        let path = self.temporary_of_part(run);
        let stays = self
            .shared
            .as_ref()
            .is_some_and(SharedDaemon::keeps_fixtures);
        for entry in fs::read_dir(&path).into_iter().flatten().flatten() {
            let is_kept = entry.file_name().to_string_lossy().starts_with(KEPT);
            if !(stays && is_kept) {
                _ = fs::remove_dir_all(entry.path());
            }
        }
        // If something stays, it goes with the daemon.
        _ = fs::remove_dir(&path);
    }

    /// How to ask the run's own.
    pub(super) fn own_client(&self) -> Option<DaemonClient> {
        let own = self.own.as_ref();
        own.map(|daemon| self.client(&daemon.started.socket))
    }

    /// How to ask the one that has the deployments.
    pub(super) fn lease_client(&self) -> Option<DaemonClient> {
        let shared = self.shared.as_ref();
        let shared = shared.map(|daemon| self.client(&daemon.started.socket));
        shared.or_else(|| self.own_client())
    }

    fn client(&self, socket: &Path) -> DaemonClient {
        DaemonClient::new(socket).with_factor(self.factor)
    }

    /// The end of the log of the one that is gone, to explain why. `run` is the directory of the run.
    pub(super) fn last_words(&self, run: &Path) -> String {
        let is_gone = |daemon: &&SharedDaemon| daemon.has_exited();
        let directory = match self.shared.as_ref().filter(is_gone) {
            Some(shared) => &*shared.directory,
            None => run,
        };
        log_tail(&directory.join("daemon.log"))
    }

    /// Whether one of them is gone.
    pub(super) fn has_exited(&self) -> bool {
        let own = self.own.as_ref().is_some_and(DaemonProcess::has_exited);
        own || self.shared.as_ref().is_some_and(SharedDaemon::has_exited)
    }

    /// Waits until one of them is gone; why.
    pub(super) async fn gone(&self) -> String {
        let watched = tokio::select! {
            watched = own_end(self.own.as_ref()) => watched,
            watched = shared_end(self.shared.as_ref()) => watched,
        };
        match watched {
            Ok(()) => EXITED.to_owned(),
            Err(error) => format!("it cannot be monitored: {error}"),
        }
    }

    /// The warden of the run's own, which goes on for a moment when the run has ended.
    pub(super) fn warden(&self) -> Option<u32> {
        self.own.as_ref().map(DaemonProcess::warden)
    }

    /// The run is over, and so is its own daemon: if `wait`, with everything below it before this returns.
    pub(super) fn end(self, children: &Children, wait: bool) {
        match self.own {
            Some(daemon) if wait => daemon.end(children),
            Some(daemon) => daemon.hand_over(),
            None => {}
        }
    }
}

async fn own_end(daemon: Option<&DaemonProcess>) -> std::io::Result<()> {
    let Some(daemon) = daemon else {
        return std::future::pending().await;
    };
    // Nothing comes after the greeting but the end.
    let mut pipe = Receiver::from_owned_fd(daemon.life_sign()?)?;
    pipe.read(&mut [0; 256]).await.map(drop)
}

async fn shared_end(daemon: Option<&SharedDaemon>) -> std::io::Result<()> {
    match daemon {
        Some(daemon) => process_end::readable(daemon.end.try_clone()?).await,
        None => std::future::pending().await,
    }
}
