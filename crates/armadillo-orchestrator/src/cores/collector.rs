//! Programs to which the kernel passes cores, and how a core is got back from them.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::autopsy::{Helper, private};
use crate::deadline::Deadline;
use crate::poll::Poll;
use crate::program::on_path;

/// How long it is waited until a core has been stored: they are compressed first.
pub(super) const COLLECT_LIMIT: Duration = Duration::from_secs(20);

/// Where apport puts the cores of programs that no package has installed.
const APPORT: &str = "/var/lib/apport/coredump";

/// As much as is read of what `coredumpctl` says, in bytes.
const SAID_LIMIT: u64 = 64 << 10;

/// What `coredumpctl` says, by its version, of a process whose core has not been stored (yet).
const NOT_YET: [&str; 3] = [
    "No match found",
    "No coredumps found",
    "No journal files were found",
];

/// A program that keeps cores and gives them back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collector {
    /// systemd-coredump, asked with `coredumpctl`.
    Systemd,
    /// apport, which leaves files.
    Apport,
}

impl Collector {
    /// The one behind this name of a program.
    pub(super) fn of(name: &str) -> Option<Self> {
        if name.contains("systemd-coredump") {
            Some(Self::Systemd)
        } else if name.contains("apport") {
            Some(Self::Apport)
        } else {
            None
        }
    }

    /// Whether cores can be got back here.
    ///
    /// # Errors
    /// Why they cannot.
    pub fn check(self) -> Result<(), &'static str> {
        match self {
            Self::Systemd if on_path("coredumpctl").is_empty() => Err("coredumpctl is not in PATH"),
            Self::Systemd | Self::Apport => Ok(()),
        }
    }

    /// The core of a process, in a file that only its owner can read: `to`, or where the collector keeps it.
    pub(super) async fn fetch(
        self,
        helper: &Helper,
        pid: u32,
        to: &Path,
    ) -> Result<PathBuf, String> {
        self.check()?;
        let deadline = Deadline::after(COLLECT_LIMIT);
        let mut poll = Poll::new(Duration::from_millis(50), Duration::from_secs(1));
        loop {
            let why = match self.ask(helper, pid, to, deadline).await {
                Ok(core) => return Ok(core),
                Err(Missing::ForGood(why)) => return Err(why),
                Err(Missing::SoFar(why)) => why,
            };
            if deadline.passed() {
                return Err(format!("{why} (after {COLLECT_LIMIT:?})"));
            }
            poll.pause(deadline).await;
        }
    }

    async fn ask(
        self,
        helper: &Helper,
        pid: u32,
        to: &Path,
        deadline: Deadline,
    ) -> Result<PathBuf, Missing> {
        let boot = boot_id().map_err(|error| Missing::ForGood(format!("no boot id: {error}")))?;
        match self {
            Self::Systemd => dump(helper, pid, &boot, to, deadline).await,
            Self::Apport => {
                let found = kept_by_apport(Path::new(APPORT), pid, &boot);
                let found = found.ok_or_else(|| {
                    Missing::SoFar(format!("there is no core of this process in {APPORT}"))
                })?;
                super::autopsy::take(&found, to).map_err(|error| {
                    Missing::ForGood(format!("cannot move the core {}: {error}", found.display()))
                })
            }
        }
    }
}

/// Why there is no core.
enum Missing {
    /// It may be there later.
    SoFar(String),
    ForGood(String),
}

/// This run of the kernel: process ids begin again with each.
fn boot_id() -> io::Result<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    Ok(id.trim().to_owned())
}

/// Has `coredumpctl` write a core. It writes to a file that is made for it: one of its own could be read by others.
async fn dump(
    helper: &Helper,
    pid: u32,
    boot: &str,
    to: &Path,
    deadline: Deadline,
) -> Result<PathBuf, Missing> {
    let cannot = |what: &str| format!("cannot run coredumpctl: {what}");
    let program = on_path("coredumpctl").into_iter().next();
    let program = program.ok_or_else(|| Missing::ForGood(cannot("it is gone")))?;
    let said = to.with_extension("coredumpctl");
    let files = private(to).and_then(|core| Ok((core, private(&said)?)));
    let (stdout, stderr) = files.map_err(|error| Missing::ForGood(cannot(&error.to_string())))?;
    let args = [
        "--no-pager".to_owned(),
        "dump".to_owned(),
        pid.to_string(),
        format!("_BOOT_ID={}", boot.replace('-', "")),
    ];
    let args = args.into_iter().map(Into::into).collect();
    let ended = helper.run("coredumpctl", &program, args, stdout, stderr, deadline);
    let ended = ended.await;
    let words = File::open(&said).and_then(|file| {
        let mut bytes = Vec::new();
        file.take(SAID_LIMIT).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    });
    let words = words.unwrap_or_default();
    // Neither is of use any more; what cannot be deleted is in a directory of the run, private and empty.
    let _ = fs::remove_file(&said);
    let is_written = fs::metadata(to).is_ok_and(|metadata| metadata.len() > 0);
    match ended {
        Ok(Some(exit)) if exit.code == Some(0) && is_written => return Ok(to.to_owned()),
        Ok(_) => {}
        Err(error) => return Err(Missing::ForGood(cannot(&error))),
    }
    let _ = fs::remove_file(to);
    let mut lines = words.lines().filter(|line| !line.trim().is_empty());
    let last = lines.next_back().unwrap_or("it printed nothing");
    let why = format!("coredumpctl has no core of process {pid}: {last}");
    match NOT_YET.iter().any(|text| words.contains(text)) {
        true => Err(Missing::SoFar(why)),
        false => Err(Missing::ForGood(why)),
    }
}

/// apport's files are `core.EXECUTABLE.USER.BOOT.PID.START`; in the first word, dots are underscores.
fn kept_by_apport(directory: &Path, pid: u32, boot: &str) -> Option<PathBuf> {
    let middle = format!(".{boot}.{pid}.");
    let entries = fs::read_dir(directory).ok()?.filter_map(Result::ok);
    let mut found: Vec<_> = entries
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let start = name
                .strip_prefix("core.")
                .and_then(|rest| rest.split_once(&middle));
            start.is_some_and(|(_, start)| start.parse::<u64>().is_ok())
        })
        .filter_map(|entry| {
            let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            Some((metadata.modified().ok()?, entry.path()))
        })
        .collect();
    found.sort();
    found.pop().map(|(_, path)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_of_apport_is_that_of_the_process_and_the_boot() {
        let directory = tempfile::tempdir().unwrap();
        let boot = "27d9c4a4-2f8a-4b3b-8a51-0b0e6f6f6a11";
        let name = |boot: &str, pid: u32| format!("core._opt_mydb_bin_mydb.1000.{boot}.{pid}.4711");
        let find = |pid| kept_by_apport(directory.path(), pid, boot);
        assert_eq!(find(47), None);
        for (boot, pid) in [(boot, 46), (boot, 47), ("another", 48)] {
            fs::write(directory.path().join(name(boot, pid)), "core").unwrap();
        }
        assert_eq!(find(47), Some(directory.path().join(name(boot, 47))));
        assert_eq!(find(48), None);
        assert_eq!(find(7), None);
    }

    #[test]
    fn collectors_are_known_by_their_names() {
        assert_eq!(Collector::of("systemd-coredump"), Some(Collector::Systemd));
        assert_eq!(Collector::of("apport"), Some(Collector::Apport));
        assert_eq!(Collector::of("abrt-hook-ccpp"), None);
    }
}
