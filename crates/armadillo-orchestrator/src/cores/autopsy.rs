//! A crash, looked into: the core is taken away at once, gdb reads it while others go on.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::collector::{COLLECT_LIMIT, DUMP_LIMIT};
use super::{CORES_LIMIT, Collector, CorePattern, CorePolicy, Cores, PostMortem, gdb};
use crate::deadline::Deadline;
use crate::process::{CoreLimit, Environment, Exit, Output, Process, Processes, Spawn};
use crate::program;
use crate::server::{ServerKey, Verb};

/// How long gdb may take.
const GDB_LIMIT: Duration = Duration::from_secs(60);

/// How long it may take to end gdb.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// How long to wait for what gdb says: a little longer than the core, gdb and the ends of both may take.
pub const AUTOPSY_LIMIT: Duration =
    Duration::from_secs(75 + COLLECT_LIMIT.as_secs() + DUMP_LIMIT.as_secs());

/// A server's process that has ended.
#[derive(Clone, Debug)]
pub(crate) struct Dead {
    pub(crate) server: ServerKey,
    pub(crate) pid: u32,
    /// Its working directory.
    pub(crate) directory: PathBuf,
    pub(crate) exit: Exit,
}

impl Dead {
    /// The name of a file about it.
    fn file(&self, what: &str) -> String {
        format!("{}-{}.{what}", self.server, self.pid)
    }
}

/// A crash to be looked into: what is found goes to a directory.
pub(crate) struct Autopsy {
    cores: Arc<Cores>,
    helper: Helper,
    dead: Dead,
    /// Where its files go.
    directory: PathBuf,
    core: Core,
}

/// Where the core of a process is.
enum Core {
    /// In this file.
    Here(PathBuf),
    /// The kernel passed it to a program that gives it back.
    With(Collector, CorePattern),
    /// It cannot be had, for this reason.
    Lost(String),
}

impl Autopsy {
    /// Takes the core away, so that the server can be started again. `None` if there is nothing to look into.
    pub(crate) fn begin(
        cores: &Arc<Cores>,
        processes: &Processes,
        dead: Dead,
        directory: &Path,
    ) -> Option<Self> {
        if cores.policy == CorePolicy::None {
            return None;
        }
        let pattern = CorePattern::read();
        let found =
            (pattern.as_ref().ok()).and_then(|pattern| pattern.find(dead.pid, &dead.directory));
        if found.is_none() && !writes_core(dead.exit) {
            return None;
        }
        let name = |what: &str| directory.join(dead.file(what));
        let core = match (found, pattern) {
            (Some(found), _) => match take(&found, &name("core")) {
                Ok(core) => Core::Here(core),
                Err(error) => {
                    Core::Lost(format!("cannot move the core {}: {error}", found.display()))
                }
            },
            (None, Ok(pattern @ CorePattern::File { .. })) if !dead.exit.core => Core::Lost(
                format!("{}{}", pattern.why_none(dead.pid), CoreLimit::why()),
            ),
            (None, Ok(pattern)) => match pattern.collector() {
                Some(collector) => Core::With(collector, pattern),
                None => Core::Lost(pattern.why_none(dead.pid)),
            },
            (None, Err(error)) => {
                Core::Lost(format!("cannot tell where cores are written: {error}"))
            }
        };
        let helper = Helper {
            processes: processes.clone(),
            server: dead.server.clone(),
        };
        Some(Self {
            cores: cores.clone(),
            helper,
            dead,
            directory: directory.to_owned(),
            core,
        })
    }

    /// Deletes the core of a server that was meant to end.
    pub(crate) fn discard(dead: &Dead) {
        let pattern = CorePattern::read().ok();
        if let Some(core) = pattern.and_then(|pattern| pattern.find(dead.pid, &dead.directory))
            && let Err(error) = fs::remove_file(&core)
        {
            tracing::warn!(path = %core.display(), %error, "cannot delete a core");
        }
    }

    /// Reads the core, and keeps or deletes it.
    pub(crate) async fn perform(self) -> PostMortem {
        let mut found = PostMortem::new(self.dead.server.clone(), self.dead.pid);
        let core = match self.core_file().await {
            Ok(core) => core,
            Err(why) => {
                found.notes.push(why);
                return found;
            }
        };
        match program::on_path("gdb").into_iter().next() {
            Some(debugger) => self.ask(&debugger, &core, &mut found).await,
            None => {
                let note = "cannot show stacks: gdb is not in PATH";
                found.notes.push(note.to_owned());
            }
        }
        self.keep(&core, &mut found);
        found
    }

    async fn core_file(&self) -> Result<PathBuf, String> {
        match &self.core {
            Core::Here(core) => Ok(core.clone()),
            Core::Lost(why) => Err(why.clone()),
            Core::With(collector, pattern) => {
                let (pid, to) = (self.dead.pid, self.directory.join(self.dead.file("core")));
                let fetched = collector.fetch(&self.helper, pid, &to).await;
                fetched.map_err(|why| format!("{why}; {}", pattern.why_none(pid)))
            }
        }
    }

    async fn ask(&self, debugger: &Path, core: &Path, found: &mut PostMortem) {
        let stacks = self.directory.join(self.dead.file("stacks.txt"));
        match self.run(debugger, core, &stacks).await {
            Ok(true) => {}
            Ok(false) => found
                .notes
                .push(format!("gdb did not read the core within {GDB_LIMIT:?}")),
            Err(error) => {
                found.notes.push(format!("cannot run gdb: {error}"));
                return;
            }
        }
        let text = fs::read(&stacks).unwrap_or_default();
        found.frames = gdb::frames(&String::from_utf8_lossy(&text));
        found.stacks = Some(stacks);
    }

    /// Whether gdb ended in time.
    async fn run(&self, debugger: &Path, core: &Path, stacks: &Path) -> Result<bool, String> {
        let stdout = private(stacks).map_err(|error| error.to_string())?;
        let stderr = stdout.try_clone().map_err(|error| error.to_string())?;
        let (args, limit) = (gdb::args(core), Deadline::after(GDB_LIMIT));
        let ended = self
            .helper
            .run("gdb", debugger, args, stdout, stderr, limit);
        Ok(ended.await?.is_some())
    }

    fn keep(&self, core: &Path, found: &mut PostMortem) {
        let size = fs::metadata(core).map_or(0, |metadata| metadata.len());
        if size >= CORES_LIMIT {
            found.notes.push("the core was cut off at 4 GiB".to_owned());
        }
        if self.cores.keeps(size) {
            found.core = Some(core.to_owned());
            return;
        }
        if self.cores.policy == CorePolicy::Keep {
            found.notes.push(format!(
                "its core of {} MiB was deleted: the cores of a run may take {} MiB together",
                size >> 20,
                CORES_LIMIT >> 20
            ));
        }
        if let Err(error) = fs::remove_file(core) {
            found.notes.push(format!("cannot delete its core: {error}"));
        }
    }
}

/// What runs programs that help to look into the end of a server.
pub(super) struct Helper {
    processes: Processes,
    server: ServerKey,
}

impl Helper {
    /// Runs one to its end; `None` if it is ended because it takes too long.
    pub(super) async fn run(
        &self,
        name: &str,
        program: &Path,
        args: Vec<OsString>,
        stdout: File,
        stderr: File,
        deadline: Deadline,
    ) -> Result<Option<Exit>, String> {
        let process = self.processes.spawn(Spawn {
            label: format!("{name} for {}", self.server),
            program: program.to_owned(),
            args,
            directory: None,
            environment: Environment::Empty(Default::default()),
            stdout: Output::from(stdout),
            stderr: Output::from(stderr),
            cores: CoreLimit::AtMost(0),
        });
        let process = Owned(process.map_err(|error| error.to_string())?);
        let ended = deadline.bound(process.0.exited()).await;
        if ended.is_none() {
            // What is left of it ends with the run.
            let _ = process.0.kill_tree(KILL_LIMIT).await;
        }
        Ok(ended)
    }
}

/// A process that ends when nobody waits for it any more.
struct Owned(Process);

impl Drop for Owned {
    fn drop(&mut self) {
        // It has usually ended.
        let _ = self.0.signal_tree(Verb::Kill);
    }
}

/// Whether this end is one that a core is written of.
fn writes_core(exit: Exit) -> bool {
    let signals = [
        libc::SIGQUIT,
        libc::SIGILL,
        libc::SIGTRAP,
        libc::SIGABRT,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGSEGV,
        libc::SIGSYS,
    ];
    exit.core || exit.signal.is_some_and(|signal| signals.contains(&signal))
}

/// Moves a core where only its owner can read it.
pub(super) fn take(from: &Path, to: &Path) -> io::Result<PathBuf> {
    if let Some(parent) = to.parent() {
        fs::DirBuilder::new().recursive(true).create(parent)?;
    }
    fs::set_permissions(from, Permissions::from_mode(0o600))?;
    if fs::rename(from, to).is_err() {
        // On another file system it stays where it is.
        return Ok(from.to_owned());
    }
    Ok(to.to_owned())
}

pub(super) fn private(path: &Path) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}
