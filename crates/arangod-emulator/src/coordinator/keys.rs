//! Keys for documents that come without one: made by the coordinator, because the key decides to
//! which shard a document belongs.

use std::ops::Range;

use serde_json::{Map, Value};

use super::Planned;
use crate::cluster::Cluster;
use crate::errors::ApiError;
use crate::server::Server;
use crate::store::{KeyGenerator, given_key};

/// As many keys as a request needs.
#[derive(Debug)]
pub(crate) struct Keys {
    generator: KeyGenerator,
    allow_user_keys: bool,
    numbers: Range<u64>,
}

impl Keys {
    /// Takes so many keys for a collection.
    pub(crate) async fn take(
        server: &Server,
        cluster: &Cluster,
        collection: &Planned,
        count: usize,
    ) -> Result<Self, ApiError> {
        let generator = collection.key_generator();
        let numbers = match generator {
            KeyGenerator::Uuid => 0..0,
            _ if count == 0 => 0..0,
            _ => server.numbers.take(cluster, count as u64).await?,
        };
        Ok(Self {
            generator,
            allow_user_keys: collection.allows_user_keys(),
            numbers,
        })
    }

    /// Sees to it that the document has a key, and returns it.
    pub(crate) fn give(&mut self, object: &mut Map<String, Value>) -> Result<String, ApiError> {
        if let Some(key) = given_key(object)? {
            if !self.allow_user_keys {
                return Err(ApiError::new(400, 1222, "unexpected document key"));
            }
            return Ok(String::from(key));
        }
        let mut number = || {
            let next = self.numbers.next();
            next.ok_or_else(|| ApiError::new(500, 4, "too few keys were taken"))
        };
        let key = match self.generator {
            KeyGenerator::Uuid => crate::system::uuid().map_err(ApiError::storage)?,
            KeyGenerator::Padded => format!("{:016x}", number()?),
            KeyGenerator::Traditional | KeyGenerator::Autoincrement => number()?.to_string(),
        };
        object.insert(String::from("_key"), Value::from(key.as_str()));
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn keys(generator: KeyGenerator, allow_user_keys: bool) -> Keys {
        Keys {
            generator,
            allow_user_keys,
            numbers: 1_000_001..1_000_002,
        }
    }

    fn give(keys: &mut Keys, document: Value) -> Result<String, u32> {
        let mut object = document.as_object().cloned().unwrap_or_default();
        let key = keys.give(&mut object).map_err(|error| error.number)?;
        assert_eq!(object["_key"], json!(key));
        Ok(key)
    }

    #[test]
    fn own_and_made_keys() {
        let mut traditional = keys(KeyGenerator::Traditional, true);
        assert_eq!(give(&mut traditional, json!({"_key": "k"})), Ok("k".into()));
        assert_eq!(give(&mut traditional, json!({"_key": "a/b"})), Err(1221));
        assert_eq!(give(&mut traditional, json!({"_key": 7})), Err(1221));
        assert_eq!(give(&mut traditional, json!({})), Ok("1000001".into()));
        assert_eq!(give(&mut traditional, json!({})), Err(4));
        let mut padded = keys(KeyGenerator::Padded, false);
        assert_eq!(give(&mut padded, json!({"_key": "k"})), Err(1222));
        assert_eq!(give(&mut padded, json!({})), Ok("00000000000f4241".into()));
        let made = give(&mut keys(KeyGenerator::Uuid, true), json!({})).unwrap();
        assert_eq!(made.len(), 36);
    }
}
