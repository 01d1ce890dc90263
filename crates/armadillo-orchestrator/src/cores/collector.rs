//! Programs to which the kernel passes cores, and how a core is got back from them.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::CORES_LIMIT;
use super::autopsy::{Helper, private};
use crate::deadline::Deadline;
use crate::poll::Poll;
use crate::program::on_path;

/// How long to wait until a core has been stored: the collector may compress it first.
pub(super) const COLLECT_LIMIT: Duration = Duration::from_secs(20);

/// How long `coredumpctl` may take to write a core that has been stored.
pub(super) const DUMP_LIMIT: Duration = Duration::from_secs(60);

/// How often the size of what it writes is looked at.
const SIZE_INTERVAL: Duration = Duration::from_millis(100);

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
        let mut seen = None;
        loop {
            let why = match self.ask(helper, pid, to, &mut seen).await {
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

    /// Looks once. What apport had at the last look is in `seen`.
    async fn ask(
        self,
        helper: &Helper,
        pid: u32,
        to: &Path,
        seen: &mut Option<Kept>,
    ) -> Result<PathBuf, Missing> {
        let boot = boot_id().map_err(|error| Missing::ForGood(format!("no boot id: {error}")))?;
        match self {
            Self::Systemd => dump(helper, pid, &boot, to).await,
            Self::Apport => {
                let user = rustix::process::geteuid().as_raw();
                let found = kept_by_apport(Path::new(APPORT), pid, &boot, user);
                let found = found.ok_or_else(|| {
                    Missing::SoFar(format!("there is no core of this process in {APPORT}"))
                })?;
                let path = found.path.clone();
                if !is_whole(seen, found) {
                    return Err(Missing::SoFar(format!(
                        "the core {} is still being written",
                        path.display()
                    )));
                }
                super::autopsy::take(&path, to).map_err(|error| {
                    Missing::ForGood(format!("cannot move the core {}: {error}", path.display()))
                })
            }
        }
    }
}

/// A file of apport's.
#[derive(Debug, PartialEq, Eq)]
struct Kept {
    path: PathBuf,
    /// In bytes.
    size: u64,
}

/// apport writes to the file that it gives back: it is whole when it has not grown since the last look.
fn is_whole(seen: &mut Option<Kept>, found: Kept) -> bool {
    let is_same = found.size > 0 && seen.as_ref() == Some(&found);
    *seen = Some(found);
    is_same
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
async fn dump(helper: &Helper, pid: u32, boot: &str, to: &Path) -> Result<PathBuf, Missing> {
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
    let deadline = Deadline::after(DUMP_LIMIT);
    let running = helper.run("coredumpctl", &program, args, stdout, stderr, deadline);
    // A process that nobody waits for any more is ended.
    let ended = tokio::select! {
        ended = running => Some(ended),
        () = grows_too_large(to) => None,
    };
    let words = File::open(&said).and_then(|file| {
        let mut bytes = Vec::new();
        file.take(SAID_LIMIT).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    });
    let words = words.unwrap_or_default();
    // Neither is of use any more; what cannot be deleted is in a directory of the run, private and empty.
    let _ = fs::remove_file(&said);
    let size = size_of(to);
    let failed = match ended {
        _ if size > CORES_LIMIT => Some(too_large(pid)),
        None => Some(too_large(pid)),
        Some(Ok(Some(exit))) if exit.code == Some(0) && size > 0 => return Ok(to.to_owned()),
        Some(Ok(Some(_))) => None,
        Some(Ok(None)) => Some(format!(
            "coredumpctl did not end within {DUMP_LIMIT:?}: it was writing the core of process {pid}"
        )),
        Some(Err(error)) => Some(cannot(&error)),
    };
    let _ = fs::remove_file(to);
    if let Some(why) = failed {
        return Err(Missing::ForGood(why));
    }
    let mut lines = words.lines().filter(|line| !line.trim().is_empty());
    let last = lines.next_back().unwrap_or("it printed nothing");
    let why = format!("coredumpctl has no core of process {pid}: {last}");
    match NOT_YET.iter().any(|text| words.contains(text)) {
        true => Err(Missing::SoFar(why)),
        false => Err(Missing::ForGood(why)),
    }
}

fn size_of(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |metadata| metadata.len())
}

/// Waits until the file is larger than a core may be.
async fn grows_too_large(file: &Path) {
    while size_of(file) <= CORES_LIMIT {
        tokio::time::sleep(SIZE_INTERVAL).await;
    }
}

fn too_large(pid: u32) -> String {
    let limit = CORES_LIMIT >> 30;
    format!("the core of process {pid} is larger than {limit} GiB, and was not fetched")
}

/// The newest core of a process that belongs to this user; another user could put a file of this name there.
///
/// apport's files are `core.EXECUTABLE.USER.BOOT.PID.START`; in the first word, dots are underscores.
fn kept_by_apport(directory: &Path, pid: u32, boot: &str, user: u32) -> Option<Kept> {
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
            let is_own = metadata.uid() == user;
            is_own.then_some((metadata.modified().ok()?, entry.path(), metadata.len()))
        })
        .collect();
    found.sort();
    let (_, path, size) = found.pop()?;
    Some(Kept { path, size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_of_apport_is_that_of_the_process_and_the_boot() {
        let directory = tempfile::tempdir().unwrap();
        let boot = "27d9c4a4-2f8a-4b3b-8a51-0b0e6f6f6a11";
        let name = |boot: &str, pid: u32| format!("core._opt_mydb_bin_mydb.1000.{boot}.{pid}.4711");
        let user = rustix::process::geteuid().as_raw();
        let of = |user, pid| {
            let found = kept_by_apport(directory.path(), pid, boot, user);
            found.map(|found| found.path)
        };
        let find = |pid| of(user, pid);
        assert_eq!(find(47), None);
        for (boot, pid) in [(boot, 46), (boot, 47), ("another", 48)] {
            fs::write(directory.path().join(name(boot, pid)), "core").unwrap();
        }
        assert_eq!(find(47), Some(directory.path().join(name(boot, 47))));
        assert_eq!(find(48), None);
        assert_eq!(find(7), None);
        // Somebody else's.
        assert_eq!(of(user + 1, 47), None);
    }

    #[test]
    fn a_core_is_whole_when_it_has_stopped_growing() {
        let kept = |size| Kept {
            path: "core".into(),
            size,
        };
        let mut seen = None;
        let looks = [0, 0, 4096, 8192, 8192].map(|size| is_whole(&mut seen, kept(size)));
        assert_eq!(looks, [false, false, false, false, true]);
    }

    #[test]
    fn collectors_are_known_by_their_names() {
        assert_eq!(Collector::of("systemd-coredump"), Some(Collector::Systemd));
        assert_eq!(Collector::of("apport"), Some(Collector::Apport));
        assert_eq!(Collector::of("abrt-hook-ccpp"), None);
    }
}
