//! Databases and collections: creating, changing, dropping.

use serde_json::Value;

use super::names;
use super::record::Record;
use super::state::SYSTEM_ID;
use super::{Collection, CollectionMeta, SYSTEM, Store};
use crate::errors::ApiError;
use crate::indexes::{self, Ensured};

/// The system collections of `_system` in a fresh 3.12.10, as recorded.
const SYSTEM_COLLECTIONS: &[&str] = &[
    "_analyzers",
    "_appbundles",
    "_apps",
    "_aqlfunctions",
    "_frontend",
    "_graphs",
    "_jobs",
    "_queues",
    "_statistics",
    "_statistics15",
    "_statisticsRaw",
    "_users",
];

/// Those of them that every other database has too. The recorded examples show `_system` only;
/// that statistics and users live there alone is general knowledge.
const DATABASE_COLLECTIONS: &[&str] = &[
    "_analyzers",
    "_appbundles",
    "_apps",
    "_aqlfunctions",
    "_frontend",
    "_graphs",
    "_jobs",
    "_queues",
];

/// The system collections that a database has.
pub(crate) fn system_collections(database: &str) -> &'static [&'static str] {
    if database == SYSTEM {
        SYSTEM_COLLECTIONS
    } else {
        DATABASE_COLLECTIONS
    }
}

impl Store {
    /// Whether nothing was ever stored.
    pub(crate) fn is_empty(&self) -> bool {
        self.state.databases.is_empty()
    }

    /// Creates `_system` with its collections.
    pub(crate) fn bootstrap(&mut self) {
        self.write(Record::CreateDatabase {
            id: SYSTEM_ID,
            name: String::from(SYSTEM),
        });
        self.create_system_collections(SYSTEM_ID, system_collections(SYSTEM));
        self.require_sync();
    }

    fn create_system_collections(&mut self, database: u64, names: &[&str]) {
        for name in names {
            self.create_unchecked(database, CollectionMeta::named(name));
        }
    }

    fn create_unchecked(&mut self, database: u64, mut meta: CollectionMeta) -> u64 {
        let id = self.state.next_tick();
        meta.object_id = self.state.next_tick();
        self.write(Record::CreateCollection { database, id, meta });
        id
    }

    /// Creates a database with its system collections.
    pub(crate) fn create_database(&mut self, name: &str) -> Result<(), ApiError> {
        if !names::is_normalized(name) {
            let text = "database name is not properly UTF-8 NFC-normalized";
            return Err(ApiError::new(400, 1229, text));
        }
        if !names::database(name, self.extended_names) {
            return Err(ApiError::new(400, 1229, "database name invalid"));
        }
        if self.state.databases.contains_key(name) {
            return Err(ApiError::duplicate_name());
        }
        let id = self.state.next_tick();
        self.write(Record::CreateDatabase {
            id,
            name: String::from(name),
        });
        self.create_system_collections(id, system_collections(name));
        self.require_sync();
        Ok(())
    }

    /// Drops a database and all that is in it.
    pub(crate) fn drop_database(&mut self, name: &str) -> Result<(), ApiError> {
        let id = self.database(name)?.id;
        if id == SYSTEM_ID {
            return Err(ApiError::forbidden());
        }
        self.write(Record::DropDatabase { id });
        self.require_sync();
        Ok(())
    }

    /// Creates a collection and returns its id.
    pub(crate) fn create_collection(
        &mut self,
        database: &str,
        meta: CollectionMeta,
    ) -> Result<u64, ApiError> {
        let found = self.database(database)?;
        let id = found.id;
        if !names::collection(&meta.name, meta.system, self.extended_names) {
            return Err(ApiError::new(400, 1208, "illegal name"));
        }
        if found.collections.contains_key(&meta.name) {
            return Err(ApiError::duplicate_name());
        }
        self.require_sync();
        Ok(self.create_unchecked(id, meta))
    }

    /// Gives a collection other properties; the name is checked if it changes.
    pub(crate) fn change_collection(
        &mut self,
        database: &str,
        name: &str,
        meta: CollectionMeta,
    ) -> Result<(), ApiError> {
        let collection = self.collection(database, name)?;
        let id = collection.id;
        if collection.meta.name != meta.name {
            if !names::collection(&meta.name, meta.system, self.extended_names) {
                return Err(ApiError::new(400, 1208, "illegal name"));
            }
            if self
                .database(database)?
                .collections
                .contains_key(&meta.name)
            {
                return Err(ApiError::duplicate_name());
            }
        }
        self.write(Record::ChangeCollection { id, meta });
        self.require_sync();
        Ok(())
    }

    /// Makes an index, unless there is one like it.
    pub(crate) fn ensure_index(
        &mut self,
        database: &str,
        name: &str,
        wanted: Value,
    ) -> Result<Ensured, ApiError> {
        let mut meta = self.collection(database, name)?.meta.clone();
        let ensured = indexes::ensure(&meta.indexes, wanted, || self.state.next_tick())?;
        if let Ensured::New(index) = &ensured {
            meta.indexes.push(index.clone());
            self.change_collection(database, name, meta)?;
        }
        Ok(ensured)
    }

    /// Drops the index at this place and returns it.
    pub(crate) fn drop_index(
        &mut self,
        database: &str,
        name: &str,
        place: usize,
    ) -> Result<Value, ApiError> {
        let mut meta = self.collection(database, name)?.meta.clone();
        let index = meta.indexes.remove(place);
        self.change_collection(database, name, meta)?;
        Ok(index)
    }

    /// Drops a collection and returns its id.
    pub(crate) fn drop_collection(&mut self, database: &str, name: &str) -> Result<u64, ApiError> {
        let id = self.collection(database, name)?.id;
        self.write(Record::DropCollection { id });
        self.require_sync();
        Ok(id)
    }

    /// Removes all documents of a collection.
    pub(crate) fn truncate(&mut self, database: &str, name: &str) -> Result<(), ApiError> {
        let id = self.collection(database, name)?.id;
        let revision = self.state.clock.tick();
        self.write(Record::Truncate { id, revision });
        Ok(())
    }

    /// A collection by its id.
    pub(crate) fn collection_by_id(&self, id: u64) -> Option<&Collection> {
        self.state.collections.get(&id)
    }
}
