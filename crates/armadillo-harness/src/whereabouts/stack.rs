//! The stack of a thread that blocks: a signal makes it take its own.
//!
//! What a signal handler may do is little, and taking a backtrace is not among it: the thread may hold the lock of the
//! allocator, or be unwinding. It then never answers, or the process dies. So only the thread of a test that has failed is
//! asked, whose process is about to be killed.

use std::backtrace::Backtrace;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// What a thread that was asked answers: who it is, and its stack.
static TAKEN: AtomicPtr<(libc::pid_t, Backtrace)> = AtomicPtr::new(std::ptr::null_mut());

/// What it then writes to. Never closed, because a thread may answer when nobody waits any more.
static TELLS: OnceLock<OwnedFd> = OnceLock::new();

/// The number of that, for the handler.
static TELLS_NUMBER: AtomicI32 = AtomicI32::new(-1);

/// One thread is asked at a time.
static ASKING: Mutex<()> = Mutex::new(());

/// The kernel's number of this thread.
pub(super) fn this_thread() -> libc::pid_t {
    // SAFETY: the call takes nothing and cannot fail.
    unsafe { libc::gettid() }
}

/// The stack of another thread of this process; `None` if it does not answer in time.
pub(super) fn of_thread(thread: libc::pid_t, limit: Duration) -> Option<Backtrace> {
    let _one = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
    let tells = tells()?;
    install().ok()?;
    // What a thread has said that was asked before.
    let _ = rustix::io::read(tells, &mut [0; 8]);
    drop(take());
    let ends = Instant::now() + limit;
    if !send(thread) {
        return None;
    }
    while becomes_readable(tells, ends.saturating_duration_since(Instant::now())) {
        let _ = rustix::io::read(tells, &mut [0; 8]);
        match take() {
            Some((of, calls)) if of == thread => return Some(calls),
            // The late answer of another one.
            _ => {}
        }
    }
    None
}

fn take() -> Option<(libc::pid_t, Backtrace)> {
    let taken = TAKEN.swap(std::ptr::null_mut(), Ordering::SeqCst);
    if taken.is_null() {
        return None;
    }
    // SAFETY: only the handler stores anything but null there, and it stores what `Box::into_raw` returned; the swap above
    // makes this the only one who has it.
    Some(*unsafe { Box::from_raw(taken) })
}

fn tells() -> Option<&'static OwnedFd> {
    if TELLS.get().is_none() {
        let made = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).ok()?;
        // Nobody else makes one: the caller holds the lock.
        let _ = TELLS.set(made);
    }
    let tells = TELLS.get()?;
    TELLS_NUMBER.store(tells.as_raw_fd(), Ordering::SeqCst);
    Some(tells)
}

/// A signal that neither the standard library, tokio nor debuggers use.
fn signal() -> libc::c_int {
    libc::SIGRTMIN() + 9
}

fn install() -> io::Result<()> {
    // SAFETY: all zeroes is a valid `sigaction`: no flags, an empty mask, the default handler.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as extern "C" fn(libc::c_int) as usize;
    // On the thread's own stack. The alternative one that the standard library gives each thread is hardly larger than what some
    // processors save there when a signal arrives, and taking a backtrace needs more.
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: `action` is initialised, and its handler is a function that lives as long as the process.
    let done = unsafe { libc::sigaction(signal(), &raw const action, std::ptr::null_mut()) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn send(thread: libc::pid_t) -> bool {
    // SAFETY: the system call takes three numbers, and a thread that is gone is an error.
    let sent = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, signal()) };
    sent == 0
}

fn becomes_readable(tells: &OwnedFd, limit: Duration) -> bool {
    let limit = Timespec::try_from(limit).unwrap_or_default();
    poll(&mut [PollFd::new(tells, PollFlags::IN)], Some(&limit)).is_ok_and(|ready| ready > 0)
}

extern "C" fn handler(_: libc::c_int) {
    let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
    let answer = Box::new((this_thread(), Backtrace::force_capture()));
    // An answer that nobody has taken is leaked: freeing it here would be one thing more that can block.
    TAKEN.store(Box::into_raw(answer), Ordering::SeqCst);
    let one = 1u64.to_ne_bytes();
    // SAFETY: the buffer is as long as is said, and the descriptor is one that is never closed.
    unsafe {
        libc::write(
            TELLS_NUMBER.load(Ordering::SeqCst),
            one.as_ptr().cast(),
            one.len(),
        )
    };
    // SAFETY: the pointer is this thread's own `errno`, which code that was interrupted may be about to read.
    unsafe { *libc::__errno_location() = errno };
}
