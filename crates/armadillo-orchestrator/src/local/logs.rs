//! The logs of servers, kept within bounds: the beginning and the end of each.
//!
//! A server writes into its file itself, so nobody can hold it up and nothing is lost with the daemon. What is in the middle
//! is given back to the file system while the server goes on writing: a hole, so that positions in the file stay what they
//! were. When the server has ended for good, the file is written again without the hole.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::backend::{LOG_HEAD, LOG_TAIL};
use crate::server::ServerKey;

/// Less than this is not given back: a call for each line would cost more than it is worth.
const STEP: u64 = 1 << 20;

/// Where the holes end that were made; each begins at [`LOG_HEAD`].
#[derive(Default)]
pub(super) struct Holes(Mutex<BTreeMap<ServerKey, u64>>);

impl Holes {
    /// Gives the middle of a log back, if it is longer than it may be. Whether there is a hole now.
    pub(super) fn cut(&self, server: &ServerKey, path: &Path) -> io::Result<bool> {
        let before = self.end(server).unwrap_or(LOG_HEAD);
        let size = match fs::metadata(path) {
            // It has not been started yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            other => other?.len(),
        };
        let end = size.saturating_sub(LOG_TAIL);
        if end < before + STEP {
            return Ok(self.end(server).is_some());
        }
        punch(&OpenOptions::new().write(true).open(path)?, LOG_HEAD, end)?;
        let mut holes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        holes.insert(server.clone(), end);
        Ok(true)
    }

    /// Where the hole in a log ends, if there is one.
    fn end(&self, server: &ServerKey) -> Option<u64> {
        let holes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        holes.get(server).copied()
    }

    /// Where the part begins that is there from `from` on, and where it ends, if that is at a hole.
    pub(super) fn part(&self, server: &ServerKey, from: u64) -> (u64, Option<u64>) {
        match self.end(server) {
            Some(_) if from < LOG_HEAD => (from, Some(LOG_HEAD)),
            Some(end) => (from.max(end), None),
            None => (from, None),
        }
    }

    /// Reads from a log. Nothing is read of a hole: what comes after it is there in its place.
    pub(super) fn read(
        &self,
        server: &ServerKey,
        path: &Path,
        from: u64,
        limit: u64,
    ) -> io::Result<Vec<u8>> {
        let mut file = match File::open(path) {
            // It has not been started yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut bytes = Vec::new();
        let mut from = from;
        if let Some(end) = self.end(server)
            && from < end
        {
            if from < LOG_HEAD {
                file.seek(SeekFrom::Start(from))?;
                let head = limit.min(LOG_HEAD - from);
                (&mut file).take(head).read_to_end(&mut bytes)?;
            }
            from = end;
        }
        file.seek(SeekFrom::Start(from))?;
        let left = limit.saturating_sub(bytes.len() as u64);
        file.take(left).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Writes a log again without its hole, and with a line in its place. For a server that has ended.
    pub(super) fn close(&self, server: &ServerKey, path: &Path) -> io::Result<()> {
        let Some(end) = self.end(server) else {
            return Ok(());
        };
        let mut log = File::open(path)?;
        let new = path.with_extension("new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        io::copy(&mut (&mut log).take(LOG_HEAD), &mut file)?;
        let left_out = end - LOG_HEAD;
        let (head, tail) = (LOG_HEAD >> 20, LOG_TAIL >> 20);
        writeln!(
            file,
            "\n[armadillo: {left_out} bytes omitted: only the first {head} MiB and the last {tail} MiB are kept]"
        )?;
        log.seek(SeekFrom::Start(end))?;
        io::copy(&mut log, &mut file)?;
        fs::rename(&new, path)?;
        let mut holes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        holes.remove(server);
        Ok(())
    }
}

/// Gives a part of a file back to the file system. Its length stays.
#[cfg(target_os = "linux")]
fn punch(file: &File, from: u64, to: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    Ok(fallocate(file, flags, from, to - from)?)
}

#[cfg(not(target_os = "linux"))]
fn punch(_file: &File, _from: u64, _to: u64) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn the_beginning_and_the_end_are_kept_and_positions_stay() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let (holes, server) = (Holes::default(), ServerKey::from("one"));
        assert!(!holes.cut(&server, &path).unwrap());
        assert_eq!(holes.read(&server, &path, 0, 10).unwrap(), b"");
        let mut log = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .unwrap();
        let mebibyte = |number: u64| {
            let line = format!("{number:1023}\n");
            line.repeat(1024).into_bytes()
        };
        for number in 0..100 {
            log.write_all(&mebibyte(number)).unwrap();
            let cut = holes.cut(&server, &path).unwrap();
            assert_eq!(cut, number >= 64, "{number}");
        }
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(metadata.len(), 100 << 20);
        // The file system's own bookkeeping comes on top.
        assert!(metadata.blocks() * 512 < (LOG_HEAD + LOG_TAIL) + (2 << 20));
        let read = |from: u64, limit: u64| holes.read(&server, &path, from << 20, limit << 20);
        assert_eq!(read(0, 1).unwrap(), mebibyte(0));
        assert_eq!(read(99, 9).unwrap(), mebibyte(99));
        // From a position in the hole, and over it.
        assert_eq!(read(20, 1).unwrap(), mebibyte(52));
        assert_eq!(read(15, 2).unwrap(), [mebibyte(15), mebibyte(52)].concat());
        let part = |from: u64| holes.part(&server, from << 20);
        assert_eq!(part(3), (3 << 20, Some(LOG_HEAD)));
        assert_eq!([part(16), part(40)], [(52 << 20, None); 2]);
        assert_eq!(part(60), (60 << 20, None));
        holes.close(&server, &path).unwrap();
        assert_eq!(part(3), (3 << 20, None));
        let text = fs::read_to_string(&path).unwrap();
        let note = "[armadillo: 37748736 bytes omitted: only the first 16 MiB and the last 48 MiB are kept]";
        let place = text.find(note).unwrap();
        assert_eq!(place as u64, LOG_HEAD + 1);
        assert_eq!(
            text.len() as u64,
            LOG_HEAD + LOG_TAIL + note.len() as u64 + 2
        );
        assert!(text.ends_with(&String::from_utf8(mebibyte(99)).unwrap()));
    }
}
