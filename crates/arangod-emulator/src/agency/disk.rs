//! What an agent keeps of Raft in its database directory: an append-only file of checksummed
//! frames, rewritten when the log is compacted.
//!
//! What was acknowledged was handed to the kernel before, so it survives `kill -9`. With
//! `--agency.wait-for-sync` it was on the disk before.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::raft::{Entry, Kept, Snapshot, Storage};
use crate::store::crc::crc32;

/// The first bytes of the file.
const MAGIC: &[u8; 8] = b"ARMAAGY\x01";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Record {
    Vote(u64, Option<String>),
    Entry(Entry),
    Base(Snapshot, (u64, u64)),
}

/// The open file.
#[derive(Debug)]
pub(crate) struct Disk {
    path: PathBuf,
    file: File,
    sync: bool,
}

impl Disk {
    /// Opens or creates the file. A torn frame ends it, and is cut off: nobody was told of it.
    pub(crate) fn open(path: &Path, sync: bool) -> Result<(Self, Kept)> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mut kept = Kept::default();
        let end = if bytes.len() < MAGIC.len() {
            file.rewind()?;
            file.write_all(MAGIC)?;
            file.sync_all()?;
            MAGIC.len()
        } else if bytes.starts_with(MAGIC) {
            replay(&bytes, &mut kept)?
        } else {
            return Err(Error::new(ErrorKind::InvalidData, "not a log of an agent"));
        };
        file.set_len(end as u64)?;
        file.seek(SeekFrom::Start(end as u64))?;
        let disk = Self {
            path: PathBuf::from(path),
            file,
            sync,
        };
        Ok((disk, kept))
    }

    fn write(&mut self, records: &[Record]) -> Result<()> {
        let mut bytes = Vec::new();
        for record in records {
            frame(record, &mut bytes)?;
        }
        self.file.write_all(&bytes)?;
        if self.sync {
            self.file.sync_data()?;
        }
        Ok(())
    }
}

impl Storage for Disk {
    fn save_vote(&mut self, term: u64, vote: Option<&str>) -> Result<()> {
        self.write(&[Record::Vote(term, vote.map(String::from))])
    }

    fn append(&mut self, entries: &[Entry]) -> Result<()> {
        let records: Vec<Record> = entries.iter().cloned().map(Record::Entry).collect();
        self.write(&records)
    }

    fn replace(&mut self, kept: &Kept) -> Result<()> {
        let fresh = self.path.with_extension("new");
        let mut bytes = Vec::from(MAGIC.as_slice());
        let head = [
            Record::Base(kept.snapshot.clone(), kept.base),
            Record::Vote(kept.term, kept.vote.clone()),
        ];
        for record in &head {
            frame(record, &mut bytes)?;
        }
        for entry in &kept.entries {
            frame(&Record::Entry(entry.clone()), &mut bytes)?;
        }
        let mut file = File::create(&fresh)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        std::fs::rename(&fresh, &self.path)?;
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        self.file = file;
        Ok(())
    }
}

/// A frame: length, checksum, JSON.
fn frame(record: &Record, into: &mut Vec<u8>) -> Result<()> {
    let payload = serde_json::to_vec(record)?;
    let length = u32::try_from(payload.len())
        .map_err(|_| Error::new(ErrorKind::InvalidInput, "an entry of more than 4 GiB"))?;
    into.extend_from_slice(&length.to_le_bytes());
    into.extend_from_slice(&crc32(&payload).to_le_bytes());
    into.extend_from_slice(&payload);
    Ok(())
}

fn intact(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (checksum, rest) = rest.split_first_chunk::<4>()?;
    let payload = rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    (crc32(payload) == u32::from_le_bytes(*checksum)).then_some(payload)
}

/// Takes in every intact frame and returns where the last of them ends.
fn replay(bytes: &[u8], kept: &mut Kept) -> Result<usize> {
    let mut position = MAGIC.len();
    while let Some(payload) = bytes.get(position..).and_then(intact) {
        match serde_json::from_slice(payload)? {
            Record::Vote(term, vote) => (kept.term, kept.vote) = (term, vote),
            Record::Base(snapshot, base) => {
                (kept.snapshot, kept.base) = (snapshot, base);
                kept.entries.clear();
            }
            Record::Entry(entry) => {
                let keep = entry.index.checked_sub(kept.base.0 + 1);
                let keep = keep.and_then(|keep| usize::try_from(keep).ok());
                let keep = keep.filter(|keep| *keep <= kept.entries.len());
                let hole = || Error::new(ErrorKind::InvalidData, "the log has a hole");
                kept.entries.truncate(keep.ok_or_else(hole)?);
                kept.entries.push(entry);
            }
        }
        position += 8 + payload.len();
    }
    Ok(position)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(index: u64, term: u64) -> Entry {
        let payload = json!({ "n": index });
        Entry {
            index,
            term,
            payload,
        }
    }

    #[test]
    fn a_log_cut_anywhere_is_a_prefix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let (mut disk, kept) = Disk::open(&path, false).unwrap();
        assert_eq!(kept, Kept::default());
        disk.save_vote(3, Some("me")).unwrap();
        disk.append(&[entry(1, 3), entry(2, 3)]).unwrap();
        // Another leader overwrites the second.
        disk.append(&[entry(2, 4)]).unwrap();
        disk.append(&[entry(3, 4)]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..=whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let (_, kept) = Disk::open(&path, false).unwrap();
            for (at, entry) in kept.entries.iter().enumerate() {
                assert_eq!(entry.index, at as u64 + 1);
            }
        }
        std::fs::write(&path, &whole).unwrap();
        let (mut disk, kept) = Disk::open(&path, true).unwrap();
        assert_eq!((kept.term, kept.vote.as_deref()), (3, Some("me")));
        assert_eq!(kept.entries, [entry(1, 3), entry(2, 4), entry(3, 4)]);

        let snapshot = Snapshot {
            index: 3,
            term: 4,
            data: json!("all"),
        };
        let kept = Kept {
            term: 5,
            vote: None,
            snapshot,
            base: (2, 4),
            entries: vec![entry(3, 4)],
        };
        disk.replace(&kept).unwrap();
        disk.append(&[entry(4, 5)]).unwrap();
        let (_, found) = Disk::open(&path, false).unwrap();
        assert_eq!((found.snapshot, found.base), (kept.snapshot, kept.base));
        assert_eq!(found.entries, [entry(3, 4), entry(4, 5)]);
        std::fs::write(&path, "something else").unwrap();
        assert!(Disk::open(&path, false).is_err());
    }
}
