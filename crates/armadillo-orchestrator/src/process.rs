//! Processes: started on one thread, reaped by one owner, killed with all that descends from them.

mod cgroup;
mod exit;
mod handle;
mod ledger;
mod limits;
mod mark;
mod os;
mod output;
pub mod proc_fs;
mod spawn;
mod table;
pub mod tree;

use rustix::process::Signal;

use crate::server::Verb;

pub use cgroup::Cgroup;
pub use exit::Exit;
pub use handle::Process;
pub use ledger::{Ledger, LedgerEntry};
pub use limits::{CoreLimit, raise_file_limit};
pub use mark::{Mark, RUN_MARKER};
pub use output::{OutputError, output_of};
pub use spawn::{Environment, Output, Spawn, SpawnError};
pub use table::{InstallError, Processes, SignalError};

/// The signal that a verb is for a process.
fn signal_of(verb: Verb) -> Signal {
    match verb {
        Verb::Terminate => Signal::TERM,
        Verb::Kill => Signal::KILL,
        Verb::Pause => Signal::STOP,
        Verb::Resume => Signal::CONT,
        Verb::Abort => Signal::ABORT,
        Verb::DumpStacks => Signal::QUIT,
    }
}
