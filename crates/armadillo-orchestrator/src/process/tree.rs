//! Process trees: whoever descends from a process, however often it daemonised itself.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::process::Signal;

use super::mark::Mark;
use super::os;
use super::proc_fs::{self, Stat};
use crate::deadline::Deadline;

/// What a [`kill_descendants`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Killed {
    /// The processes that were killed, by id and name.
    pub killed: BTreeMap<u32, String>,
    /// Those that were still alive at the deadline.
    pub left: Vec<u32>,
}

/// The living descendants of `root` (children, their children, ...), without itself. Zombies are not counted, but
/// their children are.
#[must_use]
pub fn descendants(root: u32) -> Vec<Stat> {
    below(&proc_fs::all(), root, &[])
}

/// Kills every descendant of `root` until none is left.
/// `except` are spared, and whatever descends from them. It blocks; `root` itself is left alone.
#[must_use]
pub fn kill_descendants(root: u32, except: &[u32], deadline: impl Into<Deadline>) -> Killed {
    kill_until_none(|| below(&proc_fs::all(), root, except), deadline.into())
}

/// Makes this process the parent of every orphan among its descendants, as far as the system can do that.
pub fn adopt_orphans() {
    // Where it cannot, orphans go elsewhere, as they do without it.
    let _ = os::adopt_orphans();
}

/// Kills the children of this process that are `ours` with all that descends from them, until none is left: orphans that it
/// has adopted among them. It blocks.
pub fn kill_children(ours: impl Fn(&Stat) -> bool, deadline: impl Into<Deadline>) -> Killed {
    let living = || {
        let children = proc_fs::own_children();
        let roots = children
            .into_iter()
            .filter(|stat| !stat.is_zombie() && ours(stat));
        let mut living: Vec<Stat> = roots.collect();
        if !living.is_empty() {
            let snapshot = proc_fs::all();
            let below = living
                .iter()
                .flat_map(|root| below(&snapshot, root.pid, &[]));
            let below: Vec<Stat> = below.collect();
            living.extend(below);
        }
        living
    };
    kill_until_none(living, deadline.into())
}

/// Kills what is found again and again until nothing is, for processes may start others while they are being killed.
fn kill_until_none(find: impl Fn() -> Vec<Stat>, deadline: Deadline) -> Killed {
    let mut killed = BTreeMap::new();
    loop {
        let living = find();
        if living.is_empty() || deadline.passed() {
            let left = living.iter().map(|stat| stat.pid).collect();
            return Killed { killed, left };
        }
        let dying = kill_all(&living);
        if dying.is_empty() {
            nap();
        } else {
            killed.extend(living.into_iter().map(|stat| (stat.pid, stat.name)));
            wait_for_death(&dying, deadline.within(Duration::from_millis(100)));
        }
    }
}

/// Waits until the process that started then has ended. It blocks.
pub fn wait_for_end(pid: u32, start_time: u64, deadline: impl Into<Deadline>) {
    if let Some(handle) = os::handle_of(pid, start_time) {
        os::wait(&handle, deadline.into());
    }
}

/// What becomes readable when the process of that id ends, if it is the one that started then; `None` if it has ended.
///
/// # Errors
/// When the operating system cannot watch it.
pub fn watch_end(pid: u32, start_time: u64) -> io::Result<Option<OwnedFd>> {
    if proc_fs::start_time(pid) != Some(start_time) {
        return Ok(None);
    }
    os::watch(pid, start_time)
}

/// The living processes that have the mark of a run, this process excepted.
#[must_use]
pub fn marked(run_id: &str) -> Vec<Stat> {
    let mark = Mark::of(run_id);
    let own = std::process::id();
    proc_fs::all()
        .into_iter()
        .filter(|stat| stat.pid != own && !stat.is_zombie())
        .filter(|stat| mark.is_on(stat.pid))
        .collect()
}

/// Kills one process if it is still the one that started then, and waits until it is dead. Returns whether it was there
/// to be killed.
#[must_use]
pub fn kill_exactly(pid: u32, start_time: u64, deadline: impl Into<Deadline>) -> bool {
    match os::handle_of(pid, start_time) {
        Some(handle) => {
            let sent = os::send(&handle, Signal::KILL).is_ok();
            wait_for_death(&[handle], deadline.into());
            sent
        }
        None => false,
    }
}

/// Sends SIGKILL to each, if it is still the process that was seen. The handles become readable when they are dead.
pub(super) fn kill_all(processes: &[Stat]) -> Vec<OwnedFd> {
    send_all(processes, Signal::KILL)
}

/// Sends a signal to each, if it is still the process that was seen.
pub(super) fn send_all(processes: &[Stat], signal: Signal) -> Vec<OwnedFd> {
    processes
        .iter()
        .filter_map(|stat| {
            let handle = os::handle_of(stat.pid, stat.start_time)?;
            os::send(&handle, signal).ok()?;
            Some(handle)
        })
        .collect()
}

fn wait_for_death(handles: &[OwnedFd], deadline: Deadline) {
    for handle in handles {
        os::wait(handle, deadline);
    }
}

/// Lets a moment pass before the next look.
#[expect(
    clippy::disallowed_methods,
    reason = "the processes seen vanished by themselves or cannot be signalled; nothing announces the next change"
)]
fn nap() {
    std::thread::sleep(Duration::from_millis(1));
}

/// The living processes below `root` in a snapshot.
pub(super) fn below(snapshot: &[Stat], root: u32, except: &[u32]) -> Vec<Stat> {
    let mut children: BTreeMap<u32, Vec<&Stat>> = BTreeMap::new();
    for stat in snapshot {
        children.entry(stat.parent).or_default().push(stat);
    }
    let mut found = Vec::new();
    let mut seen = BTreeSet::from([root]);
    let mut open = vec![root];
    while let Some(parent) = open.pop() {
        for stat in children.get(&parent).into_iter().flatten() {
            // A snapshot is not taken in one moment: with pids reused meanwhile it may even contain a circle.
            if except.contains(&stat.pid) || !seen.insert(stat.pid) {
                continue;
            }
            open.push(stat.pid);
            if !stat.is_zombie() {
                found.push((*stat).clone());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, parent: u32, state: char) -> Stat {
        Stat {
            pid,
            name: String::new(),
            state,
            parent,
            session: parent,
            start_time: 0,
            cpu_ticks: 0,
            rss_kib: 0,
        }
    }

    fn pids(found: &[Stat]) -> BTreeSet<u32> {
        found.iter().map(|stat| stat.pid).collect()
    }

    #[test]
    fn zombies_are_not_counted_but_their_children_are() {
        let snapshot = [
            process(1, 0, 'S'),
            process(10, 1, 'S'),
            process(11, 10, 'Z'),
            process(12, 11, 'S'),
            process(13, 10, 'S'),
            process(14, 13, 'S'),
            process(20, 1, 'S'),
        ];
        assert_eq!(pids(&below(&snapshot, 10, &[])), [12, 13, 14].into());
        assert_eq!(pids(&below(&snapshot, 10, &[13])), [12].into());
    }

    #[test]
    fn a_circle_in_a_torn_snapshot_ends() {
        let snapshot = [process(10, 11, 'S'), process(11, 10, 'S')];
        assert_eq!(pids(&below(&snapshot, 10, &[])), [11].into());
    }
}
