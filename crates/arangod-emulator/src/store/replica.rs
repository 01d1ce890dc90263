//! A store without a journal: what a server of a cluster knows from the agency.

use serde_json::{Map, Value};

use super::state::{SYSTEM_ID, State};
use super::{CollectionMeta, Record, SYSTEM, Store, Written};
use crate::auth::users;

impl Store {
    /// A store with these databases, by name and id, these collections, by database, name and id,
    /// without documents, and these users' documents.
    pub(crate) fn replica(
        databases: impl IntoIterator<Item = (String, u64)>,
        collections: impl IntoIterator<Item = (u64, String, u64)>,
        users: impl IntoIterator<Item = Map<String, Value>>,
        extended_names: bool,
    ) -> Self {
        let mut store = Self {
            state: State::default(),
            journal: None,
            pending: Vec::new(),
            sync: false,
            grouping: false,
            broken: None,
            extended_names,
            always_sync: false,
            written: Written::default(),
        };
        store.bootstrap();
        for (name, id) in databases {
            if name != SYSTEM {
                store.write(Record::CreateDatabase { id, name });
            }
        }
        for (database, name, id) in collections {
            let meta = CollectionMeta::named(&name);
            let known = store.state.database_by_id(database);
            // Those of `_system` that are here by themselves stay.
            if known.is_some_and(|found| !found.collections.contains_key(&name)) {
                store.write(Record::CreateCollection { database, id, meta });
            }
        }
        for document in users {
            // A document that is none of ours is nobody's user.
            drop(users::restore(&mut store, document));
        }
        store.pending.clear();
        store
    }

    /// A store that knows `_system` and nobody: an agent's.
    pub(crate) fn nobodys() -> Self {
        Self::replica([(String::from(SYSTEM), SYSTEM_ID)], [], [], false)
    }
}
