//! The crash handler: log lines for a signal that ends the process, then its default action.
//!
//! arangod writes lines of topic `crash` when it receives SIGSEGV, SIGBUS, SIGILL, SIGFPE or
//! SIGABRT, and then lets the signal have its way (documentation, page "Troubleshooting arangod").
//! They look as all its lines do, JSON if that was asked for (`CrashHandler.cpp` of
//! arangodb/arangodb). Those lines name frames; the emulator writes none, as it cannot walk its stack
//! inside a signal handler. `ARANGODB_OVERRIDE_CRASH_HANDLER=0|off|''` turns the handler off, as in
//! arangod.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering};

use crate::logging::civil;
use crate::version::VERSION;

const SIGNALS: [(libc::c_int, &str); 5] = [
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGABRT, "SIGABRT"),
];

/// The descriptors of the log, or -1. The handler can read nothing that needs a lock.
static OUTPUTS: [AtomicI32; 4] = [const { AtomicI32::new(-1) }; 4];

/// Whether lines are JSON.
static JSON: AtomicBool = AtomicBool::new(false);
/// Whether lines of level INFO are written.
static INFO: AtomicBool = AtomicBool::new(true);
/// The letter of the role, if lines have it.
static ROLE: AtomicU8 = AtomicU8::new(0);

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

/// A line in a buffer of fixed size; what does not fit is cut off.
struct Buffer {
    bytes: [u8; 768],
    len: usize,
}

impl Buffer {
    fn new() -> Self {
        Self {
            bytes: [0; 768],
            len: 0,
        }
    }

    fn text(&mut self, text: &str) -> &mut Self {
        for byte in text.bytes() {
            if let Some(slot) = self.bytes.get_mut(self.len) {
                *slot = byte;
                self.len += 1;
            }
        }
        self
    }

    fn number(&mut self, number: u64, radix: u64, width: usize) -> &mut Self {
        let mut digits = [b'0'; 20];
        let mut rest = number;
        let mut used = 0;
        for slot in digits.iter_mut().rev() {
            if rest == 0 && used >= width.max(1) {
                break;
            }
            *slot = b"0123456789abcdef"[(rest % radix) as usize];
            rest /= radix;
            used += 1;
        }
        let start = digits.len() - used;
        for digit in &digits[start..] {
            if let Some(slot) = self.bytes.get_mut(self.len) {
                *slot = *digit;
                self.len += 1;
            }
        }
        self
    }

    fn letter(&mut self, letter: u8) -> &mut Self {
        let letters = [letter];
        self.text(std::str::from_utf8(&letters).unwrap_or(""))
    }

    fn time(&mut self, seconds: u64) -> &mut Self {
        let (year, month, day) = civil(seconds / 86_400);
        let rest = seconds % 86_400;
        self.number(year, 10, 4).text("-").number(month, 10, 2);
        self.text("-").number(day, 10, 2).text("T");
        self.number(rest / 3600, 10, 2).text(":");
        self.number(rest / 60 % 60, 10, 2).text(":");
        self.number(rest % 60, 10, 2).text("Z")
    }

    /// Everything in front of the message.
    fn start(&mut self, seconds: u64, level: &str, id: &str) -> &mut Self {
        let pid = u64::from(std::process::id());
        let role = ROLE.load(Ordering::Relaxed);
        if JSON.load(Ordering::Relaxed) {
            self.text("{\"time\":\"")
                .time(seconds)
                .text("\",\"pid\":")
                .number(pid, 10, 1);
            if role != 0 {
                self.text(",\"role\":\"").letter(role).text("\"");
            }
            self.text(",\"level\":\"").text(level);
            self.text("\",\"topic\":\"crash\",\"id\":\"").text(id);
            return self.text("\",\"message\":\"");
        }
        self.time(seconds).text(" [").number(pid, 10, 1).text("] ");
        if role != 0 {
            self.letter(role).text(" ");
        }
        self.text(level).text(" [").text(id).text("] {crash} ")
    }

    /// Ends the line and writes it. Nothing in a message needs an escape.
    fn end(&mut self) {
        if JSON.load(Ordering::Relaxed) {
            self.text("\"}");
        }
        self.text("\n").write();
    }

    fn write(&self) {
        for slot in &OUTPUTS {
            let descriptor = slot.load(Ordering::Relaxed);
            if descriptor >= 0 {
                // SAFETY: `write` is async-signal-safe; pointer and length describe the
                // initialised front part of `bytes`, which outlives the call. A descriptor that
                // was closed meanwhile makes the call fail, which is of no consequence.
                unsafe {
                    libc::write(descriptor, self.bytes.as_ptr().cast(), self.len);
                }
            }
        }
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
    let pid = u64::from(std::process::id());
    let mut line = Buffer::new();
    line.start(seconds, "FATAL", "a7902")
        .text("\u{1f4a5} ArangoDB ");
    line.text(VERSION)
        .text(" community [linux] (emulator), thread ");
    line.number(pid, 10, 1)
        .text(" [main] caught unexpected signal ");
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

    let mut hello = Buffer::new();
    hello.start(seconds, "FATAL", "a7903");
    hello
        .text("the crash handler of the emulator has no thread of its own")
        .end();

    if INFO.load(Ordering::Relaxed) {
        let mut last = Buffer::new();
        last.start(seconds, "INFO", "ded81");
        last.text("the emulator walks no stack: no frames and no memory figures")
            .end();
    }

    // SAFETY: `raise` is async-signal-safe. SA_RESETHAND has restored the default action, and the
    // signal is blocked until this handler returns, so the process ends by it right afterwards.
    unsafe {
        libc::raise(signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_without_an_allocator() {
        let mut line = Buffer::new();
        line.start(1_735_725_600, "FATAL", "a7902");
        line.number(0xbeef, 16, 8).text(" ").number(0, 10, 1);
        let text = std::str::from_utf8(&line.bytes[..line.len]).unwrap();
        let pid = std::process::id();
        assert_eq!(
            text,
            format!("2025-01-01T10:00:00Z [{pid}] FATAL [a7902] {{crash}} 0000beef 0")
        );
        line.text(&"x".repeat(1000));
        assert_eq!(line.len, 768);
    }
}
