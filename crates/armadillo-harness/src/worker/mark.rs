//! The end of a test's output, marked in band: nothing a test or its children do to the pipe can move it.

use std::io::Write;

/// The first byte of a mark; what follows up to the line's end is the run's random nonce and the test's number.
pub(crate) const FIRST_BYTE: u8 = 0x1e;

/// The mark that ends the output of the test with this number.
pub(crate) fn text(nonce: &str, sequence: u64) -> String {
    format!("{}{nonce} {sequence}\n", char::from(FIRST_BYTE))
}

/// Flushes what Rust and the C library hold back, then writes the mark.
pub(super) fn end_of_output(nonce: &str, sequence: u64) -> std::io::Result<()> {
    let mut stdout = std::io::stdout();
    stdout.flush()?;
    // SAFETY: fflush(NULL) takes no memory of ours; it locks each of the C library's output streams and writes them out.
    unsafe { libc::fflush(std::ptr::null_mut()) };
    let mark = text(nonce, sequence);
    let mut rest = mark.as_bytes();
    while !rest.is_empty() {
        match rustix::io::write(rustix::stdio::stdout(), rest) {
            Ok(count) => rest = &rest[count..],
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
