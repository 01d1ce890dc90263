//! What the server stores, and how it survives.
//!
//! Claimed: what was acknowledged survives the death of the process (`kill -9`), because it was
//! handed to the kernel before the answer. With `waitForSync` it was on the disk before the
//! answer. Without, nothing is claimed about a crash of the machine.

pub(crate) mod crc;
mod document;
mod journal;
mod meta;
mod names;
mod record;
mod replica;
mod revision;
mod schema;
mod shard;
mod state;

use std::path::Path;

use crate::errors::ApiError;

pub(crate) use document::{Change, Expected, Mode, Outcome, attributes, given_key};
pub(crate) use journal::{JournalError, Recovered};
pub(crate) use meta::{CollectionMeta, KeyGenerator};
pub(crate) use names::{collection as legal_collection, key as legal_key};
pub(crate) use revision::{decode as revision_of, encode as revision_text};
pub(crate) use schema::system_collections;
pub(crate) use shard::{Mark, Position, Shipment};
pub(crate) use state::{Collection, Database, Document, SYSTEM_ID};

use journal::Journal;
use record::Record;
use state::State;

/// The name of `_system`.
pub(crate) const SYSTEM: &str = "_system";

/// The data of a server with its journal.
#[derive(Debug)]
pub(crate) struct Store {
    state: State,
    /// A replica has none.
    journal: Option<Journal>,
    /// Encoded records of the change that is under way.
    pending: Vec<u8>,
    /// The change under way must be on the disk.
    sync: bool,
    /// Several changes are being made that become one frame.
    grouping: bool,
    /// Why the journal could not be written. Memory and disk differ since: nothing is answered.
    broken: Option<String>,
    extended_names: bool,
    always_sync: bool,
    /// The documents written since the start, by clients and by leaders of shards.
    written: Written,
}

/// How many documents were written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    /// For clients, removals included.
    pub(crate) by_clients: u64,
    /// Because the leader of a shard said so.
    pub(crate) by_leaders: u64,
}

impl Store {
    /// Opens the journal and replays it.
    pub(crate) fn open(
        path: &Path,
        extended_names: bool,
        always_sync: bool,
    ) -> Result<(Self, Recovered), JournalError> {
        let (journal, state, recovered) = Journal::open(path)?;
        let store = Self {
            state,
            journal: Some(journal),
            pending: Vec::new(),
            sync: false,
            grouping: false,
            broken: None,
            extended_names,
            always_sync,
            written: Written::default(),
        };
        Ok((store, recovered))
    }

    /// Makes changes as one frame of the journal. `change` checks before it changes: what it did
    /// before it failed stays done, in memory and in the journal alike.
    pub(crate) fn transact<T>(
        &mut self,
        change: impl FnOnce(&mut Self) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        self.check()?;
        if !self.grouping {
            self.pending.clear();
            self.sync = false;
        }
        // Should the change panic, memory holds what the journal does not: nobody may see that.
        self.broken = Some(String::from("a change was interrupted"));
        let result = change(self);
        if !self.grouping {
            self.append()?;
        }
        self.broken = None;
        result
    }

    /// Hands what is pending to the journal.
    fn append(&mut self) -> Result<(), ApiError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let sync = self.sync || self.always_sync;
        let tick = self.state.tick;
        if let Some(journal) = &mut self.journal
            && let Err(error) = journal.append(tick, &self.pending, sync)
        {
            let reason = error.to_string();
            self.broken = Some(reason.clone());
            return Err(ApiError::storage(reason));
        }
        // One large import must not occupy its memory for ever.
        self.pending.clear();
        self.pending.shrink_to(1 << 16);
        Ok(())
    }

    /// Refuses everything after a failed write: a reader must not see what was not acknowledged.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        match &self.broken {
            Some(reason) => Err(ApiError::storage(reason)),
            None => Ok(()),
        }
    }

    /// How many documents were written since the start.
    pub(crate) fn written_documents(&self) -> Written {
        self.written
    }

    /// Brings everything to the disk, at the end.
    pub(crate) fn close(&mut self) -> Result<(), JournalError> {
        self.journal.as_mut().map_or(Ok(()), Journal::sync)
    }

    fn write(&mut self, record: Record) {
        record.encode(&mut self.pending);
        self.state.apply(record);
    }

    /// Whether writes to a collection wait for the disk: the request asks, or the collection does.
    pub(crate) fn waits_for_sync(&self, collection: &Collection, asked: bool) -> bool {
        asked || collection.meta.wait_for_sync || self.always_sync
    }

    /// The change under way must be on the disk before it is answered.
    pub(crate) fn require_sync(&mut self) {
        self.sync = true;
    }

    /// All databases by name.
    pub(crate) fn databases(&self) -> impl Iterator<Item = &Database> {
        self.state.databases.values()
    }

    /// A database.
    pub(crate) fn database(&self, name: &str) -> Result<&Database, ApiError> {
        self.state
            .databases
            .get(name)
            .ok_or_else(ApiError::database_not_found)
    }

    /// The collections of a database, by name.
    pub(crate) fn collections(&self, database: &str) -> impl Iterator<Item = &Collection> {
        self.state
            .databases
            .get(database)
            .into_iter()
            .flat_map(|found| found.collections.values())
            .filter_map(|id| self.state.collections.get(id))
    }

    /// A collection by name or id.
    pub(crate) fn collection(&self, database: &str, name: &str) -> Result<&Collection, ApiError> {
        self.state
            .collection(database, name)
            .ok_or_else(|| ApiError::collection_not_found(name))
    }
}
