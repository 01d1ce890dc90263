//! The log in memory: a snapshot, and the entries that are still kept.

use super::{Entry, Snapshot};

/// The entries behind `base`, which is not behind the snapshot.
#[derive(Debug)]
pub(crate) struct Log {
    /// The state at some entry that is committed.
    pub(crate) snapshot: Snapshot,
    base: (u64, u64),
    entries: Vec<Entry>,
}

impl Log {
    /// A log as it was kept.
    pub(crate) fn new(snapshot: Snapshot, base: (u64, u64), entries: Vec<Entry>) -> Self {
        Self {
            snapshot,
            base,
            entries,
        }
    }

    /// The last entry that is not kept any more, and its term.
    pub(crate) fn base(&self) -> (u64, u64) {
        self.base
    }

    /// The index of the last entry.
    pub(crate) fn last(&self) -> u64 {
        self.base.0 + self.entries.len() as u64
    }

    /// The term of the last entry.
    pub(crate) fn last_term(&self) -> u64 {
        self.entries.last().map_or(self.base.1, |entry| entry.term)
    }

    /// The term of an entry, if that is known.
    pub(crate) fn term(&self, index: u64) -> Option<u64> {
        if index == self.base.0 {
            return Some(self.base.1);
        }
        self.get(index).map(|entry| entry.term)
    }

    /// An entry.
    pub(crate) fn get(&self, index: u64) -> Option<&Entry> {
        let place = index.checked_sub(self.base.0 + 1)?;
        self.entries.get(usize::try_from(place).ok()?)
    }

    /// At most `count` entries from `index` on.
    pub(crate) fn slice(&self, index: u64, count: usize) -> &[Entry] {
        let start = index.saturating_sub(self.base.0 + 1);
        let start = usize::try_from(start)
            .map_or(self.entries.len(), |start| start.min(self.entries.len()));
        let end = start.saturating_add(count).min(self.entries.len());
        &self.entries[start..end]
    }

    /// All entries that are kept.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Puts entries there, in the place of those from the first of them on.
    pub(crate) fn append(&mut self, entries: Vec<Entry>) {
        if let Some(first) = entries.first() {
            let keep = first.index.saturating_sub(self.base.0 + 1);
            self.entries
                .truncate(usize::try_from(keep).unwrap_or(usize::MAX));
        }
        self.entries.extend(entries);
    }

    /// Takes over a state made here; at most `keep` entries in front of it stay.
    pub(crate) fn compact(&mut self, snapshot: Snapshot, keep: u64) {
        let index = snapshot.index.saturating_sub(keep);
        if let Some(term) = self.term(index)
            && index > self.base.0
        {
            let gone = usize::try_from(index - self.base.0).unwrap_or(usize::MAX);
            self.entries.drain(..gone.min(self.entries.len()));
            self.base = (index, term);
        }
        self.snapshot = snapshot;
    }

    /// Takes over a state from elsewhere. Entries behind it stay if the log agrees with it.
    pub(crate) fn install(&mut self, snapshot: Snapshot) {
        if self.term(snapshot.index) == Some(snapshot.term) {
            self.compact(snapshot, 0);
        } else {
            self.entries.clear();
            self.base = (snapshot.index, snapshot.term);
            self.snapshot = snapshot;
        }
    }
}
