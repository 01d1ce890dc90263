//! The names of symbols and needed libraries in an executable file.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::elf::{MAGIC, number, read};

/// The kinds of sections with symbols: those of a whole program, and those for the dynamic linker.
const SYMTAB: u64 = 2;
const DYNSYM: u64 = 11;

/// As much as is read of a table, in bytes.
const TABLE_LIMIT: u64 = 256 << 20;

/// As much as is read of the list of sections, in bytes.
const SECTIONS_LIMIT: u64 = 1 << 20;

/// The table of names, each of which ends with a zero byte: those that the dynamic linker reads, or all if it reads none.
/// Nothing if the file is no executable file of 64 bits as processors of today have them.
pub(super) fn names(program: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(program)?;
    let header = read(&mut file, 0, 64)?;
    if !header.starts_with(MAGIC) {
        return Ok(Vec::new());
    }
    let found = (|| {
        let start = number(&header, 40, 8)?;
        let (size, count) = (number(&header, 58, 2)?, number(&header, 60, 2)?);
        Some((start, usize::try_from(size).ok()?, size.checked_mul(count)?))
    })();
    let Some((start, size, length)) = found.filter(|(_, size, _)| *size >= 64) else {
        return Ok(Vec::new());
    };
    let sections = read(&mut file, start, length.min(SECTIONS_LIMIT))?;
    let sections: Vec<&[u8]> = sections.chunks_exact(size).collect();
    let of_kind = |kind: u64| {
        let mut sections = sections.iter();
        sections.find(|section| number(section, 4, 4) == Some(kind))
    };
    let names = of_kind(DYNSYM)
        .or_else(|| of_kind(SYMTAB))
        .and_then(|symbols| {
            let linked = usize::try_from(number(symbols, 40, 4)?).ok()?;
            let names = sections.get(linked)?;
            Some((number(names, 24, 8)?, number(names, 32, 8)?))
        });
    match names {
        Some((start, length)) => read(&mut file, start, length.min(TABLE_LIMIT)),
        None => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_dynamic_executable_are_found() {
        let names = names(&std::env::current_exe().unwrap()).unwrap();
        let is_libc = |name: &[u8]| name.starts_with(b"libc.so");
        assert!(names.split(|byte| *byte == 0).any(is_libc));
    }

    #[test]
    fn other_files_have_none() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for content in [&b""[..], b"#!/bin/sh\n", b"\x7fELF\x02\x01", &[0xff; 100]] {
            std::fs::write(file.path(), content).unwrap();
            assert!(names(file.path()).unwrap().is_empty());
        }
        let mut cut_off = b"\x7fELF\x02\x01".to_vec();
        cut_off.resize(64, 0xff);
        std::fs::write(file.path(), cut_off).unwrap();
        assert!(names(file.path()).unwrap_or_default().is_empty());
    }
}
