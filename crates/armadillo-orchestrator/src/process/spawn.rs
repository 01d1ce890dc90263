//! What is started, and how it is cut off from the process that starts it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::process::Pid;

use super::mark::{self, LimitOfRun, RUN_MARKER};
use super::{CoreLimit, os};

/// Added to a child's badness, so that the kernel, when memory runs out, ends a server rather than its supervisor.
const OOM_SCORE_ADJUSTMENT: &[u8] = b"500";

/// A process to be started. It gets a session of its own, an empty stdin, a high limit of open files, and dies when its parent does.
#[derive(Debug)]
pub struct Spawn {
    /// What it is, for the ledger and for messages: `cluster-1f3a9c20/member-1`.
    pub label: String,
    /// The program: a path, or a name that is looked up in `PATH`.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// The working directory; `None` keeps the parent's.
    pub directory: Option<PathBuf>,
    /// The environment.
    pub environment: Environment,
    /// Where its stdout goes.
    pub stdout: Output,
    /// Where its stderr goes.
    pub stderr: Output,
    /// How large its core may be.
    pub cores: CoreLimit,
}

/// The environment of a process. The marker of the run is added to either.
#[derive(Clone, Debug)]
pub enum Environment {
    /// `PATH`, `HOME`, `TZ`, `LANG`, and these. For servers: coverage data of an instrumented one goes to `/dev/null`.
    Empty(BTreeMap<String, OsString>),
    /// The parent's, without and with these. For workers.
    Inherit {
        /// Names to leave out.
        remove: Vec<OsString>,
        /// Names and values to set.
        set: BTreeMap<String, OsString>,
    },
}

/// Where an output stream goes.
#[derive(Debug, Default)]
pub enum Output {
    /// Nowhere.
    #[default]
    Null,
    /// To this descriptor: a file, or a pipe's writing end.
    Fd(OwnedFd),
}

impl From<std::fs::File> for Output {
    fn from(file: std::fs::File) -> Self {
        Self::Fd(file.into())
    }
}

impl From<OwnedFd> for Output {
    fn from(fd: OwnedFd) -> Self {
        Self::Fd(fd)
    }
}

impl From<Output> for Stdio {
    fn from(output: Output) -> Self {
        match output {
            Output::Null => Self::null(),
            Output::Fd(fd) => fd.into(),
        }
    }
}

/// Why a process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The operating system refused.
    #[error("cannot start {label} ({}): {source}", program.display())]
    Os {
        /// What it was to be.
        label: String,
        /// The program.
        program: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It was asked for on a thread that may end before the process does: the process would die with the thread.
    #[error(
        "cannot start {label}: only the thread that installed the process table can start processes"
    )]
    WrongThread {
        /// What it was to be.
        label: String,
    },
    /// The process runs, but it could not be written down, so it was killed again.
    #[error("cannot start {label}: cannot write the ledger: {source}")]
    Ledger {
        /// What it was to be.
        label: String,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Leaves a command `PATH`, `HOME`, `TZ` and `LANG`; coverage data of an instrumented program goes nowhere.
pub(super) fn empty_environment(command: &mut Command) {
    command.env_clear();
    for name in ["PATH", "HOME", "TZ", "LANG"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.env("LLVM_PROFILE_FILE", "/dev/null");
}

/// Forks and executes. The new process is not in any table yet.
pub(super) fn launch(spawn: Spawn, run_id: &str) -> io::Result<u32> {
    let mut command = Command::new(&spawn.program);
    command
        .args(&spawn.args)
        .stdin(Stdio::null())
        .stdout(spawn.stdout)
        .stderr(spawn.stderr);
    if let Some(directory) = &spawn.directory {
        command.current_dir(directory);
    }
    match spawn.environment {
        Environment::Empty(set) => {
            empty_environment(&mut command);
            command.envs(set);
        }
        Environment::Inherit { remove, set } => {
            for name in remove {
                command.env_remove(name);
            }
            command.envs(set);
        }
    }
    command.env(RUN_MARKER, run_id);
    let (parent, limit) = (rustix::process::getpid(), LimitOfRun::new(run_id));
    let cores = spawn.cores;
    // SAFETY: between fork and exec only async-signal-safe calls may be made. `prepare` makes nothing but system calls
    // (through rustix, and libc's signal functions, which POSIX lists as safe); it neither allocates nor locks nor
    // panics, and what it captures are plain numbers.
    unsafe {
        command.pre_exec(move || prepare(parent, limit, cores));
    }
    // The handle is dropped: neither kills nor waits. The reaper does both.
    Ok(command.spawn()?.id())
}

/// Runs in the child, between fork and exec. Must stay async-signal-safe: no allocation, no lock, no panic.
fn prepare(parent: Pid, limit: LimitOfRun, cores: CoreLimit) -> io::Result<()> {
    rustix::process::setsid()?;
    os::die_with_parent(parent)?;
    super::raise_file_limit();
    cores.set();
    mark::set_limit(limit);
    reset_signals();
    // Best effort: the file is missing outside Linux.
    if let Ok(file) = rustix::fs::open(c"/proc/self/oom_score_adj", OFlags::WRONLY, Mode::empty()) {
        let _ = rustix::io::write(&file, OOM_SCORE_ADJUSTMENT);
    }
    Ok(())
}

/// Gives every signal its default action and blocks none: ignored and blocked signals outlive an exec.
fn reset_signals() {
    // SAFETY: `sigset_t` is plain data for which all-zero bytes are valid, and `sigemptyset` writes it whole before
    // `sigprocmask` reads it; a null third argument asks for no old mask. `signal` takes numbers only and refuses those
    // it does not know. The child has one thread, so nobody else changes dispositions.
    unsafe {
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}
