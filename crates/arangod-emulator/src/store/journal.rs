//! The journal: an append-only file of checksummed frames.
//!
//! A frame is its length, its CRC-32, and the tick of the server followed by records: what one
//! request changed, all or nothing. A frame is handed to the kernel before the request is
//! answered, so it survives the death of the process; it is on the disk only after
//! [`Journal::append`] with `sync`. A torn or damaged frame ends the journal: it and all behind it
//! are cut off at the next start.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::crc::crc32;
use super::record::{Record, number};
use super::state::State;
use crate::planted::{self, Bug};

/// The first bytes of the file; the last of them is the version of the format.
const MAGIC: &[u8; 8] = b"ARMAEMU\x01";
/// Length and checksum.
const HEAD: usize = 8;
/// Journals up to this size are not worth rewriting.
const SMALL: u64 = 1 << 20;
/// The size at which a snapshot starts another frame.
const SNAPSHOT_FRAME: usize = 1 << 16;

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    /// The file system refused.
    #[error("journal '{path}': {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file begins with something else.
    #[error("'{0}' is not a journal of this version of the emulator")]
    Foreign(PathBuf),
    /// A request changed more than a frame can hold.
    #[error("a change of more than 4 GiB does not fit into the journal")]
    TooLarge,
}

/// What recovery found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recovered {
    /// Frames that were intact.
    pub(crate) frames: u64,
    /// Records in them.
    pub(crate) records: u64,
    /// Bytes that were cut off at the end.
    pub(crate) torn: u64,
}

/// The open journal.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens or creates the journal and replays it.
    pub(crate) fn open(path: &Path) -> Result<(Self, State, Recovered), JournalError> {
        let at = |source| JournalError::Io {
            path: PathBuf::from(path),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(at)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(at)?;

        let mut state = State::default();
        let mut recovered = Recovered::default();
        // A file shorter than its magic was torn at its birth: nothing was ever acknowledged.
        let end = if bytes.len() < MAGIC.len() {
            if !MAGIC.starts_with(&bytes) {
                return Err(JournalError::Foreign(PathBuf::from(path)));
            }
            file.rewind().map_err(at)?;
            file.write_all(MAGIC).map_err(at)?;
            file.sync_all().map_err(at)?;
            sync_folder(path).map_err(at)?;
            MAGIC.len()
        } else {
            if !bytes.starts_with(MAGIC) {
                return Err(JournalError::Foreign(PathBuf::from(path)));
            }
            let end = replay(&bytes, &mut state, &mut recovered);
            recovered.torn = (bytes.len() - end) as u64;
            if recovered.torn > 0 {
                file.set_len(end as u64).map_err(at)?;
                file.sync_all().map_err(at)?;
            }
            end
        };
        file.seek(SeekFrom::Start(end as u64)).map_err(at)?;
        drop(bytes);

        let mut journal = Self {
            path: PathBuf::from(path),
            file,
        };
        let live = state.collections.values().map(|c| c.documents.len() as u64);
        if end as u64 > SMALL && recovered.records > 2 * live.sum::<u64>() {
            journal.rewrite(&state).map_err(at)?;
        }
        Ok((journal, state, recovered))
    }

    /// Appends a frame of encoded records; with `sync` it is on the disk afterwards.
    pub(crate) fn append(
        &mut self,
        tick: u64,
        records: &[u8],
        sync: bool,
    ) -> Result<(), JournalError> {
        let frame = frame(tick, records).ok_or(JournalError::TooLarge)?;
        let written = self
            .file
            .write_all(&frame)
            .and_then(|()| if sync { self.file.sync_data() } else { Ok(()) });
        written.map_err(|source| JournalError::Io {
            path: self.path.clone(),
            source,
        })
    }

    /// Brings everything to the disk.
    pub(crate) fn sync(&mut self) -> Result<(), JournalError> {
        self.file.sync_data().map_err(|source| JournalError::Io {
            path: self.path.clone(),
            source,
        })
    }

    /// Replaces the file by one that holds the present state only.
    fn rewrite(&mut self, state: &State) -> std::io::Result<()> {
        let fresh = self.path.with_extension("new");
        let mut file = File::create(&fresh)?;
        file.write_all(MAGIC)?;
        let mut records = Vec::new();
        let too_large = || std::io::Error::other("a document is too large for the journal");
        state.snapshot(|record| {
            record.encode(&mut records);
            if records.len() >= SNAPSHOT_FRAME {
                file.write_all(&frame(state.tick, &records).ok_or_else(too_large)?)?;
                records.clear();
            }
            Ok(())
        })?;
        file.write_all(&frame(state.tick, &records).ok_or_else(too_large)?)?;
        file.sync_all()?;
        std::fs::rename(&fresh, &self.path)?;
        sync_folder(&self.path)?;
        self.file = file;
        Ok(())
    }
}

/// A frame around records, or nothing if they are too long.
fn frame(tick: u64, records: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(records.len() + 8).ok()?;
    let mut frame = Vec::with_capacity(HEAD + 8 + records.len());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(&tick.to_le_bytes());
    frame.extend_from_slice(records);
    let checksum = crc32(&frame[HEAD..]);
    frame[4..HEAD].copy_from_slice(&checksum.to_le_bytes());
    Some(frame)
}

/// Applies every intact frame and returns where the last of them ends.
fn replay(bytes: &[u8], state: &mut State, recovered: &mut Recovered) -> usize {
    let mut position = MAGIC.len();
    while let Some(payload) = intact(&bytes[position..]) {
        let mut input = payload;
        let Ok(tick) = number(&mut input) else {
            break;
        };
        let mut records = Vec::new();
        while !input.is_empty() {
            let Ok(record) = Record::decode(&mut input) else {
                return position;
            };
            records.push(record);
        }
        recovered.frames += 1;
        recovered.records += records.len() as u64;
        for record in records {
            if planted::has(Bug::ForgetOnRestart) && matches!(record, Record::Put { .. }) {
                continue;
            }
            state.apply(record);
        }
        state.tick = state.tick.max(tick);
        position += HEAD + payload.len();
    }
    position
}

/// The payload of the frame at the front, if it is whole and its checksum holds.
fn intact(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (checksum, rest) = rest.split_first_chunk::<4>()?;
    let payload = rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    (crc32(payload) == u32::from_le_bytes(*checksum)).then_some(payload)
}

/// Brings the name of a new file to the disk.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::meta::CollectionMeta;

    fn put(key: &str, body: &str) -> Record {
        Record::Put {
            collection: 2,
            revision: 5,
            key: Box::from(key),
            body: Box::from(body),
        }
    }

    fn encoded(records: &[Record]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for record in records {
            record.encode(&mut bytes);
        }
        bytes
    }

    fn filled(path: &Path) {
        let (mut journal, _, _) = Journal::open(path).unwrap();
        let create = [
            Record::CreateDatabase {
                id: 1,
                name: String::from("_system"),
            },
            Record::CreateCollection {
                database: 1,
                id: 2,
                meta: CollectionMeta::named("c"),
            },
        ];
        journal.append(9, &encoded(&create), false).unwrap();
        for number in 0..6 {
            let record = put(&format!("k{number}"), "{\"a\":1}");
            journal.append(9, &encoded(&[record]), number == 5).unwrap();
        }
    }

    #[test]
    fn a_journal_cut_anywhere_is_a_prefix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        filled(&path);
        let whole = std::fs::read(&path).unwrap();
        let mut before = 0;
        for cut in 0..=whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let (_, state, recovered) = Journal::open(&path).unwrap();
            let count = state.collections.get(&2).map_or(0, |c| c.documents.len());
            assert!(count >= before && count <= before + 1);
            before = count;
            assert_eq!(
                std::fs::metadata(&path).unwrap().len() + recovered.torn,
                (cut as u64).max(8)
            );
        }
        assert_eq!(before, 6);
    }

    #[test]
    fn damage_ends_the_journal_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        filled(&path);
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 3;
        bytes[last] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let (mut journal, state, recovered) = Journal::open(&path).unwrap();
        assert_eq!(state.collections[&2].documents.len(), 5);
        assert!(recovered.torn > 0);
        journal
            .append(9, &encoded(&[put("new", "{}")]), false)
            .unwrap();
        let (_, state, recovered) = Journal::open(&path).unwrap();
        assert_eq!(state.collections[&2].documents.len(), 6);
        assert_eq!((recovered.torn, state.tick), (0, 9));
    }

    #[test]
    fn a_journal_of_mostly_dead_records_is_rewritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        filled(&path);
        let (mut journal, _, _) = Journal::open(&path).unwrap();
        let body = format!("{{\"a\":\"{}\"}}", "x".repeat(1000));
        for _ in 0..1200 {
            let record = encoded(&[put("k0", &body)]);
            journal.append(77, &record, false).unwrap();
        }
        let large = std::fs::metadata(&path).unwrap().len();
        let (mut journal, _, _) = Journal::open(&path).unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() < large / 100);
        journal
            .append(78, &encoded(&[put("k7", "{}")]), true)
            .unwrap();
        let (_, state, recovered) = Journal::open(&path).unwrap();
        assert_eq!(state.collections[&2].documents.len(), 7);
        assert_eq!(&*state.collections[&2].documents["k0"].body, body);
        assert_eq!((state.tick, recovered.torn), (78, 0));
    }

    #[test]
    fn a_foreign_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        std::fs::write(&path, "something else entirely").unwrap();
        assert!(matches!(
            Journal::open(&path),
            Err(JournalError::Foreign(_))
        ));
        assert_eq!(std::fs::read(&path).unwrap(), b"something else entirely");
    }
}
