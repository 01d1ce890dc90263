//! Lines of the log that are written without locks and without memory: in a signal handler nobody knows
//! who holds a lock, or whether the heap is whole.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering};

use crate::logging::civil;

/// The descriptors of the log, or -1. The handler can read nothing that needs a lock.
pub(super) static OUTPUTS: [AtomicI32; 4] = [const { AtomicI32::new(-1) }; 4];

/// Whether lines are JSON.
pub(super) static JSON: AtomicBool = AtomicBool::new(false);
/// Whether lines of level INFO are written.
pub(super) static INFO: AtomicBool = AtomicBool::new(true);
/// The letter of the role, if lines have it.
pub(super) static ROLE: AtomicU8 = AtomicU8::new(0);

const SIZE: usize = 1024;
/// What ends a line has its place behind this.
const ROOM: usize = SIZE - 4;

/// A line in a buffer of fixed size; what does not fit is left out.
pub(super) struct Buffer {
    bytes: [u8; SIZE],
    len: usize,
}

impl Buffer {
    pub(super) fn new() -> Self {
        Self {
            bytes: [0; SIZE],
            len: 0,
        }
    }

    fn push(&mut self, bytes: &[u8], limit: usize) {
        let end = self.len + bytes.len();
        if end <= limit {
            self.bytes[self.len..end].copy_from_slice(bytes);
            self.len = end;
        }
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        let mut bytes = [0; 4];
        for letter in text.chars() {
            self.push(letter.encode_utf8(&mut bytes).as_bytes(), ROOM);
        }
        self
    }

    /// A text that may need escapes in JSON.
    pub(super) fn message(&mut self, text: &str) -> &mut Self {
        let json = JSON.load(Ordering::Relaxed);
        let mut bytes = [0; 4];
        for letter in text.chars() {
            match letter {
                '"' if json => self.push(b"\\\"", ROOM),
                '\\' if json => self.push(b"\\\\", ROOM),
                letter if letter.is_control() => self.push(b" ", ROOM),
                letter => self.push(letter.encode_utf8(&mut bytes).as_bytes(), ROOM),
            }
        }
        self
    }

    pub(super) fn number(&mut self, number: u64, radix: u64, width: usize) -> &mut Self {
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
        self.push(&digits[start..], ROOM);
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
    pub(super) fn start(&mut self, seconds: u64, level: &str, id: &str) -> &mut Self {
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

    /// Ends the line and writes it.
    pub(super) fn end(&mut self) {
        if JSON.load(Ordering::Relaxed) {
            self.push(b"\"}", SIZE);
        }
        self.push(b"\n", SIZE);
        self.write();
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
        line.text(&"\u{1f4a5}".repeat(1000));
        assert!(line.len <= ROOM && std::str::from_utf8(&line.bytes[..line.len]).is_ok());
    }
}
