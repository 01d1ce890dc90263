//! Parts of files in the format of executables, libraries and cores.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// How files begin that have 64 bits, and numbers as processors of today store them.
pub(crate) const MAGIC: &[u8] = b"\x7fELF\x02\x01";

/// The number of so many bytes that is there.
pub(crate) fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    let digit = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    Some(bytes.iter().rev().fold(0, digit))
}

/// A part of a file, or as much of it as there is.
pub(crate) fn read(file: &mut File, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}
