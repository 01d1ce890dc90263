//! A stand-in for the arangod program: same command line, same HTTP API, not ArangoDB.
//!
//! It is faithful in how arangod starts, fails and dies, and says 501 where it cannot do what
//! arangod does. `docs/emulator.md` tells what is imitated and what is claimed.
//!
//! What is where:
//!
//! * `run` goes from arguments to a running server, `boot` from a locked directory to "ready for
//!   business" and down again;
//! * `options`, `settings`, `role`, `exit`, `version` are the command line and what it means;
//! * `directory`, `limits`, `signals`, `crash`, `logging`, `system` are the process;
//! * `http` listens, checks and routes; `auth` knows who asks; `api` has a handler for each path;
//!   `server` is what all of them share; `errors` is what goes wrong;
//! * `cluster` is what members of a cluster tell the agency and know from it, `coordinator` what
//!   coordinators do for collections and documents;
//! * `store` keeps the data and the journal;
//! * `shard` is what dbservers do: replicated data.

mod agency;
mod api;
mod async_jobs;
mod auth;
mod boot;
mod cluster;
mod coordinator;
mod crash;
mod directory;
mod errors;
mod exit;
mod failure_points;
mod http;
mod indexes;
mod limits;
mod logging;
mod options;
#[cfg(feature = "planted")]
pub mod planted;
#[cfg(not(feature = "planted"))]
mod planted;
mod raft;
mod role;
mod run;
mod server;
mod settings;
mod shard;
mod signals;
mod store;
mod supervision;
mod system;
mod tls;
mod transactions;
mod upgrade;
mod version;

/// This build of the emulator, for executables that have it built in.
pub struct Build;

impl Build {
    /// A word that changes with the source files.
    pub const SOURCES: &str = env!("ARANGOD_EMULATOR_SOURCES");
}

/// Runs the emulator to its end. `args` are the arguments without the name of the program.
///
/// It can be called by another executable that has found out that it is to be the emulator: it
/// looks neither at the arguments of the process nor at the name of its executable. It takes over
/// signals and limits of the process, so the process should do nothing else afterwards but exit.
pub fn main(args: Vec<std::ffi::OsString>) -> std::process::ExitCode {
    run::run(args).into()
}
