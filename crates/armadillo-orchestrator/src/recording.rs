//! Recording what servers do with `rr`, to be replayed in a debugger.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process::output_of;
use crate::program::on_path;
use crate::random;

/// The directory for recordings, beside those of the servers.
const DIRECTORY: &str = "recordings";

/// How long recording a program that does nothing may take.
const TRIAL_LIMIT: Duration = Duration::from_secs(20);

/// What records servers of some roles.
#[derive(Clone, Debug)]
pub struct Recorder {
    program: PathBuf,
    roles: BTreeSet<String>,
}

/// A command line that records a server.
pub(crate) struct Recorded {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    /// Where the recording will be.
    pub(crate) recording: PathBuf,
}

impl Recorder {
    /// For servers of these roles; `None` if there are none, or there is no `rr`.
    #[must_use]
    pub fn of(roles: &BTreeSet<String>) -> Option<Self> {
        let program = on_path("rr").into_iter().next()?;
        (!roles.is_empty()).then(|| Self {
            program,
            roles: roles.clone(),
        })
    }

    /// Whether this machine can record: a program that does nothing is recorded. It blocks, and starts a process: not for
    /// a process that has a process table.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn try_out() -> Result<(), String> {
        let Some(program) = on_path("rr").into_iter().next() else {
            return Err("rr is not in PATH".to_owned());
        };
        let name = random::hex::<8>().map_err(|error| error.to_string())?;
        let place = std::env::temp_dir().join(format!("armadillo-rr-{name}"));
        let text = place.display().to_string();
        let args = ["record", "-o", text.as_str(), "--", "/bin/true"];
        let said = output_of(&program, &args, TRIAL_LIMIT);
        // rr writes this file first, and takes the other one away when it has recorded all.
        let is_recorded = place.join("version").is_file() && !place.join("incomplete").exists();
        // It may not have come so far as to make it.
        let _ = fs::remove_dir_all(&place);
        if is_recorded {
            return Ok(());
        }
        let said = said.unwrap_or_else(|error| error.to_string());
        let first = said.lines().find(|line| !line.trim().is_empty());
        let mut why = format!(
            "rr does not work here: {}",
            first.unwrap_or("it printed nothing")
        );
        if let Some(level) = paranoid().filter(|level| *level > 1) {
            why.push_str(&format!(
                "; kernel.perf_event_paranoid is {level}, and rr needs 1 or less unless it is privileged"
            ));
        }
        Err(why)
    }

    /// Whether servers of this role are recorded.
    pub(crate) fn records(&self, role: &str) -> bool {
        self.roles.contains(role)
    }

    /// The command line that records one: a new recording of the server with this directory.
    pub(crate) fn command(
        &self,
        server: &Path,
        program: &Path,
        args: Vec<OsString>,
    ) -> io::Result<Recorded> {
        let name = server.file_name().unwrap_or_default().to_string_lossy();
        let directory = server.with_file_name(DIRECTORY);
        // A recording has what was in the memory of the server, keys included.
        let mut private = fs::DirBuilder::new();
        private.recursive(true).mode(0o700).create(&directory)?;
        let place = (1_u32..)
            .map(|number| directory.join(format!("{name}-{number}")))
            .find(|place| !place.exists())
            .unwrap_or_default();
        // The link means another program to rr.
        let program = match program.starts_with("/proc/self") {
            true => fs::read_link(program)?,
            false => program.to_owned(),
        };
        let own = [
            "record".into(),
            "-o".into(),
            place.clone().into(),
            "--".into(),
            program.into(),
        ];
        Ok(Recorded {
            program: self.program.clone(),
            args: own.into_iter().chain(args).collect(),
            recording: place,
        })
    }
}

/// How much of the processor's counters the kernel keeps from users.
fn paranoid() -> Option<i32> {
    let level = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").ok()?;
    level.trim().parse().ok()
}
