//! The few calls that only Linux has. Elsewhere they promise less: no death signal, no adoption of orphans, and a pid
//! is checked just before it is signalled instead of being held.

#[cfg(target_os = "linux")]
pub(super) use linux::{adopt_orphans, die_with_parent, handle_of, send, wait, watch};
#[cfg(not(target_os = "linux"))]
pub(super) use other::{adopt_orphans, die_with_parent, handle_of, send, wait, watch};

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::OwnedFd;

    use rustix::event::{PollFd, PollFlags, Timespec};
    use rustix::process::{Pid, PidfdFlags, Signal};

    use crate::deadline::Deadline;
    use crate::process::proc_fs;

    /// A pidfd of the process, if it is the one that started then.
    pub(in crate::process) fn handle_of(pid: u32, start_time: u64) -> Option<OwnedFd> {
        let handle = rustix::process::pidfd_open(pid_of(pid)?, PidfdFlags::empty()).ok()?;
        // Looked at after opening: what the handle refers to cannot change any more.
        (proc_fs::start_time(pid)? == start_time).then_some(handle)
    }

    /// The same, told apart from what keeps it from being made.
    pub(in crate::process) fn watch(pid: u32, start_time: u64) -> io::Result<Option<OwnedFd>> {
        let Some(id) = pid_of(pid) else {
            return Ok(None);
        };
        match rustix::process::pidfd_open(id, PidfdFlags::empty()) {
            Ok(handle) => Ok((proc_fs::start_time(pid) == Some(start_time)).then_some(handle)),
            Err(rustix::io::Errno::SRCH) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(in crate::process) fn send(handle: &OwnedFd, signal: Signal) -> rustix::io::Result<()> {
        rustix::process::pidfd_send_signal(handle, signal)
    }

    /// Waits until the process has ended, or the deadline.
    pub(in crate::process) fn wait(handle: &OwnedFd, deadline: Deadline) {
        let mut watched = [PollFd::new(handle, PollFlags::IN)];
        while !deadline.passed() {
            let Ok(left) = Timespec::try_from(deadline.left()) else {
                return;
            };
            match rustix::event::poll(&mut watched, Some(&left)) {
                Err(rustix::io::Errno::INTR) => {}
                _ => return,
            }
        }
    }

    /// In a child, before `exec`: it dies with the thread that made it.
    pub(in crate::process) fn die_with_parent(parent: Pid) -> rustix::io::Result<()> {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // The parent may have died before the call.
        if rustix::process::getppid() == Some(parent) {
            Ok(())
        } else {
            Err(rustix::io::Errno::SRCH)
        }
    }

    /// Makes this process the parent of every orphan among its descendants.
    pub(in crate::process) fn adopt_orphans() -> rustix::io::Result<()> {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
    }

    fn pid_of(pid: u32) -> Option<Pid> {
        Pid::from_raw(i32::try_from(pid).ok()?)
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::io;
    use std::os::fd::OwnedFd;

    use rustix::process::{Pid, Signal};

    use crate::deadline::Deadline;

    pub(in crate::process) fn handle_of(_pid: u32, _start_time: u64) -> Option<OwnedFd> {
        None
    }

    pub(in crate::process) fn watch(_pid: u32, _start_time: u64) -> io::Result<Option<OwnedFd>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(in crate::process) fn send(_handle: &OwnedFd, _signal: Signal) -> rustix::io::Result<()> {
        Err(rustix::io::Errno::NOSYS)
    }

    pub(in crate::process) fn wait(_handle: &OwnedFd, _deadline: Deadline) {}

    pub(in crate::process) fn die_with_parent(_parent: Pid) -> rustix::io::Result<()> {
        Ok(())
    }

    pub(in crate::process) fn adopt_orphans() -> rustix::io::Result<()> {
        Ok(())
    }
}
