//! A daemon that several processes share, so that they share its deployments. Under nextest every test is a process: the first
//! that needs a deployment starts the daemon, the others find it, and it ends with nextest. With `--reuse`, the next run finds
//! the one that the last run has left, and it ends when nobody has used it for a while. The executables that one command runs, or
//! cargo, have it one after the other or at the same time, and it ends with the command.

mod conditions;
mod relevant;

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use armadillo_orchestrator::duration::millis;
use armadillo_orchestrator::local::write_private;
use armadillo_orchestrator::process::{proc_fs, tree};
use armadillo_orchestrator::{Secret, registry, run_dir};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::{Deserialize, Serialize};

use super::RunnerError;
use super::children::Children;
use super::daemon_process::DaemonProcess;
use super::run_directory;
use crate::clock::Origin;
use crate::group::Membership;
use crate::options::Options;
use crate::protocol::start::{Lifeline, Start, Started};

pub(super) use conditions::conditions;
pub(super) use relevant::Relevant;

/// The variable by which all tests of a nextest run know each other.
const NEXTEST_RUN: &str = "NEXTEST_RUN_ID";

/// What nextest's process has in its name.
const NEXTEST: &str = "nextest";

/// The file in a shared daemon's private directory by which it is found.
pub(crate) const FILE: &str = "shared.json";

/// The file there that is locked by the run that has the daemon for itself.
pub(crate) const IN_USE: &str = "in-use";

/// Practically no limit.
const UNLIMITED: Duration = Duration::from_secs(365 * 24 * 3600);

/// How long deployments may take to stop after nextest, whose tests are processes that leave nothing.
const HURRY: Duration = Duration::from_secs(2);

/// The same after the end of a group: servers have time for what they write at their end, and whoever waits gets the reports.
const GROUP_STOP_LIMIT: Duration = Duration::from_secs(30);

/// How long to wait for the lock: longer than a start may take.
const TURN: Duration = Duration::from_secs(60);

/// Processes that share a daemon.
pub(super) enum Scope {
    /// The tests of a nextest run, whose process this is.
    Nextest {
        run: String,
        pid: u32,
        start_time: u64,
    },
    /// The executables that one command runs, one after the other.
    Group(Membership),
    /// Runs of one project, one after the other; the daemon ends after this idle time.
    Reuse { idle: Duration },
}

/// Where a shared daemon and its files go.
pub(super) struct Place<'a> {
    /// The directory of all runs.
    pub(super) runs: &'a Path,
    /// That of the nextest run.
    pub(super) group: Option<&'a Path>,
    /// What it does for its runs, as their settings say.
    pub(super) terms: String,
}

/// What the settings of a run say of its daemon, whose other runs must want the same.
pub(super) fn terms(options: &Options) -> String {
    let running = &options.running;
    let terms = (
        &options.checkers,
        // What the machine has free differs from moment to moment, but not what somebody has set.
        (running.memory_mib, running.timeout_factor, running.cgroup),
        (running.cores, &running.record, running.sample_every),
    );
    // Only a map with keys that are no text cannot be written, and there is none.
    serde_json::to_string(&terms).unwrap_or_default()
}

/// What tells how to reach a shared daemon.
#[derive(Serialize, Deserialize)]
pub(crate) struct Descriptor {
    /// Who may share it.
    key: String,
    /// The same for people.
    pub(crate) scope: String,
    /// Whether runs have it one after the other, as long as somebody wants it.
    pub(crate) is_reusable: bool,
    pub(crate) started: Started,
    pub(crate) start_time: u64,
    /// The daemon's clock.
    origin: Origin,
    /// Its files.
    pub(crate) directory: PathBuf,
}

/// A daemon that this process shares with others.
pub(super) struct SharedDaemon {
    pub(super) started: Started,
    /// Its clock.
    pub(super) origin: Origin,
    /// Its files.
    pub(super) directory: PathBuf,
    /// Readable when it has ended.
    pub(super) end: OwnedFd,
    /// How long it stays up without a run, if runs have it one after the other.
    pub(super) idle: Option<Duration>,
    /// Whether its runs come at the same time and share their slots.
    pub(super) shares_slots: bool,
    /// Locked while this process has it for itself.
    _used: Option<File>,
}

impl SharedDaemon {
    /// Whether this process has it for itself meanwhile.
    pub(super) fn is_alone(&self) -> bool {
        self.idle.is_some() && !self.shares_slots
    }

    /// Whether what fixtures keep for a deployment stays when this process ends: the others use it.
    pub(super) fn keeps_fixtures(&self) -> bool {
        self.idle.is_none()
    }

    /// Whether it is gone.
    pub(super) fn has_exited(&self) -> bool {
        let mut watched = [PollFd::new(&self.end, PollFlags::IN)];
        poll(&mut watched, Some(&Timespec::default())).is_ok_and(|count| count > 0)
    }
}

impl Scope {
    /// The tests of a nextest run, if this process is one of them.
    pub(super) fn of_nextest() -> Option<Self> {
        let run = std::env::var(NEXTEST_RUN).ok()?;
        let (pid, start_time) = nextest(&run)?;
        Some(Self::Nextest {
            run,
            pid,
            start_time,
        })
    }

    /// The shared daemon, started with these orders if there is none yet that was started with equal ones.
    pub(super) fn daemon(
        &self,
        orders: Start,
        place: &Place<'_>,
        depth: u32,
        children: &Children,
    ) -> Result<SharedDaemon, RunnerError> {
        let key = self.key(&orders, place);
        if let Some(found) = self.find(&key) {
            return Ok(found);
        }
        let _turn = run_dir::lock_shared(TURN)?;
        // Somebody else may have been faster.
        if let Some(found) = self.find(&key) {
            return Ok(found);
        }
        let group = place.group.filter(|_| !matches!(self, Self::Reuse { .. }));
        let orders = Start {
            lifeline: self.lifeline(),
            directory: run_directory::of_daemon(group.unwrap_or(place.runs), &orders.run)?,
            group: group.map(Path::to_owned),
            ..orders
        };
        let log = orders.directory.join("daemon.log");
        let daemon = match self.host() {
            Some(host) => DaemonProcess::start_of(host, &orders, &log, depth, children)?,
            None => DaemonProcess::start(&orders, &log, depth, children)?,
        };
        children.spare(daemon.warden());
        self.publish(key, place, daemon, &orders)
    }

    /// Whether its runs come at the same time and share their slots.
    pub(super) fn shares_slots(&self) -> bool {
        matches!(self, Self::Group(group) if group.together)
    }

    /// The executable whose program the daemon is, if it is another one for all.
    fn host(&self) -> Option<&Path> {
        match self {
            Self::Group(group) if group.together => group.host.as_deref(),
            _ => None,
        }
    }

    fn name(&self, place: &Place<'_>) -> String {
        match self {
            Self::Nextest { run, .. } => format!("{NEXTEST} {run}"),
            Self::Group(group) => format!("{} {}", group.command, group.id),
            Self::Reuse { .. } => format!("--reuse in {}", place.runs.display()),
        }
    }

    fn lifeline(&self) -> Lifeline {
        match self {
            Self::Nextest {
                pid, start_time, ..
            } => Lifeline::Process {
                pid: *pid,
                start_time: *start_time,
                patience_ms: millis(HURRY),
            },
            Self::Group(group) => Lifeline::Process {
                pid: group.pid,
                start_time: group.start_time,
                patience_ms: millis(GROUP_STOP_LIMIT),
            },
            Self::Reuse { idle } => Lifeline::Idle {
                limit_ms: millis(*idle),
            },
        }
    }

    /// Who shares a daemon: the processes of this scope with equal systems that want the same of it. What its servers are
    /// started with, each client says itself.
    fn key(&self, orders: &Start, place: &Place<'_>) -> String {
        let name = self.name(place);
        let wanted = (
            orders.version,
            env!("CARGO_PKG_VERSION"),
            // One that is for all has the systems of all.
            (self.host().is_none()).then(registry::origins),
            &place.terms,
        );
        // Only a map with keys that are no text cannot be written, and there is none.
        let wanted = serde_json::to_string(&wanted).unwrap_or_default();
        format!("{name} {wanted}")
    }

    /// The daemon of this key, if there is one that this process may have.
    fn find(&self, key: &str) -> Option<SharedDaemon> {
        let known = descriptors().into_iter();
        known.filter(|known| known.key == key).find_map(|known| {
            let end = tree::watch_end(known.started.pid, known.start_time);
            self.take(known, end.ok()??)
        })
    }

    /// Lets the others find a daemon that was started, and lets go of it.
    fn publish(
        &self,
        key: String,
        place: &Place<'_>,
        daemon: DaemonProcess,
        orders: &Start,
    ) -> Result<SharedDaemon, RunnerError> {
        let os = |action| move |source| RunnerError::Os { action, source };
        let (mut started, start_time) = daemon.release();
        // Said once, by who has started it.
        let swept = std::mem::take(&mut started.swept);
        let end = tree::watch_end(started.pid, start_time).map_err(os("watch the daemon"))?;
        let exited = || std::io::Error::other("it has exited");
        let end = end.ok_or_else(exited).map_err(os("watch the daemon"))?;
        let descriptor = Descriptor {
            key,
            scope: self.name(place),
            is_reusable: matches!(self, Self::Reuse { .. }),
            started,
            start_time,
            origin: orders.origin,
            directory: orders.directory.clone(),
        };
        let content = serde_json::to_string(&descriptor);
        let content = content.map_err(|error| os("describe the daemon")(error.into()))?;
        let file = descriptor.started.run_dir.join(FILE);
        let written = write_private(&file, &Secret::new(content));
        written.map_err(|error| os("describe the daemon")(std::io::Error::other(error)))?;
        let taken = self.take(descriptor, end).map(|mut taken| {
            taken.started.swept = swept;
            taken
        });
        taken.ok_or_else(|| os("use the daemon")(exited()))
    }

    /// A daemon for this process; `None` if it is another run's. Of several runs at once, each has its own: fixtures that one
    /// keeps for a deployment end with it.
    fn take(&self, known: Descriptor, end: OwnedFd) -> Option<SharedDaemon> {
        let used = match self {
            _ if self.shares_slots() => None,
            Self::Nextest { .. } => None,
            Self::Group(_) | Self::Reuse { .. } => Some(use_alone(&known.started.run_dir)?),
        };
        let taken = SharedDaemon {
            end,
            started: known.started,
            origin: known.origin,
            directory: known.directory,
            idle: match self {
                Self::Nextest { .. } => None,
                // As long as the command.
                Self::Group(_) => Some(UNLIMITED),
                Self::Reuse { idle } => Some(*idle),
            },
            shares_slots: self.shares_slots(),
            _used: used,
        };
        // A zombie has an id and a start time, too.
        (!taken.has_exited()).then_some(taken)
    }
}

/// Marks the daemon with this private directory as used by one run, for as long as the file lives; `None` if it is.
pub(crate) fn use_alone(run_dir: &Path) -> Option<File> {
    let lock = File::options()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(run_dir.join(IN_USE))
        .ok()?;
    lock.try_lock().ok()?;
    Some(lock)
}

/// What is known of the shared daemons of this user.
pub(crate) fn descriptors() -> Vec<Descriptor> {
    let runs = fs::read_dir(run_dir::base())
        .into_iter()
        .flatten()
        .flatten();
    let known = runs.filter_map(|run| {
        let content = fs::read(run.path().join(FILE)).ok()?;
        // One that cannot be read is of another version.
        serde_json::from_slice(&content).ok()
    });
    known.collect()
}

/// The process of nextest: the nearest ancestor that is not itself part of its run, whatever wrappers are between.
fn nextest(run: &str) -> Option<(u32, u64)> {
    let entry = format!("{NEXTEST_RUN}={run}");
    let mut stat = proc_fs::stat(std::process::id())?;
    loop {
        stat = proc_fs::stat(stat.parent)?;
        if !proc_fs::has_environment(stat.pid, &entry) {
            // An orphaned process has no such ancestor, and shares nothing.
            return stat
                .name
                .contains(NEXTEST)
                .then_some((stat.pid, stat.start_time));
        }
    }
}
