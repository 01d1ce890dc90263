//! What program a core is of: the first of the files that its process had mapped, as the kernel noted them.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::elf::{MAGIC, number, read};

/// The kind of the segment that has the notes.
const PT_NOTE: u64 = 4;

/// The kind of the note with the files that were mapped.
const NT_FILE: u64 = 0x4649_4c45;

/// As much as is read of the notes, in bytes.
const NOTES_LIMIT: u64 = 16 << 20;

/// The program that a core is of. `None` if it does not say so, as cores of 32 bits.
pub(super) fn of_core(core: &Path) -> Option<PathBuf> {
    let mut file = File::open(core).ok()?;
    let header = read(&mut file, 0, 64).ok()?;
    if !header.starts_with(MAGIC) {
        return None;
    }
    let start = number(&header, 32, 8)?;
    let (size, count) = (number(&header, 54, 2)?, number(&header, 56, 2)?);
    let table = read(&mut file, start, size.checked_mul(count)?.min(NOTES_LIMIT)).ok()?;
    let segment = table
        .chunks(usize::try_from(size).ok().filter(|size| *size > 0)?)
        .find(|segment| number(segment, 0, 4) == Some(PT_NOTE))?;
    let (offset, length) = (number(segment, 8, 8)?, number(segment, 32, 8)?);
    let notes = read(&mut file, offset, length.min(NOTES_LIMIT)).ok()?;
    first_file(&notes)
}

fn first_file(mut notes: &[u8]) -> Option<PathBuf> {
    loop {
        let padded = |length: u64| usize::try_from(length.next_multiple_of(4)).ok();
        let (name, length) = (number(notes, 0, 4)?, number(notes, 4, 4)?);
        let from = 12 + padded(name)?;
        let content = notes.get(from..from + usize::try_from(length).ok()?)?;
        if number(notes, 8, 4) == Some(NT_FILE) {
            let count = usize::try_from(number(content, 0, 8)?).ok()?;
            let names = content.get(count.checked_mul(24)?.checked_add(16)?..)?;
            let first = names.split(|byte| *byte == 0).next()?;
            return Some(std::str::from_utf8(first).ok()?.into());
        }
        notes = notes.get(from + padded(length)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_mapped_file_is_found_among_the_notes() {
        let note = |kind: u32, content: &[u8]| {
            let mut note = Vec::new();
            for word in [5, u32::try_from(content.len()).unwrap(), kind] {
                note.extend(word.to_le_bytes());
            }
            note.extend(b"CORE\0\0\0\0");
            note.extend(content);
            note.resize(note.len().next_multiple_of(4), 0);
            note
        };
        let mut files = Vec::new();
        for word in [1_u64, 4096, 0x40_0000, 0x40_1000, 0] {
            files.extend(word.to_le_bytes());
        }
        files.extend(b"/opt/mydb/bin/mydb\0");
        let kind = u32::try_from(NT_FILE).unwrap();
        let notes = [note(1, b"status"), note(kind, &files)].concat();
        let found = first_file(&notes).unwrap();
        assert_eq!(found, Path::new("/opt/mydb/bin/mydb"));
        assert_eq!(first_file(&notes[..60]), None);
        assert_eq!(of_core(Path::new("/proc/self/exe")), None);
    }
}
