//! A suite's executable, started as a person would start it.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, Signal};
use rustix::pty::OpenptFlags;
use tempfile::TempDir;

use crate::ran::Ran;
use crate::{remains, wait};

/// A suite about to be started: in an empty directory of its own, with nothing in the environment that would change what
/// it does, and with the files of its runs in that directory.
pub struct Suite {
    command: Command,
    home: TempDir,
    token: String,
}

/// Variables of whoever runs these tests that would change what a suite does.
pub(crate) fn is_meddling(name: &str) -> bool {
    let prefixes = ["ARMADILLO_", "RUST_TEST_", "NEXTEST", "CARGO", "RUST_LOG"];
    prefixes.iter().any(|prefix| name.starts_with(prefix)) || name == "RUST_BACKTRACE"
}

impl Suite {
    /// The executable at `program`: `env!("CARGO_BIN_EXE_...")`.
    ///
    /// # Panics
    /// When there is no place for temporary files.
    #[must_use]
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let home = tempfile::tempdir().unwrap_or_else(|error| panic!("no directory: {error}"));
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let token = format!(
            "{}-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed),
            now.map_or(0, |time| time.as_nanos())
        );
        let mut command = Command::new(program);
        let meddling = std::env::vars_os().map(|(name, _)| name);
        for name in meddling.filter(|name| name.to_str().is_some_and(is_meddling)) {
            command.env_remove(name);
        }
        command
            .current_dir(home.path())
            .env("CARGO_MANIFEST_DIR", home.path())
            .env("ARMADILLO_OUTPUT_DIR", home.path().join("runs"))
            .env(remains::TOKEN, &token)
            .stdin(Stdio::null());
        Self {
            command,
            home,
            token,
        }
    }

    /// With these arguments, too.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    /// With this variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// With this file in its directory.
    ///
    /// # Panics
    /// When the file cannot be written.
    #[must_use]
    pub fn file(self, name: &str, text: &str) -> Self {
        let written = std::fs::write(self.home.path().join(name), text);
        written.unwrap_or_else(|error| panic!("{name}: {error}"));
        self
    }

    /// The same, which nobody else can read.
    ///
    /// # Panics
    /// When the file cannot be written.
    #[must_use]
    pub fn private_file(self, name: &str, text: &str) -> Self {
        let suite = self.file(name, text);
        let only_owner = std::fs::Permissions::from_mode(0o600);
        let set = std::fs::set_permissions(suite.home.path().join(name), only_owner);
        set.unwrap_or_else(|error| panic!("{name}: {error}"));
        suite
    }

    /// The empty directory it will run in.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// What tells everything it will start from what others start.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Starts it and waits for its end.
    ///
    /// # Panics
    /// When it cannot be started or does not end.
    #[must_use]
    pub fn run(self) -> Ran {
        self.start().wait()
    }

    /// Starts it.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(self) -> Running {
        // Files, not pipes: nobody has to read them, and whoever outlives the runner holds nothing up.
        let stdout = self.create("stdout");
        self.start_with_stdout(stdout)
    }

    /// Starts it with this standard output.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start_with_stdout(mut self, stdout: impl Into<Stdio>) -> Running {
        let stderr = self.create("stderr");
        self.command.stdout(stdout).stderr(stderr);
        let child = self.command.spawn();
        Running {
            child: child.unwrap_or_else(|error| panic!("{:?}: {error}", self.command)),
            home: self.home,
            token: self.token,
        }
    }

    /// Starts it with a terminal as its standard input; what is written to the file is typed there.
    ///
    /// # Panics
    /// When there is no terminal to be had, or it cannot be started.
    #[must_use]
    pub fn start_at_a_terminal(mut self) -> (Running, File) {
        let (keyboard, terminal) = terminal();
        self.command.stdin(terminal);
        (self.start(), keyboard)
    }

    fn create(&self, name: &str) -> File {
        let file = File::create(self.home.path().join(name));
        file.unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

/// A suite under way.
pub struct Running {
    child: Child,
    home: TempDir,
    token: String,
}

impl Running {
    /// The runner's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What tells everything it starts from what others start.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The directory it runs in.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The ids of its runs so far.
    #[must_use]
    pub fn runs(&self) -> Vec<String> {
        runs_in(&self.home.path().join("runs"))
    }

    /// What its runs have written to their files of this name so far.
    #[must_use]
    pub fn file(&self, name: &str) -> String {
        let runs = self.home.path().join("runs");
        let files = self.runs().into_iter().map(|run| runs.join(run).join(name));
        files.map(|path| text(&path)).collect()
    }

    /// What it has written to stdout so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        text(&self.home.path().join("stdout"))
    }

    /// What it has written to stderr so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        text(&self.home.path().join("stderr"))
    }

    /// The reading end of its standard output, if that is a pipe.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Sends a signal to the runner.
    pub fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end.
    #[must_use]
    pub fn wait(self) -> Ran {
        self.wait_within(wait::LIMIT)
    }

    /// Waits for its end for so long.
    ///
    /// # Panics
    /// When it does not end.
    #[must_use]
    pub fn wait_within(mut self, limit: Duration) -> Ran {
        let status = self.ended_within(limit);
        let status = status.unwrap_or_else(|| {
            send(self.pid(), Signal::KILL);
            // The panic tells more than an error of this would.
            let _ = self.child.wait();
            panic!("it does not end\n{}\n{}", self.stdout(), self.stderr())
        });
        Ran::new(status, self.home, self.token)
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// How it ended, if it does so in time.
    pub fn ended_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        wait::until(limit, || self.child.try_wait().ok().flatten())
    }
}

/// Both ends of a terminal: the person's, and the program's.
///
/// # Panics
/// When there is none to be had.
#[must_use]
pub fn terminal() -> (File, File) {
    let opened = || -> std::io::Result<(File, File)> {
        let person = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        rustix::pty::grantpt(&person)?;
        rustix::pty::unlockpt(&person)?;
        let name = rustix::pty::ptsname(&person, Vec::new())?;
        let name = OsStr::from_bytes(name.as_bytes());
        let program = File::options().read(true).write(true).open(name)?;
        Ok((File::from(person), program))
    };
    opened().unwrap_or_else(|error| panic!("no terminal: {error}"))
}

/// Ctrl-C for a process.
pub fn interrupt(pid: u32) {
    send(pid, Signal::INT);
}

/// The end of a process that it does not notice.
pub fn kill(pid: u32) {
    send(pid, Signal::KILL);
}

/// Sends a signal to a process; it may be gone already.
pub fn send(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // Gone is what most senders want it to be.
        let _ = rustix::process::kill_process(pid, signal);
    }
}

pub(crate) fn text(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(crate) fn runs_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let names = directories.filter_map(|entry| entry.file_name().into_string().ok());
    let mut runs: Vec<String> = names.collect();
    runs.sort();
    runs
}
