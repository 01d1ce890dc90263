//! Several test executables that one command runs, or one cargo, at the same time or one after the other: their runs share
//! deployments, and have reports together.

mod cargo;
mod logs;
mod manner;
mod suites;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use armadillo_orchestrator::process::proc_fs;
use armadillo_orchestrator::{random, run_dir};
use serde::{Deserialize, Serialize};

use crate::daemon;
use crate::dispatch::run_directory;
use crate::report::Model;
use crate::warm::{self, WarmError};

pub(crate) use logs::Logs;
pub use manner::Manner;

/// The variable that names the file of the group that a run belongs to.
pub const GROUP: &str = "ARMADILLO_GROUP";

/// A group of runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Membership {
    /// Its id: eight hexadecimal digits.
    pub(crate) id: String,
    /// The command, for people: `test run`, `cargo test`.
    pub(crate) command: String,
    /// The process of the command.
    pub(crate) pid: u32,
    pub(crate) start_time: u64,
    /// Whether its executables run at the same time, and the command shows what they do.
    #[serde(default)]
    pub(crate) together: bool,
    /// The executable whose program the daemon is, if it is one for all: it has the systems of all of them.
    #[serde(default)]
    pub(crate) host: Option<PathBuf>,
}

/// How the whole has ended, if the command knows that better than the logs of its runs: it may have ended some of them itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The exit code.
    pub exit_code: u8,
    /// Why not everything has run.
    pub ended_early: Option<String>,
}

/// The group that a command runs executables in.
pub struct Group {
    file: PathBuf,
    membership: Membership,
}

/// Why a group could not be finished.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GroupError {
    /// Files cannot be read or written.
    #[error("cannot write the reports of all executables: {0}")]
    Files(#[from] io::Error),
    /// The daemon that had the deployments does not answer.
    #[error("cannot stop the deployments: {0}")]
    Daemon(#[from] WarmError),
    /// It does not end.
    #[error(
        "{run} did not end within {LIMIT:.0?}; `kill -9 {pid}` ends it, and its servers with it"
    )]
    Runs {
        /// Its id.
        run: String,
        /// Its process id.
        pid: u32,
    },
}

/// How long the daemon may take to stop everything and end.
const LIMIT: Duration = Duration::from_secs(60);

/// A line for each directory that has runs of the group.
const DIRECTORIES: &str = "directories";

impl Group {
    /// A new one, of this process. If its executables run `together`, this process shows what they do.
    ///
    /// # Errors
    /// When its file cannot be written.
    pub fn begin(together: bool) -> io::Result<Self> {
        run_dir::check().map_err(io::Error::other)?;
        let pid = std::process::id();
        let membership = Membership {
            id: random::hex::<4>()?,
            command: "test run".to_owned(),
            pid,
            start_time: proc_fs::start_time(pid).unwrap_or_default(),
            together,
            host: None,
        };
        let file = run_dir::base().join(format!("group-{}.json", membership.id));
        let group = Self { file, membership };
        group.write()?;
        Ok(group)
    }

    /// From now on, the daemon of its runs is a process of this executable, which has the systems of all of them.
    ///
    /// # Errors
    /// When its file cannot be written.
    pub fn hosted_by(&mut self, executable: &Path) -> io::Result<()> {
        self.membership.host = Some(executable.to_owned());
        self.write()
    }

    fn write(&self) -> io::Result<()> {
        fs::write(&self.file, serde_json::to_vec(&self.membership)?)
    }

    /// Its file, for [`GROUP`] in the environment of its runs.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// All runs are over: stops what they share and writes the reports of the whole, which ended like this if that is not what its
    /// runs come to. Returns the directories that have these.
    ///
    /// # Errors
    /// When deployments cannot be stopped, or files not be written.
    pub async fn finish(self, ending: Option<&Verdict>) -> Result<Vec<PathBuf>, GroupError> {
        let directories = directories(&self.file);
        for shared in warm::all() {
            if directories
                .iter()
                .any(|directory| shared.files().starts_with(directory))
            {
                shared.end().await?;
                if !shared.ended_within(LIMIT).await {
                    return Err(GroupError::Runs {
                        run: shared.run().to_owned(),
                        pid: shared.pid(),
                    });
                }
            }
        }
        for directory in &directories {
            daemon::reports::write(directory, ending)?;
        }
        Ok(directories.into_iter().collect())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A leftover file is harmless.
        _ = fs::remove_file(self.file.with_extension(DIRECTORIES));
        _ = fs::remove_file(&self.file);
    }
}

/// The directories that have runs of the group of this file.
pub(crate) fn directories(file: &Path) -> BTreeSet<PathBuf> {
    let listed = fs::read_to_string(file.with_extension(DIRECTORIES)).unwrap_or_default();
    listed.lines().map(PathBuf::from).collect()
}

/// The group that this process is to run in: one that its environment names, or that of the cargo which has started it.
pub(crate) fn own() -> Option<Membership> {
    named().unwrap_or_else(cargo::membership)
}

/// The group that the environment names, if it names one and its file is there.
fn named() -> Option<Option<Membership>> {
    let file = std::env::var_os(GROUP)?;
    Some(
        fs::read(file)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok()),
    )
}

/// The group of this process, if its executables run at the same time: the command shows them.
pub(crate) fn together() -> Option<Membership> {
    named()?.filter(|group| group.together)
}

/// Writes the reports of what a group without a command of ours has run so far, which nobody else does, and returns what they
/// say: nothing after the first run, which has said it itself.
///
/// # Errors
/// When they cannot be written.
pub(crate) fn so_far(directory: &Path) -> io::Result<Option<String>> {
    if std::env::var_os(GROUP).is_some() || cargo::membership().is_none() {
        return Ok(None);
    }
    daemon::reports::write(directory, None)?;
    let is_first = run_directory::ended_runs(directory) < 2;
    if is_first {
        return Ok(None);
    }
    summary(directory).map(Some)
}

/// Lets the command know that this directory has runs of the group.
pub(crate) fn note(directory: &Path) -> io::Result<()> {
    let Some(file) = std::env::var_os(GROUP) else {
        return Ok(());
    };
    let list = PathBuf::from(file).with_extension(DIRECTORIES);
    let mut list = File::options().create(true).append(true).open(list)?;
    list.write_all(format!("{}\n", directory.display()).as_bytes())
}

/// What the reports of a directory say: `140 passed, 2 failed` and what else a run says at its end.
///
/// # Errors
/// When there is no event log.
pub fn summary(directory: &Path) -> io::Result<String> {
    let log = File::open(directory.join(daemon::EVENTS_FILE))?;
    let model: Model = crate::report::rebuild(io::BufReader::new(log)).map_err(io::Error::other)?;
    Ok(crate::report::totals(&model))
}
