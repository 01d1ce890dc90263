//! The ledger: every process a run has started, on disk, so that a later run can end what both deaths left behind.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

/// A ledger being written. Clones write to the same file.
#[derive(Clone, Debug)]
pub struct Ledger(Arc<File>);

/// One process in a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Its id.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub start_time: u64,
    /// What it was: `cluster-1f3a9c20/member-1`, `worker 3`.
    pub label: String,
}

impl Ledger {
    /// Opens a ledger to write at its end; makes it if need be, readable by its owner only.
    ///
    /// # Errors
    /// Those of opening a file.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        Ok(Self(Arc::new(file)))
    }

    /// Adds a process, in one write.
    ///
    /// # Errors
    /// Those of writing to a file.
    pub fn record(&self, pid: u32, start_time: u64, label: &str) -> io::Result<()> {
        let label: String = label
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        (&*self.0).write_all(format!("{pid} {start_time} {label}\n").as_bytes())
    }

    /// Reads a ledger. A line that was cut off is left out.
    ///
    /// # Errors
    /// Those of reading a file.
    pub fn read(path: &Path) -> io::Result<Vec<LedgerEntry>> {
        let text = String::from_utf8_lossy(&std::fs::read(path)?).into_owned();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        Ok(whole.lines().filter_map(parse).collect())
    }
}

fn parse(line: &str) -> Option<LedgerEntry> {
    let mut fields = line.splitn(3, ' ');
    Some(LedgerEntry {
        pid: fields.next()?.parse().ok()?,
        start_time: fields.next()?.parse().ok()?,
        label: fields.next()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_recorded_is_read_and_a_cut_line_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        let ledger = Ledger::open(&path).unwrap();
        ledger.record(7, 123, "a label\nwith a break").unwrap();
        ledger.record(8, 124, "").unwrap();
        (&*ledger.0).write_all(b"9 12").unwrap();
        let read = Ledger::read(&path).unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].label, "a label with a break");
        assert_eq!((read[1].pid, read[1].start_time), (8, 124));
    }
}
