//! The crash handler: log lines for a signal that ends the process, then its default action.
//!
//! arangod writes lines of topic `crash` when it receives SIGSEGV, SIGBUS, SIGILL, SIGFPE or
//! SIGABRT, and then lets the signal have its way (documentation, page "Troubleshooting arangod").
//! They look as all its lines do, JSON if that was asked for (`CrashHandler.cpp` of
//! arangodb/arangodb): what happened, and on level INFO the frames of the thread and what the process
//! used. `ARANGODB_OVERRIDE_CRASH_HANDLER=0|off|''` turns the handler off, as in arangod.
//!
//! * `line` writes lines without locks and without memory, `stack` collects frames: both work inside
//!   a signal handler;
//! * `report` is a thread that waits for a crash and writes what needs memory: the names of the frames,
//!   which `symbols` reads from the executable.

mod line;
mod report;
mod stack;
mod symbols;

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::version::imitated;
use line::{Buffer, INFO, JSON, OUTPUTS, ROLE};

const SIGNALS: [(libc::c_int, &str); 5] = [
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGABRT, "SIGABRT"),
];

/// A thread has crashed.
static CRASHED: AtomicBool = AtomicBool::new(false);

/// Tells the handler how lines look, and whether those of level INFO are written.
pub(crate) fn set_style(json: bool, role: Option<char>, info: bool) {
    JSON.store(json, Ordering::Relaxed);
    INFO.store(info, Ordering::Relaxed);
    let letter = role.and_then(|letter| u8::try_from(letter).ok());
    ROLE.store(letter.unwrap_or(0), Ordering::Relaxed);
}

/// Tells the handler where the log goes; the first four outputs are served.
pub(crate) fn set_outputs(descriptors: impl Iterator<Item = RawFd>) {
    let padded = descriptors.chain(std::iter::repeat(-1));
    for (slot, descriptor) in OUTPUTS.iter().zip(padded) {
        slot.store(descriptor, Ordering::Relaxed);
    }
}

/// Installs the handler, unless the environment forbids it.
pub(crate) fn install() {
    let wish = std::env::var("ARANGODB_OVERRIDE_CRASH_HANDLER");
    if matches!(wish.as_deref(), Ok("" | "0" | "off")) {
        return;
    }
    // Without the thread, a crash is logged without frames.
    drop(report::start());
    make_room();
    // The loader looks the unwinder's functions up at their first use, which takes more stack than a handler should.
    stack::collect();
    for (signal, _) in SIGNALS {
        // SAFETY: `action` is a valid, fully initialised `sigaction`: all-zero is a valid value of
        // this plain C structure, and `sigemptyset` initialises the mask it is given. The handler
        // has the signature that SA_SIGINFO demands and calls only async-signal-safe functions.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                on_signal;
            action.sa_sigaction = handler as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_RESETHAND | libc::SA_ONSTACK;
            libc::sigemptyset(&mut action.sa_mask);
            libc::sigaction(signal, &action, std::ptr::null_mut());
        }
    }
}

/// How much stack handlers have on the thread that serves. What the standard library gives them may be less than twice the
/// registers of the processor, which the kernel saves there.
const ROOM: usize = 128 << 10;

/// Gives handlers on this thread, which lives as long as the process, a stack of their own.
fn make_room() {
    let room = Box::leak(vec![0_u8; ROOM].into_boxed_slice());
    let stack = libc::stack_t {
        ss_sp: room.as_mut_ptr().cast(),
        ss_flags: 0,
        ss_size: room.len(),
    };
    // SAFETY: the memory is valid for reads and writes of that size, is never freed and used for nothing else; the call
    // reads `stack` and keeps no reference to it. If it fails, the stack of before is used.
    unsafe {
        libc::sigaltstack(&raw const stack, std::ptr::null_mut());
    }
}

/// The thread that crashes.
#[derive(Debug, Clone, Copy)]
struct Thread {
    id: u64,
    /// Its name, up to the first zero.
    name: [u8; 16],
}

impl Thread {
    /// This thread, in a signal handler.
    fn this() -> Self {
        let mut name = [0_u8; 16];
        #[cfg(target_os = "linux")]
        // SAFETY: with this option `prctl` writes up to 16 bytes, which the array has. It is a system call
        // without more.
        unsafe {
            libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr());
        }
        Self {
            id: u64::from(crate::logging::thread_id()),
            name,
        }
    }

    fn name(&self) -> &str {
        let name = self.name.split(|byte| *byte == 0).next();
        name.and_then(|name| std::str::from_utf8(name).ok())
            .unwrap_or("")
    }
}

extern "C" fn on_signal(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let name = SIGNALS
        .iter()
        .find(|(number, _)| *number == signal)
        .map_or("unknown", |(_, name)| name);
    // SAFETY: all-zero is a valid `timespec`; `clock_gettime` is async-signal-safe and writes only
    // into it.
    let seconds = unsafe {
        let mut now: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_REALTIME, &mut now);
        u64::try_from(now.tv_sec).unwrap_or(0)
    };
    if CRASHED.swap(true, Ordering::Relaxed) {
        // Another thread has crashed, and the process ends by that.
        wait_for_the_end();
    }
    let thread = Thread::this();
    let mut line = Buffer::new();
    line.start(seconds, "FATAL", "a7902")
        .text("\u{1f4a5} ArangoDB ");
    line.text(imitated().text)
        .text(" community [linux] (emulator), thread ");
    line.number(thread.id, 10, 1)
        .text(" [")
        .message(thread.name())
        .text("] caught unexpected signal ");
    line.number(u64::try_from(signal).unwrap_or(0), 10, 1);
    line.text(" (").text(name).text(")");
    if !info.is_null() {
        // SAFETY: with SA_SIGINFO the kernel passes a valid `siginfo_t`. Where it names an address and
        // not a sender, the bytes are an initialised number all the same.
        let (sent, sender) = unsafe { ((*info).si_code <= 0, (*info).si_pid()) };
        let sender = if sent { sender } else { 0 };
        line.text(" from pid ")
            .number(u64::try_from(sender).unwrap_or(0), 10, 1);
    }
    if matches!(signal, libc::SIGSEGV | libc::SIGBUS) && !info.is_null() {
        // SAFETY: with SA_SIGINFO the kernel passes a valid `siginfo_t`, and for these two signals
        // its address field is the one that is set.
        let address = unsafe { (*info).si_addr() };
        line.text(" accessing address 0x");
        line.number(address as u64, 16, 16);
    }
    line.text(": signal handler invoked").end();

    stack::collect();
    report::ask(seconds, &thread);

    // SAFETY: `raise` is async-signal-safe. SA_RESETHAND has restored the default action, and the
    // signal is blocked until this handler returns, so the process ends by it right afterwards.
    unsafe {
        libc::raise(signal);
    }
}

/// Waits longer than the first thread that crashed does.
fn wait_for_the_end() {
    let long = libc::timespec {
        tv_sec: 10,
        tv_nsec: 0,
    };
    // SAFETY: `nanosleep` is async-signal-safe, and reads a valid `timespec`.
    unsafe {
        libc::nanosleep(&raw const long, std::ptr::null_mut());
    }
}
