//! What `/proc` says of a process. Where there is no `/proc`, it says nothing.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Set in a process's flags as soon as it begins to end, before its files are closed; the same in every Linux.
const PF_EXITING: u32 = 0x4;

/// A process as `/proc/<pid>/stat` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Its id.
    pub pid: u32,
    /// The name of its program, cut to 15 characters.
    pub name: String,
    /// Its state as one letter: `R` runs, `S` and `D` sleep, `T` is stopped, `Z` is a zombie.
    pub state: char,
    /// Its parent.
    pub parent: u32,
    /// Its session; 0 for one whose leader is outside this process's pid namespace, as in some containers.
    pub session: u32,
    /// When it started, in clock ticks since boot: with the pid, this names a process for ever.
    pub start_time: u64,
    /// CPU time used so far, in clock ticks (a hundredth of a second on every Linux there is).
    pub cpu_ticks: u64,
    /// Resident memory, in KiB.
    pub rss_kib: u64,
}

impl Stat {
    /// Whether it has ended and only waits to be reaped.
    #[must_use]
    pub fn is_zombie(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }
}

/// The process of that id; `None` if there is none.
#[must_use]
pub fn stat(pid: u32) -> Option<Stat> {
    parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// Whether the process of that id is on its way out, or gone: its connections break before its parent is told.
#[must_use]
pub fn is_ending(pid: u32) -> bool {
    let line = fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line);
    let rest = line.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next().unwrap_or("Z");
    let flags = fields.nth(5).and_then(|flags| flags.parse::<u32>().ok());
    matches!(state, "Z" | "X") || flags.is_some_and(|flags| flags & PF_EXITING != 0)
}

/// What a process uses, as `/proc` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// CPU time used so far.
    pub cpu: Duration,
    /// Resident memory, in bytes.
    pub memory_bytes: u64,
    /// Its threads.
    pub threads: usize,
    /// The file descriptors it has open; 0 if they cannot be counted.
    pub descriptors: usize,
}

/// What the process of that id uses; `None` if there is none.
#[must_use]
pub fn usage(pid: u32) -> Option<Usage> {
    let stat = stat(pid)?;
    let entries = |directory: &str| {
        let entries = fs::read_dir(format!("/proc/{pid}/{directory}"));
        entries.map_or(0, Iterator::count)
    };
    Some(Usage {
        cpu: Duration::from_millis(stat.cpu_ticks * 10),
        memory_bytes: stat.rss_kib * 1024,
        threads: entries("task"),
        descriptors: entries("fd"),
    })
}

/// How long the process of that id has run; `None` if there is none.
#[must_use]
pub fn age(pid: u32) -> Option<Duration> {
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let uptime: f64 = uptime.split_ascii_whitespace().next()?.parse().ok()?;
    let since_boot = Duration::try_from_secs_f64(uptime).ok()?;
    let started = Duration::from_millis(start_time(pid)? * 10);
    Some(since_boot.saturating_sub(started))
}

/// The file of the program that the process of that id runs; `None` if there is none, or if it may not be known.
#[must_use]
pub fn executable(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// The working directory of the process of that id; `None` if there is none, or if it may not be known.
#[must_use]
pub fn working_directory(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/cwd")).ok()
}

/// The arguments of the process of that id, its program's name first; what is not UTF-8 is replaced. `None` if there is none.
#[must_use]
pub fn arguments(pid: u32) -> Option<Vec<String>> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let line = line.strip_suffix(&[0]).unwrap_or(&line);
    let words = line.split(|byte| *byte == 0);
    Some(
        words
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect(),
    )
}

/// When the process of that id started; `None` if there is none.
#[must_use]
pub fn start_time(pid: u32) -> Option<u64> {
    stat(pid).map(|stat| stat.start_time)
}

/// Every process that can be seen, in the order of their ids.
#[must_use]
pub fn all() -> Vec<Stat> {
    let mut found: Vec<Stat> = numbers_in("/proc").into_iter().filter_map(stat).collect();
    found.sort_by_key(|stat| stat.pid);
    found
}

/// The states of all threads of a process, as letters; empty if it is gone.
#[must_use]
pub fn thread_states(pid: u32) -> Vec<char> {
    let directory = format!("/proc/{pid}/task");
    numbers_in(&directory)
        .into_iter()
        .filter_map(|thread| fs::read(format!("{directory}/{thread}/stat")).ok())
        .filter_map(|line| parse(&line))
        .map(|stat| stat.state)
        .collect()
}

/// Whether the environment the process was started with has exactly this entry: `NAME=value`.
#[must_use]
pub fn has_environment(pid: u32, entry: &str) -> bool {
    fs::read(format!("/proc/{pid}/environ")).is_ok_and(|bytes| {
        bytes
            .split(|byte| *byte == 0)
            .any(|known| known == entry.as_bytes())
    })
}

/// How long a thread of the process may run with real-time priority without a pause, in microseconds: the soft limit, as it
/// is inherited. `None` if there is no limit.
#[must_use]
pub fn real_time_limit(pid: u32) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let mut lines = limits.lines();
    let limit = lines.find_map(|line| line.strip_prefix("Max realtime timeout"))?;
    limit.split_ascii_whitespace().next()?.parse().ok()
}

/// The inodes of the sockets a process has open.
///
/// # Errors
/// When its descriptors cannot be listed: it is gone, or it is somebody else's.
pub fn socket_inodes(pid: u32) -> io::Result<Vec<u64>> {
    let mut inodes = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
        let Ok(target) = entry.and_then(|entry| fs::read_link(entry.path())) else {
            continue;
        };
        let inode = target
            .to_str()
            .and_then(|target| target.strip_prefix("socket:[")?.strip_suffix(']'))
            .and_then(|inode| inode.parse::<u64>().ok());
        inodes.extend(inode);
    }
    Ok(inodes)
}

/// The children of this very process, dead or alive.
#[must_use]
pub fn own_children() -> Vec<Stat> {
    children(std::process::id())
}

/// The children of a process, dead or alive. Those of a process that is starting some may not be complete.
#[must_use]
pub fn children(own: u32) -> Vec<Stat> {
    children_that(own, |_| true)
}

/// The same, of those with the ids that are wanted.
pub(super) fn children_that(own: u32, is_wanted: impl Fn(u32) -> bool) -> Vec<Stat> {
    let mut listed = Vec::new();
    let threads = format!("/proc/{own}/task");
    for thread in numbers_in(&threads) {
        match fs::read_to_string(format!("{threads}/{thread}/children")) {
            Ok(text) => listed.extend(
                text.split_ascii_whitespace()
                    .filter_map(|pid| pid.parse::<u32>().ok()),
            ),
            // A thread that ended meanwhile, or a kernel without the file.
            Err(_) => {
                return all()
                    .into_iter()
                    .filter(|stat| stat.parent == own && is_wanted(stat.pid))
                    .collect();
            }
        }
    }
    listed
        .into_iter()
        .filter(|pid| is_wanted(*pid))
        .filter_map(stat)
        .filter(|stat| stat.parent == own)
        .collect()
}

/// The names in a directory that are numbers.
fn numbers_in(directory: &str) -> Vec<u32> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect()
}

/// The size of a page of memory, in bytes.
fn page_size() -> Option<u64> {
    // SAFETY: `sysconf` takes a number and touches no memory of ours.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()
}

/// Reads `pid (name) state parent ...`; the name may contain spaces and parentheses.
fn parse(line: &[u8]) -> Option<Stat> {
    let line = String::from_utf8_lossy(line);
    let (pid, rest) = line.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    // `fields[0]` is field 3 of proc(5): state.
    Some(Stat {
        pid: pid.parse::<u32>().ok()?,
        name: name.to_owned(),
        state: fields.first()?.chars().next()?,
        parent: u32::try_from(number(1)?).ok()?,
        session: u32::try_from(number(3)?).ok()?,
        cpu_ticks: number(11)? + number(12)?,
        start_time: number(19)?,
        rss_kib: number(21)? * (page_size()? / 1024),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_is_read() {
        let line = b"42 (a) b (c) T 7 42 41 0 -1 4194560 1 2 3 4 50 6 7 8 20 0 1 0 123456 1000 25 18446744073709551615";
        let stat = parse(line).unwrap();
        assert_eq!(
            (stat.pid, stat.name.as_str(), stat.state),
            (42, "a) b (c", 'T')
        );
        assert_eq!(
            (stat.parent, stat.session, stat.start_time, stat.cpu_ticks),
            (7, 41, 123_456, 56)
        );
        assert!(parse(b"42 (cut").is_none());
        assert!(is_ending(u32::MAX) && !is_ending(std::process::id()));
    }

    #[test]
    fn this_process_is_found() {
        let own = stat(std::process::id()).unwrap();
        assert!(
            all()
                .iter()
                .any(|stat| stat.pid == own.pid && stat.start_time == own.start_time)
        );
        assert!(own.rss_kib > 0 && !own.is_zombie());
        assert!(!thread_states(own.pid).is_empty());
        // The same, if both were started in one tick of the clock.
        assert!(age(own.pid).unwrap() <= age(own.parent).unwrap_or(Duration::MAX));
        let usage = usage(own.pid).unwrap();
        assert!(usage.threads > 0 && usage.descriptors > 2 && usage.memory_bytes > 0);
    }
}
