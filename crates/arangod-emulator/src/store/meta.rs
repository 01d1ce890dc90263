//! Name and properties of a collection.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How keys are made for documents without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum KeyGenerator {
    /// Growing numbers, shared by the whole server.
    Traditional,
    /// Numbers of the collection, one step after the other.
    Autoincrement,
    /// Random UUIDs.
    Uuid,
    /// Growing numbers in hexadecimal, all of one length.
    Padded,
}

/// What is known of a collection beside its documents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CollectionMeta {
    /// Its name.
    pub(crate) name: String,
    /// 2 for documents, 3 for edges.
    pub(crate) kind: u8,
    /// Whether its name starts with an underscore.
    pub(crate) system: bool,
    /// Whether every write waits for the disk.
    pub(crate) wait_for_sync: bool,
    /// Kept and shown, without an effect.
    pub(crate) cache_enabled: bool,
    /// Kept and shown, without an effect on a single server.
    pub(crate) write_concern: u64,
    /// How keys are made.
    pub(crate) keys: KeyGenerator,
    /// Whether clients may bring their own keys.
    pub(crate) allow_user_keys: bool,
    /// The step of [`KeyGenerator::Autoincrement`].
    pub(crate) increment: u64,
    /// The start of [`KeyGenerator::Autoincrement`].
    pub(crate) offset: u64,
    /// The id of the collection in the storage engine; only shown.
    pub(crate) object_id: u64,
    /// The indexes that clients have made.
    #[serde(default)]
    pub(crate) indexes: Vec<Value>,
}

impl CollectionMeta {
    /// A document collection with the default properties.
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: String::from(name),
            kind: 2,
            system: name.starts_with('_'),
            wait_for_sync: false,
            cache_enabled: false,
            write_concern: 1,
            keys: KeyGenerator::Traditional,
            allow_user_keys: true,
            increment: 1,
            offset: 0,
            object_id: 0,
            indexes: Vec::new(),
        }
    }

    /// Whether documents of it are edges.
    pub(crate) fn is_edge(&self) -> bool {
        self.kind == 3
    }

    /// The properties as the journal keeps them.
    pub(crate) fn to_text(&self) -> String {
        json!(self).to_string()
    }

    /// `keyOptions` as clients see them.
    pub(crate) fn key_options(&self, last_value: u64) -> Value {
        let mut options = json!({ "allowUserKeys": self.allow_user_keys, "type": self.keys });
        let extra = match self.keys {
            KeyGenerator::Autoincrement => vec![
                ("offset", json!(self.offset)),
                ("increment", json!(self.increment)),
                ("lastValue", json!(last_value)),
            ],
            KeyGenerator::Traditional | KeyGenerator::Padded => {
                vec![("lastValue", json!(last_value))]
            }
            KeyGenerator::Uuid => Vec::new(),
        };
        if let Some(object) = options.as_object_mut() {
            for (name, value) in extra {
                object.insert(String::from(name), value);
            }
        }
        options
    }
}
