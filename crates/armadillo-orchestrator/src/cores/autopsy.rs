//! A crash, looked into: the core is taken away at once, gdb reads it while others go on.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{CORES_LIMIT, CorePattern, CorePolicy, Cores, PostMortem, gdb};
use crate::deadline::Deadline;
use crate::process::{CoreLimit, Environment, Exit, Output, Process, Processes, Spawn};
use crate::program;
use crate::server::{ServerKey, Verb};

/// How long gdb may take.
const GDB_LIMIT: Duration = Duration::from_secs(60);

/// How long it may take to end gdb.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// How long it is waited for what gdb says: a little longer than gdb and its end may take.
pub const AUTOPSY_LIMIT: Duration = Duration::from_secs(70);

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
    processes: Processes,
    dead: Dead,
    /// Where its files go.
    directory: PathBuf,
    core: Result<PathBuf, String>,
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
            (Some(found), _) => take(&found, &name("core"))
                .map_err(|error| format!("cannot move the core {}: {error}", found.display())),
            (None, Ok(pattern @ CorePattern::File { .. })) if !dead.exit.core => Err(format!(
                "{}{}",
                pattern.why_none(dead.pid),
                CoreLimit::why()
            )),
            (None, Ok(pattern)) => Err(pattern.why_none(dead.pid)),
            (None, Err(error)) => Err(format!("cannot tell where cores are written: {error}")),
        };
        Some(Self {
            cores: cores.clone(),
            processes: processes.clone(),
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
        let core = match &self.core {
            Ok(core) => core,
            Err(why) => {
                found.notes.push(why.clone());
                return found;
            }
        };
        match program::on_path("gdb").into_iter().next() {
            Some(debugger) => self.ask(&debugger, core, &mut found).await,
            None => {
                let note = "cannot show stacks: gdb is not in PATH";
                found.notes.push(note.to_owned());
            }
        }
        self.keep(core, &mut found);
        found
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
        let process = self.processes.spawn(Spawn {
            label: format!("gdb for {}", self.dead.server),
            program: debugger.to_owned(),
            args: gdb::args(core),
            directory: None,
            environment: Environment::Empty(Default::default()),
            stdout: Output::from(stdout),
            stderr: Output::from(stderr),
            cores: CoreLimit::AtMost(0),
        });
        let process = Owned(process.map_err(|error| error.to_string())?);
        let limit = Deadline::after(GDB_LIMIT);
        let in_time = limit.bound(process.0.exited()).await.is_some();
        if !in_time {
            // What is left of it ends with the run.
            let _ = process.0.kill_tree(KILL_LIMIT).await;
        }
        Ok(in_time)
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
fn take(from: &Path, to: &Path) -> io::Result<PathBuf> {
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

fn private(path: &Path) -> io::Result<File> {
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
