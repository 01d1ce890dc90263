//! The thread that waits for a crash. It writes what a signal handler cannot, as arangod's own does.

use std::io::{PipeReader, Read, pipe};
use std::os::fd::IntoRawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::time::Duration;

use super::Thread;
use super::line::{Buffer, INFO};
use super::stack;
use super::symbols::{Frame, Place, resolve};

use crate::system;

/// So long the thread that crashes waits for the lines. It may hold a lock that they need.
const LIMIT: Duration = Duration::from_secs(5);
static PAUSE: libc::timespec = libc::timespec {
    tv_sec: 0,
    tv_nsec: 1_000_000,
};

/// Where a byte wakes the thread, or -1.
static WAKE: AtomicI32 = AtomicI32::new(-1);
static DONE: AtomicBool = AtomicBool::new(false);
static SECONDS: AtomicU64 = AtomicU64::new(0);
static THREAD: AtomicU64 = AtomicU64::new(0);
static NAME: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// Starts the thread. Without it, a crash is logged without frames.
pub(super) fn start() -> std::io::Result<()> {
    let (reader, writer) = pipe()?;
    let thread = std::thread::Builder::new().name(String::from("CrashHandler"));
    thread.spawn(move || wait(reader))?;
    WAKE.store(writer.into_raw_fd(), Ordering::Relaxed);
    Ok(())
}

fn wait(mut reader: PipeReader) {
    // SAFETY: `sigfillset` initialises the set it is given, and `pthread_sigmask` reads it.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
    }
    if reader.read_exact(&mut [0]).is_ok() {
        report();
        DONE.store(true, Ordering::Release);
    }
}

/// Has the thread write its lines, in a signal handler.
pub(super) fn ask(seconds: u64, thread: &Thread) {
    let wake = WAKE.load(Ordering::Relaxed);
    if wake < 0 {
        return;
    }
    SECONDS.store(seconds, Ordering::Relaxed);
    THREAD.store(thread.id, Ordering::Relaxed);
    for (slot, half) in NAME.iter().zip(thread.name.as_chunks::<8>().0) {
        slot.store(u64::from_ne_bytes(*half), Ordering::Relaxed);
    }
    let byte = 0_u8;
    // SAFETY: `write` is async-signal-safe; the pointer is to one initialised byte.
    let written = unsafe { libc::write(wake, (&raw const byte).cast(), 1) };
    if written != 1 {
        return;
    }
    for _ in 0..LIMIT.as_millis() {
        if DONE.load(Ordering::Acquire) {
            return;
        }
        // SAFETY: `nanosleep` is async-signal-safe, and reads a valid `timespec`.
        unsafe {
            libc::nanosleep(&raw const PAUSE, std::ptr::null_mut());
        }
    }
}

fn report() {
    let seconds = SECONDS.load(Ordering::Relaxed);
    let write = |level: &str, id: &str, text: &str| {
        Buffer::new().start(seconds, level, id).message(text).end();
    };
    let text = "this is the dedicated crash handler thread of the emulator";
    write("FATAL", "a7903", text);
    if !INFO.load(Ordering::Relaxed) {
        return;
    }
    let usage = system::usage().unwrap_or_default();
    let text = format!(
        "available physical memory: {}, rss usage: {}, vsz usage: {}, threads: {}",
        system::physical_memory(),
        usage.resident_bytes,
        usage.virtual_bytes,
        usage.threads,
    );
    write("INFO", "ded81", &text);
    let halves = NAME.each_ref().map(|half| half.load(Ordering::Relaxed));
    let thread = Thread {
        id: THREAD.load(Ordering::Relaxed),
        name: *halves
            .map(u64::to_ne_bytes)
            .as_flattened()
            .as_array()
            .unwrap_or(&[0; 16]),
    };
    let text = format!("Backtrace of thread {} [{}]", thread.id, thread.name());
    write("INFO", "c962b", &text);
    let (addresses, cut) = stack::collected();
    for (number, frame) in (1..).zip(resolve(&addresses)) {
        write(
            "INFO",
            "308c3",
            &format!("frame {number:>2} {}", shown(&frame)),
        );
    }
    if cut {
        let text = format!(
            "..reached maximum frame display depth ({}). stopping backtrace",
            stack::MOST
        );
        write("INFO", "bbb04", &text);
    }
}

fn shown(frame: &Frame) -> String {
    let place = match frame.place {
        Place::InExecutable(offset) => format!("[+0x{offset:016x}]"),
        Place::Elsewhere(address) => format!("[$0x{address:016x}]"),
    };
    match &frame.function {
        Some((name, offset)) => format!("{place} {name} (+0x{offset:016x})"),
        None => format!("{place} *no symbol name available for this frame"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_as_arangod_writes_them() {
        let frame = |place, function: Option<(&str, usize)>| Frame {
            place,
            function: function.map(|(name, offset)| (String::from(name), offset)),
        };
        let own = frame(Place::InExecutable(0xd3f970), Some(("main::run", 28)));
        assert_eq!(
            shown(&own),
            "[+0x0000000000d3f970] main::run (+0x000000000000001c)"
        );
        let other = frame(Place::Elsewhere(0xffff), None);
        assert_eq!(
            shown(&other),
            "[$0x000000000000ffff] *no symbol name available for this frame"
        );
    }
}
