//! Keys and values: put, get, list, delete, and compare-and-swap.

use serde_json::json;

use super::wire::{
    DeleteAnswer, KvAnswer, PlainAnswer, RangeAnswer, TxnAnswer, encode, prefix_range,
};
use super::{EtcdClient, EtcdError, Kind};

/// A key with its value and revisions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyValue {
    /// The key without the client's prefix. Bytes that are not UTF-8 are replaced.
    pub key: String,
    /// The value.
    pub value: Vec<u8>,
    /// The store's revision at which the key was created last.
    pub create_revision: u64,
    /// The store's revision at which it was written last.
    pub mod_revision: u64,
    /// How often it was written since it was created.
    pub version: u64,
}

impl KeyValue {
    /// The value as text; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.value).into_owned()
    }
}

/// What a compare-and-swap expects to find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// No such key.
    Absent,
    /// The key with this value.
    Value(Vec<u8>),
    /// The key as it was written at this revision of the store, and not since.
    Revision(u64),
}

impl Expected {
    /// The key with this value.
    #[must_use]
    pub fn value(value: impl AsRef<[u8]>) -> Self {
        Self::Value(value.as_ref().to_vec())
    }
}

/// What a compare-and-swap did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Swapped {
    /// The value was written, at this revision of the store.
    Done {
        /// The revision.
        revision: u64,
    },
    /// The expectation did not hold; nothing was changed.
    Lost {
        /// What was there instead; `None` for nothing.
        found: Option<KeyValue>,
    },
}

impl Swapped {
    /// Whether the value was written.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done { .. })
    }
}

impl EtcdClient {
    /// Writes a value. When this returns `Ok`, a majority of the members has it; the answer is the store's revision.
    ///
    /// # Errors
    /// [`EtcdError::is_unknown`] tells a write that may have been done from one that was not.
    pub async fn put(&self, key: &str, value: impl AsRef<[u8]>) -> Result<u64, EtcdError> {
        let key = self.full(key);
        let body = json!({ "key": encode(&key), "value": encode(value) });
        let answer: PlainAnswer = self
            .call(Kind::Write, format!("put {key:?}"), "/v3/kv/put", &body)
            .await?;
        Ok(answer.header.revision)
    }

    /// Reads a value, linearizably: it shows every write acknowledged before the call.
    ///
    /// # Errors
    /// When no member answers, which it cannot without a leader.
    pub async fn get(&self, key: &str) -> Result<Option<KeyValue>, EtcdError> {
        let key = self.full(key);
        let body = json!({ "key": encode(&key) });
        let answer: RangeAnswer = self
            .call(Kind::Read, format!("get {key:?}"), "/v3/kv/range", &body)
            .await?;
        Ok(self.key_values(answer.kvs).pop())
    }

    /// Reads a value as one member has it, which may be behind the others. It needs no leader; with more than one
    /// member in the client, the first that answers is asked (see [`EtcdClient::at`]).
    ///
    /// # Errors
    /// When no member answers.
    pub async fn get_serializable(&self, key: &str) -> Result<Option<KeyValue>, EtcdError> {
        let key = self.full(key);
        let body = json!({ "key": encode(&key), "serializable": true });
        let request = format!("get {key:?} (serializable)");
        let answer: RangeAnswer = self
            .call(Kind::Read, request, "/v3/kv/range", &body)
            .await?;
        Ok(self.key_values(answer.kvs).pop())
    }

    /// All keys that begin with `prefix`, sorted, with their values, linearizably. An empty one lists all keys of the
    /// client.
    ///
    /// # Errors
    /// When no member answers, or the answer is larger than 64 MiB.
    pub async fn list(&self, prefix: &str) -> Result<Vec<KeyValue>, EtcdError> {
        let prefix = self.full(prefix);
        let (key, range_end) = prefix_range(prefix.as_bytes());
        let body = json!({ "key": key, "range_end": range_end });
        let answer: RangeAnswer = self
            .call(
                Kind::Read,
                format!("list {prefix:?}"),
                "/v3/kv/range",
                &body,
            )
            .await?;
        Ok(self.key_values(answer.kvs))
    }

    /// The first `limit` keys that begin with `prefix`, without the client's prefix and without their values, and how
    /// many there are in all.
    ///
    /// # Errors
    /// When no member answers.
    pub async fn list_keys(
        &self,
        prefix: &str,
        limit: u32,
    ) -> Result<(Vec<String>, u64), EtcdError> {
        let prefix = self.full(prefix);
        let range = prefix_range(prefix.as_bytes());
        self.keys_between(range, limit, format!("list keys {prefix:?}"))
            .await
    }

    /// The same for any range, in the encoding of the gateway.
    pub(crate) async fn keys_between(
        &self,
        (key, range_end): (String, String),
        limit: u32,
        request: String,
    ) -> Result<(Vec<String>, u64), EtcdError> {
        let body = json!({
            "key": key, "range_end": range_end, "keys_only": true, "limit": limit.to_string(),
        });
        let answer: RangeAnswer = self
            .call(Kind::Read, request, "/v3/kv/range", &body)
            .await?;
        let keys = self.key_values(answer.kvs).into_iter().map(|kv| kv.key);
        Ok((keys.collect(), answer.count))
    }

    /// Deletes a key. The answer is whether it was there.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub async fn delete(&self, key: &str) -> Result<bool, EtcdError> {
        let key = self.full(key);
        let body = json!({ "key": encode(&key) });
        let request = format!("delete {key:?}");
        let answer: DeleteAnswer = self
            .call(Kind::Write, request, "/v3/kv/deleterange", &body)
            .await?;
        Ok(answer.deleted > 0)
    }

    /// Deletes all keys that begin with `prefix`. The answer is how many there were.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub async fn delete_prefix(&self, prefix: &str) -> Result<u64, EtcdError> {
        let prefix = self.full(prefix);
        let (key, range_end) = prefix_range(prefix.as_bytes());
        let body = json!({ "key": key, "range_end": range_end });
        let request = format!("delete prefix {prefix:?}");
        let answer: DeleteAnswer = self
            .call(Kind::Write, request, "/v3/kv/deleterange", &body)
            .await?;
        Ok(answer.deleted)
    }

    /// Writes a value if the key is as expected, in one transaction.
    ///
    /// # Errors
    /// As [`Self::put`]. A key that is not as expected is no error but [`Swapped::Lost`].
    pub async fn compare_and_swap(
        &self,
        key: &str,
        expected: &Expected,
        value: impl AsRef<[u8]>,
    ) -> Result<Swapped, EtcdError> {
        let key = self.full(key);
        let name = encode(&key);
        let compare = match expected {
            Expected::Absent => json!({
                "key": name, "target": "CREATE", "result": "EQUAL", "create_revision": "0",
            }),
            Expected::Value(value) => json!({
                "key": name, "target": "VALUE", "result": "EQUAL", "value": encode(value),
            }),
            Expected::Revision(revision) => json!({
                "key": name, "target": "MOD", "result": "EQUAL", "mod_revision": revision.to_string(),
            }),
        };
        let body = json!({
            "compare": [compare],
            "success": [{ "request_put": { "key": name, "value": encode(value) } }],
            "failure": [{ "request_range": { "key": name } }],
        });
        let request = format!("compare and swap {key:?}");
        let answer: TxnAnswer = self.call(Kind::Write, request, "/v3/kv/txn", &body).await?;
        if answer.succeeded {
            return Ok(Swapped::Done {
                revision: answer.header.revision,
            });
        }
        let ranges = answer
            .responses
            .into_iter()
            .filter_map(|part| part.response_range);
        let found = ranges.flat_map(|range| range.kvs).collect();
        Ok(Swapped::Lost {
            found: self.key_values(found).pop(),
        })
    }

    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix())
    }

    fn key_values(&self, answers: Vec<KvAnswer>) -> Vec<KeyValue> {
        let cut = |answer: KvAnswer| {
            let full = String::from_utf8_lossy(&answer.key);
            let key = full.strip_prefix(self.prefix()).unwrap_or(&full).to_owned();
            KeyValue {
                key,
                value: answer.value,
                create_revision: answer.create_revision,
                mod_revision: answer.mod_revision,
                version: answer.version,
            }
        };
        answers.into_iter().map(cut).collect()
    }
}
