//! The end of a test's output, marked in band: nothing a test or its children do to the pipe can move it.

use std::io::Write;
use std::os::fd::OwnedFd;

/// The first byte of a mark; what follows up to the line's end is the run's random nonce and the test's number.
pub(crate) const FIRST_BYTE: u8 = 0x1e;

/// The mark that ends the output of the test with this number.
pub(crate) fn text(nonce: &str, sequence: u64) -> String {
    format!("{}{nonce} {sequence}\n", char::from(FIRST_BYTE))
}

/// Where a worker's output went when it started. A test may close or redirect its standard output; the mark still arrives.
pub(super) struct Marker {
    pipe: OwnedFd,
    nonce: String,
}

impl Marker {
    pub(super) fn new(nonce: &str) -> std::io::Result<Self> {
        // Above the standard streams: whatever a test opens after it has closed one of those does not get this number.
        let pipe = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
        Ok(Self {
            pipe,
            nonce: nonce.to_owned(),
        })
    }

    /// Flushes what Rust and the C library hold back, then writes the mark.
    pub(super) fn end_of_output(&self, sequence: u64) -> std::io::Result<()> {
        // It fails if the test has put something else in the place of its standard output, and is the test's loss.
        let _ = std::io::stdout().flush();
        // SAFETY: fflush(NULL) takes no memory of ours; it locks each of the C library's output streams and writes them out.
        unsafe { libc::fflush(std::ptr::null_mut()) };
        let mark = text(&self.nonce, sequence);
        let mut rest = mark.as_bytes();
        while !rest.is_empty() {
            match rustix::io::write(&self.pipe, rest) {
                Ok(count) => rest = &rest[count..],
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
