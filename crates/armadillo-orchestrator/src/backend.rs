//! The seam between a deployment and what runs its servers: local processes first, containers and others later.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::cores::PostMortem;
use crate::deadline::Deadline;
use crate::links::{LinkError, LinksWanted, Proxy};
use crate::ports::PortOwner;
use crate::process::proc_fs::Stat;
use crate::process::{Exit, SpawnError};
use crate::program::Program;
use crate::secret::Secret;
use crate::server::{Launch, ServerKey, ServerPlan, Verb};
use crate::system::Fut;
use crate::view::{Place, Share};

/// How much of the beginning of a server's log is kept, in bytes, when it has become too long.
pub const LOG_HEAD: u64 = 16 << 20;

/// How much of the end of a server's log is kept, in bytes. A little more may be there for a moment.
pub const LOG_TAIL: u64 = 48 << 20;

/// What runs servers. It chooses their addresses and directories, for only it knows which it can honour.
pub trait BackEnd: Send + Sync {
    /// Whether it has a means for this verb.
    fn can(&self, verb: Verb) -> bool;

    /// Finds a place for every server of a plan: ports that stay reserved, and directories that exist.
    fn place<'a>(
        &'a self,
        request: &'a PlaceRequest<'a>,
    ) -> Fut<'a, Result<Box<dyn Site>, BackEndError>>;
}

/// What is asked of [`BackEnd::place`].
#[derive(Debug)]
pub struct PlaceRequest<'a> {
    /// The deployment's id, unique among all runs.
    pub deployment: &'a str,
    /// Its servers.
    pub plan: &'a [ServerPlan],
    /// The directory in which each server gets one of its own. It is kept, and may be shown to others.
    pub directory: &'a Path,
    /// A directory that only its owner can enter, for files with secrets; `None` puts them into the server's own.
    pub secrets: Option<&'a Path>,
    /// Each server's share of the machine; `None` gives it what it costs.
    pub share: Option<Share>,
    /// The links that its servers and clients are to have.
    pub links: Option<LinksWanted>,
}

/// The places of one deployment. Dropping it gives the ports back.
pub trait Site: Send + Sync {
    /// Each planned server's place.
    fn places(&self) -> &BTreeMap<ServerKey, Place>;

    /// Writes the files of a launch and starts the server.
    fn start<'a>(
        &'a self,
        server: &'a ServerKey,
        program: &'a Program,
        launch: &'a Launch,
    ) -> Fut<'a, Result<Box<dyn Running>, BackEndError>>;

    /// Writes files of a server anew, while it runs or not.
    ///
    /// # Errors
    /// When they cannot be written.
    fn write_files(
        &self,
        server: &ServerKey,
        files: &[(PathBuf, u32, Secret)],
    ) -> Result<(), BackEndError>;

    /// Writes files for all servers of the deployment, which only their owner can read, each whole and in the place of one
    /// before it. Returns their directory, as the servers see it.
    ///
    /// # Errors
    /// When they cannot be written.
    fn write_shared(&self, files: &[(PathBuf, Secret)]) -> Result<PathBuf, BackEndError> {
        let _ = files;
        Err(BackEndError::NoFiles)
    }

    /// Gives back the ports of a server that cannot bind over a reservation. Returns whether there were any.
    fn release_ports(&self, server: &ServerKey) -> bool;

    /// How many bytes the server has written to stdout and stderr, over all its starts.
    fn log_size(&self, server: &ServerKey) -> u64;

    /// Gives up the middle of a server's log if it has become longer than [`LOG_HEAD`] and [`LOG_TAIL`] together, while it goes
    /// on. Positions stay what they were. Whether something was given up, now or earlier.
    ///
    /// # Errors
    /// When that cannot be done.
    fn cut_log(&self, server: &ServerKey) -> io::Result<bool> {
        let _ = server;
        Ok(false)
    }

    /// All servers have ended for good: a log whose middle was given up is written again, with a line in its place.
    ///
    /// # Errors
    /// When that cannot be done.
    fn close_logs(&self) -> io::Result<()> {
        Ok(())
    }

    /// What it has written from the byte `from` on, at most `limit` bytes. What was given up is left out.
    ///
    /// # Errors
    /// When it cannot be read.
    fn log(&self, server: &ServerKey, from: u64, limit: u64) -> io::Result<Vec<u8>>;

    /// The first part of a log after the byte `from` of which nothing was given up.
    fn log_part(&self, server: &ServerKey, from: u64) -> Range<u64> {
        from..self.log_size(server).max(from)
    }

    /// Removes what the servers have stored, secrets included; what they have logged stays, and what their
    /// sanitizers have reported.
    ///
    /// # Errors
    /// When something cannot be removed.
    fn remove_data(&self) -> io::Result<()>;

    /// Removes what one server has stored, while it does not run; what it has logged stays.
    ///
    /// # Errors
    /// When something cannot be removed.
    fn remove_data_of(&self, server: &ServerKey) -> Result<(), BackEndError> {
        let _ = server;
        Err(BackEndError::NoFiles)
    }

    /// Removes the files that hold secrets.
    fn remove_secrets(&self);

    /// The proxy of its links, if it has some.
    #[doc(hidden)]
    fn links(&self) -> Option<&Proxy> {
        None
    }
}

/// A server that was started.
pub trait Running: Send + Sync {
    /// What it is called outside: `pid 4711`, `container 3f2a`.
    fn id(&self) -> String;

    /// Its process id, where it has one that can be seen from here.
    fn pid(&self) -> Option<u32>;

    /// Does this to it. For [`Verb::Kill`], whatever it has started ends with it, and is gone on return.
    fn deliver(&self, verb: Verb, deadline: Deadline) -> Fut<'_, Result<(), BackEndError>>;

    /// Kills it without waiting, for when there is no time.
    fn kill_now(&self);

    /// Waits for its end.
    fn exited(&self) -> Fut<'_, Exit>;

    /// How it ended, if it has.
    fn try_exit(&self) -> Option<Exit>;

    /// Whether it is on its way out although nobody was told yet. Back ends that cannot tell say no.
    fn is_ending(&self) -> bool {
        false
    }

    /// How it ended, in words, where the back end knows better than the exit says; `None`: as the exit and the system say.
    fn exit_in_words(&self, _exit: Exit) -> Option<String> {
        None
    }

    /// Looks into its end, which has just been told, or deletes what it left behind of it if it was expected. The core is
    /// out of the way when this returns, and the future reads it; its files go to `directory`. `None` if there is nothing to
    /// look into.
    fn look_into_end(
        &self,
        _exit: Exit,
        _expected: bool,
        _directory: &Path,
    ) -> Option<Fut<'static, PostMortem>> {
        None
    }

    /// Whether it is frozen as a whole: `Some(false)` if as a whole it is not. `None` if it is neither, or nobody can
    /// tell.
    fn is_paused(&self) -> Option<bool>;

    /// Whether a process id belongs to it. `None` if this back end cannot tell.
    fn owns_pid(&self, pid: u32) -> Option<bool>;

    /// Who listens on the port of an address where it binds. `None` if this back end cannot tell.
    fn port_owner(&self, address: &str) -> Option<PortOwner>;

    /// Its processes, itself first.
    fn processes(&self) -> Vec<Stat>;
}

/// What a back end could not do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackEndError {
    /// A server's process could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// A file or directory could not be made.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It has no place for files.
    #[error("this backend does not write files for servers")]
    NoFiles,
    /// A file that leaves the server's directory.
    #[error("{} is not below the server's directory", path.display())]
    Outside {
        /// The path as the system named it.
        path: PathBuf,
    },
    /// There are no free ports.
    #[error("cannot reserve a port: {source}")]
    Port {
        /// What the operating system said.
        source: io::Error,
    },
    /// There is no such server in the plan.
    #[error("no server {server} in this deployment")]
    Unknown {
        /// The name asked for.
        server: ServerKey,
    },
    /// A signal could not be sent.
    #[error("{0}")]
    Signal(#[from] crate::process::SignalError),
    /// A server that somebody else started is not there any more.
    #[error("cannot reach the server at {address}: {source}")]
    Gone {
        /// Its address as a URL.
        address: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The proxy of its links does not do its part.
    #[error(transparent)]
    Links(#[from] LinkError),
    /// It cannot have links.
    #[error("this backend has no links")]
    NoLinks,
    /// Something that was to end did not.
    #[error("{what} still exists")]
    StillThere {
        /// What it is called outside.
        what: String,
    },
}
