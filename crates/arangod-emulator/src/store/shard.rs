//! Shards: collections whose changes are numbered, and shipped to other servers.
//!
//! The id of such a collection is the number in the name of the shard, which is the same on all
//! servers, so records mean the same everywhere. A mark is in the frame of the changes that it
//! counts: after a crash both are there, or neither is.

use serde::{Deserialize, Serialize};

use super::record::Record;
use super::{Collection, CollectionMeta, Store};
use crate::errors::ApiError;

/// A place in the history of a shard. Two copies at the same one are the same: an epoch has one
/// leader, and that one gives each number once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Which leadership.
    pub(crate) epoch: u64,
    /// Which change of that leadership.
    pub(crate) seq: u64,
}

/// How far a copy has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The last change in it.
    pub(crate) at: Position,
    /// The greatest epoch that was heard of.
    pub(crate) seen: u64,
}

impl Mark {
    /// The mark of a copy that has come so far, and heard of nothing later.
    pub(crate) fn at(position: Position) -> Self {
        Self {
            at: position,
            seen: position.epoch,
        }
    }
}

/// What a leader sends its followers: the very records of its journal.
#[derive(Debug)]
pub(crate) struct Shipment {
    /// Where the shard is behind them.
    pub(crate) at: Position,
    /// They must be on the disk before they are confirmed.
    pub(crate) sync: bool,
    /// The records.
    pub(crate) records: Vec<u8>,
}

fn foreign() -> ApiError {
    ApiError::bad("the records are not those of the shard")
}

fn decode(mut records: &[u8]) -> Result<Vec<Record>, ApiError> {
    let mut decoded = Vec::new();
    while !records.is_empty() {
        let record =
            Record::decode(&mut records).map_err(|error| ApiError::bad(error.to_string()))?;
        decoded.push(record);
    }
    Ok(decoded)
}

impl Store {
    /// Begins a group: changes until [`Store::close_group`] become one frame.
    pub(crate) fn open_group(&mut self) -> Result<(), ApiError> {
        self.check()?;
        self.pending.clear();
        self.sync = false;
        self.grouping = true;
        Ok(())
    }

    /// How much the group has written.
    pub(crate) fn written(&self) -> usize {
        self.pending.len()
    }

    /// Ends the group: numbers it and hands it to the journal. Nothing if it has changed nothing.
    pub(crate) fn close_group(&mut self, shard: u64) -> Result<Option<Shipment>, ApiError> {
        self.grouping = false;
        let Some(found) = self
            .collection_by_id(shard)
            .filter(|_| !self.pending.is_empty())
        else {
            return Ok(None);
        };
        let mut mark = found.mark;
        mark.at.seq += 1;
        let shipment = Shipment {
            at: mark.at,
            sync: self.sync,
            records: self.pending.clone(),
        };
        let collection = shard;
        self.write(Record::Mark { collection, mark });
        self.append()?;
        Ok(Some(shipment))
    }

    /// The group was interrupted: memory holds what the journal does not.
    pub(crate) fn abandon_group(&mut self) {
        self.grouping = false;
        self.broken = Some(String::from("a group of changes was interrupted"));
    }

    /// Names what the ids of the documents of a shard begin with.
    pub(crate) fn show_as(&mut self, shard: u64, name: Option<&str>) {
        if let Some(found) = self.state.collections.get_mut(&shard) {
            found.shown = name.map(Box::from);
        }
    }

    /// Creates an empty shard.
    pub(crate) fn create_shard(
        &mut self,
        database: &str,
        id: u64,
        meta: CollectionMeta,
    ) -> Result<(), ApiError> {
        let database = self.database(database)?.id;
        self.write(Record::CreateCollection { database, id, meta });
        self.require_sync();
        Ok(())
    }

    /// Gives a shard the properties that were planned, if it has others.
    pub(crate) fn change_shard(&mut self, id: u64, wait_for_sync: bool) {
        let changed = self
            .collection_by_id(id)
            .filter(|found| found.meta.wait_for_sync != wait_for_sync)
            .map(|found| found.meta.clone());
        if let Some(mut meta) = changed {
            meta.wait_for_sync = wait_for_sync;
            self.write(Record::ChangeCollection { id, meta });
            self.require_sync();
        }
    }

    /// Notes how far a shard has come.
    pub(crate) fn mark_shard(&mut self, collection: u64, mark: Mark) {
        self.write(Record::Mark { collection, mark });
    }

    /// Applies what the leader has shipped.
    pub(crate) fn apply_shipment(
        &mut self,
        shard: u64,
        at: Position,
        sync: bool,
        records: &[u8],
    ) -> Result<bool, ApiError> {
        let records = decode(records)?;
        let truncates = |record: &Record| matches!(record, Record::Truncate { .. });
        let truncated = records.iter().any(truncates);
        let ours = |record: &Record| {
            matches!(record, Record::Put { collection, .. } | Record::Remove { collection, .. } if *collection == shard)
                || matches!(record, Record::Truncate { id, .. } | Record::ChangeCollection { id, .. } if *id == shard)
        };
        if !records.iter().all(ours) {
            return Err(foreign());
        }
        for record in records {
            if matches!(record, Record::Put { .. } | Record::Remove { .. }) {
                self.written.by_leaders += 1;
            }
            self.write(record);
        }
        self.mark_shard(shard, Mark::at(at));
        if sync {
            self.require_sync();
        }
        Ok(truncated)
    }

    /// The records that make a shard from nothing, without its database and its mark.
    pub(crate) fn snapshot_shard(&self, shard: u64) -> Option<(CollectionMeta, Position, Vec<u8>)> {
        let found = self.collection_by_id(shard)?;
        let mut records = Vec::new();
        let never: Result<(), std::convert::Infallible> = found.snapshot(|record| {
            if matches!(record, Record::Put { .. }) {
                record.encode(&mut records);
            }
            Ok(())
        });
        let Ok(()) = never;
        Some((found.meta.clone(), found.mark.at, records))
    }

    /// Puts a snapshot in the place of whatever there was of the shard.
    pub(crate) fn replace_shard(
        &mut self,
        database: &str,
        shard: u64,
        meta: CollectionMeta,
        at: Position,
        records: &[u8],
    ) -> Result<(), ApiError> {
        let records = decode(records)?;
        let ours = |record: &Record| matches!(record, Record::Put { collection, .. } if *collection == shard);
        if !records.iter().all(ours) {
            return Err(foreign());
        }
        self.drop_shard(shard);
        self.create_shard(database, shard, meta)?;
        for record in records {
            self.write(record);
        }
        self.mark_shard(shard, Mark::at(at));
        Ok(())
    }

    /// Drops a shard, if it is there.
    pub(crate) fn drop_shard(&mut self, id: u64) {
        if self.collection_by_id(id).is_some() {
            self.write(Record::DropCollection { id });
            self.require_sync();
        }
    }

    /// All shards: name, and the database they are in.
    pub(crate) fn shards(&self) -> Vec<(String, String)> {
        let of = |found: &Collection| found.meta.name.clone();
        let databases = self.databases().map(|found| found.name.clone());
        databases
            .flat_map(|database| {
                let shards: Vec<_> = self.collections(&database).map(of).collect();
                shards.into_iter().map(move |name| (name, database.clone()))
            })
            .collect()
    }

    /// Makes the databases those that are planned, by name and id.
    pub(crate) fn follow_databases(&mut self, planned: &[(String, u64)]) {
        let known: Vec<(String, u64)> = self
            .databases()
            .map(|found| (found.name.clone(), found.id))
            .collect();
        for (_, id) in known.iter().filter(|known| !planned.contains(known)) {
            self.write(Record::DropDatabase { id: *id });
            self.require_sync();
        }
        for (name, id) in planned.iter().filter(|wanted| !known.contains(wanted)) {
            self.write(Record::CreateDatabase {
                id: *id,
                name: name.clone(),
            });
            self.require_sync();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::{Change, Mode, SYSTEM_ID, attributes};

    const HOW: Change = Change {
        mode: Mode::Replace,
        keep_null: true,
        merge_objects: true,
        version_attribute: None,
        return_new: false,
        return_old: false,
    };

    fn at(epoch: u64, seq: u64) -> Position {
        Position { epoch, seq }
    }

    fn opened(path: &std::path::Path) -> Store {
        let (mut store, _) = Store::open(path, false, false).unwrap();
        let databases = [(String::from("_system"), SYSTEM_ID)];
        let made = store.transact(|store| {
            store.follow_databases(&databases);
            if store.collection_by_id(7).is_none() {
                store.create_shard("_system", 7, CollectionMeta::named("s7"))?;
                store.mark_shard(7, Mark::at(at(1, 0)));
            }
            Ok(())
        });
        made.unwrap();
        store
    }

    fn grouped(store: &mut Store, keys: &[&str]) -> Option<Shipment> {
        store.open_group().unwrap();
        for key in keys {
            let document = attributes(json!({ "_key": key })).unwrap();
            store
                .transact(|store| store.insert(7, document, &HOW))
                .unwrap();
        }
        store.close_group(7).unwrap()
    }

    fn state(store: &Store) -> (Mark, Vec<String>) {
        let found = store.collection_by_id(7).unwrap();
        let documents = found.documents.iter();
        let texts = documents.map(|(key, document)| document.render(found, key));
        (found.mark, texts.collect())
    }

    #[test]
    fn a_group_is_there_whole_or_not_at_all_with_its_mark() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut store = opened(&path);
        assert!(grouped(&mut store, &[]).is_none());
        let before = std::fs::metadata(&path).unwrap().len();
        let shipment = grouped(&mut store, &["a", "b"]).unwrap();
        assert_eq!(shipment.at, at(1, 1));
        let whole = state(&store);
        drop(store);
        let bytes = std::fs::read(&path).unwrap();
        for cut in before..=bytes.len() as u64 {
            std::fs::write(&path, &bytes[..usize::try_from(cut).unwrap()]).unwrap();
            let found = state(&opened(&path));
            if cut == bytes.len() as u64 {
                assert_eq!(found, whole);
            } else {
                assert_eq!(found, (Mark::at(at(1, 0)), Vec::new()));
            }
        }
    }

    #[test]
    fn copies_become_the_same_by_shipments_or_a_snapshot() {
        let folder = tempfile::tempdir().unwrap();
        let mut leader = opened(&folder.path().join("leader"));
        let (by_records, by_snapshot) = (folder.path().join("r"), folder.path().join("s"));
        let mut follower = opened(&by_records);
        for keys in [&["a", "b"][..], &["b"], &["c"]] {
            let shipment = grouped(&mut leader, keys).unwrap();
            let Shipment { at, sync, records } = &shipment;
            follower
                .transact(|store| store.apply_shipment(7, *at, *sync, records))
                .unwrap();
        }
        assert_eq!(state(&follower), state(&leader));
        // Whatever the other copy holds is gone.
        let mut other = opened(&by_snapshot);
        grouped(&mut other, &["x"]).unwrap();
        let (meta, at, records) = leader.snapshot_shard(7).unwrap();
        other
            .transact(|store| store.replace_shard("_system", 7, meta, at, &records))
            .unwrap();
        assert_eq!(state(&other), state(&leader));
        drop((follower, other));
        for path in [by_records, by_snapshot] {
            assert_eq!(state(&opened(&path)), state(&leader));
        }
    }

    #[test]
    fn records_of_another_shard_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = opened(&folder.path().join("journal"));
        let shipment = grouped(&mut store, &["a"]).unwrap();
        let refused =
            store.transact(|store| store.apply_shipment(8, at(1, 2), false, &shipment.records));
        assert_eq!(refused.unwrap_err().status, 400);
        let torn = &shipment.records[1..];
        let refused = store.transact(|store| store.apply_shipment(7, at(1, 2), false, torn));
        assert_eq!(refused.unwrap_err().status, 400);
    }

    #[test]
    fn nobody_sees_a_group_that_was_interrupted() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = opened(&folder.path().join("journal"));
        store.open_group().unwrap();
        store.abandon_group();
        assert_eq!(store.check().unwrap_err().status, 500);
    }
}
