//! All data in memory, and how records change it.
//!
//! Live writes and recovery take the same way, [`State::apply`], so what a client saw and what a
//! restart finds cannot differ by a second implementation.

use std::collections::{BTreeMap, HashMap};

use super::meta::CollectionMeta;
use super::record::Record;
use super::revision::Clock;
use super::shard::Mark;

/// The id of `_system`.
pub(crate) const SYSTEM_ID: u64 = 1;

/// A document: revision and attributes. Key and collection are known from where it lies.
#[derive(Debug)]
pub(crate) struct Document {
    /// Its revision.
    pub(crate) revision: u64,
    /// Its attributes as JSON, without key, id and revision.
    pub(crate) body: Box<str>,
}

/// A collection with its documents in the order of their keys.
#[derive(Debug)]
pub(crate) struct Collection {
    /// Its id.
    pub(crate) id: u64,
    /// The id of its database.
    pub(crate) database: u64,
    /// Name and properties.
    pub(crate) meta: CollectionMeta,
    /// Key to document.
    pub(crate) documents: BTreeMap<Box<str>, Document>,
    /// The revision of the last change.
    pub(crate) revision: u64,
    /// The greatest numeric key there ever was.
    pub(crate) last_value: u64,
    /// How far the shard has come, if it is one.
    pub(crate) mark: Mark,
    /// What the ids of its documents begin with, where that is not its own name.
    pub(crate) shown: Option<Box<str>>,
}

impl Collection {
    /// The records that make it from nothing.
    pub(crate) fn snapshot<E>(
        &self,
        mut each: impl FnMut(&Record) -> Result<(), E>,
    ) -> Result<(), E> {
        each(&Record::CreateCollection {
            database: self.database,
            id: self.id,
            meta: self.meta.clone(),
        })?;
        for (key, document) in &self.documents {
            each(&Record::Put {
                collection: self.id,
                revision: document.revision,
                key: key.clone(),
                body: document.body.clone(),
            })?;
        }
        if self.mark != Mark::default() {
            each(&Record::Mark {
                collection: self.id,
                mark: self.mark,
            })?;
        }
        Ok(())
    }

    /// The `_id` of a document.
    pub(crate) fn id_of(&self, key: &str) -> String {
        let name = self.shown.as_deref().unwrap_or(&self.meta.name);
        format!("{name}/{key}")
    }
}

/// A database.
#[derive(Debug)]
pub(crate) struct Database {
    /// Its id.
    pub(crate) id: u64,
    /// Its name.
    pub(crate) name: String,
    /// Name to id of its collections.
    pub(crate) collections: BTreeMap<String, u64>,
}

/// Everything that is stored.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Name to database.
    pub(crate) databases: BTreeMap<String, Database>,
    /// Id to collection.
    pub(crate) collections: HashMap<u64, Collection>,
    /// The greatest number given as an id or a key.
    pub(crate) tick: u64,
    /// The clock of the revisions.
    pub(crate) clock: Clock,
}

impl State {
    /// The next id.
    pub(crate) fn next_tick(&mut self) -> u64 {
        self.tick += 1;
        self.tick
    }

    /// A database by its id.
    pub(crate) fn database_by_id(&mut self, id: u64) -> Option<&mut Database> {
        self.databases.values_mut().find(|found| found.id == id)
    }

    /// A collection of a database, by name or by id.
    pub(crate) fn collection(&self, database: &str, name: &str) -> Option<&Collection> {
        let database = self.databases.get(database)?;
        let id = match database.collections.get(name) {
            Some(id) => *id,
            None => name.parse().ok()?,
        };
        let found = self.collections.get(&id)?;
        (found.database == database.id).then_some(found)
    }

    /// Makes one change. A record about something that is not there changes nothing: the writer
    /// has checked before, and a journal of another order than its writing cannot arise.
    pub(crate) fn apply(&mut self, record: Record) {
        match record {
            Record::CreateDatabase { id, name } => {
                self.tick = self.tick.max(id);
                let database = Database {
                    id,
                    name: name.clone(),
                    collections: BTreeMap::new(),
                };
                self.databases.insert(name, database);
            }
            Record::DropDatabase { id } => {
                self.databases.retain(|_, database| database.id != id);
                self.collections.retain(|_, found| found.database != id);
            }
            Record::CreateCollection { database, id, meta } => {
                self.tick = self.tick.max(id).max(meta.object_id);
                if let Some(found) = self.database_by_id(database) {
                    found.collections.insert(meta.name.clone(), id);
                    let collection = Collection {
                        id,
                        database,
                        meta,
                        documents: BTreeMap::new(),
                        revision: 0,
                        last_value: 0,
                        mark: Mark::default(),
                        shown: None,
                    };
                    self.collections.insert(id, collection);
                }
            }
            Record::ChangeCollection { id, meta } => {
                let Some(collection) = self.collections.get_mut(&id) else {
                    return;
                };
                let (database, new) = (collection.database, meta.name.clone());
                let old = std::mem::replace(&mut collection.meta, meta).name;
                if let Some(found) = self.database_by_id(database) {
                    found.collections.remove(&old);
                    found.collections.insert(new, id);
                }
            }
            Record::DropCollection { id } => {
                if let Some(gone) = self.collections.remove(&id)
                    && let Some(found) = self.database_by_id(gone.database)
                {
                    found.collections.remove(&gone.meta.name);
                }
            }
            Record::Truncate { id, revision } => {
                self.clock.observe(revision);
                if let Some(collection) = self.collections.get_mut(&id) {
                    collection.documents.clear();
                    collection.revision = revision;
                }
            }
            Record::Put {
                collection,
                revision,
                key,
                body,
            } => {
                self.clock.observe(revision);
                if let Some(collection) = self.collections.get_mut(&collection) {
                    if let Ok(number) = key.parse::<u64>() {
                        collection.last_value = collection.last_value.max(number);
                    }
                    collection.revision = revision;
                    collection
                        .documents
                        .insert(key, Document { revision, body });
                }
            }
            Record::Remove {
                collection,
                revision,
                key,
            } => {
                self.clock.observe(revision);
                if let Some(collection) = self.collections.get_mut(&collection) {
                    collection.documents.remove(&key);
                    collection.revision = revision;
                }
            }
            Record::Mark { collection, mark } => {
                if let Some(collection) = self.collections.get_mut(&collection) {
                    collection.mark = mark;
                }
            }
        }
    }

    /// The records that make this state from nothing, frame by frame.
    pub(crate) fn snapshot(
        &self,
        mut each: impl FnMut(&Record) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        for database in self.databases.values() {
            each(&Record::CreateDatabase {
                id: database.id,
                name: database.name.clone(),
            })?;
            for id in database.collections.values() {
                let Some(collection) = self.collections.get(id) else {
                    continue;
                };
                collection.snapshot(&mut each)?;
            }
        }
        Ok(())
    }
}
