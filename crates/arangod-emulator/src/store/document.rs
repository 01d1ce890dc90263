//! Documents: reading, inserting, replacing, updating, removing.

use serde_json::{Map, Value};

use super::record::Record;
use super::{Collection, Document, KeyGenerator, Store, names, revision};
use crate::errors::ApiError;

/// What an insert does about a key that is there already (`overwriteMode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Refuse.
    Conflict,
    /// Leave the old document.
    Ignore,
    /// Put the new one in its place.
    Replace,
    /// Merge the new one into it.
    Update,
}

/// How a document is to be changed, and what is to be told about it.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// See [`Mode`].
    pub(crate) mode: Mode,
    /// Whether an update stores `null`, or removes the attribute instead.
    pub(crate) keep_null: bool,
    /// Whether an update merges objects, or replaces them.
    pub(crate) merge_objects: bool,
    /// The attribute with the version of a document: one that is not newer changes nothing.
    pub(crate) version_attribute: Option<String>,
    /// Whether the new document is wanted.
    pub(crate) return_new: bool,
    /// Whether the old document is wanted.
    pub(crate) return_old: bool,
}

/// The revision that a document must have to be changed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expected<'a> {
    /// Any.
    Any,
    /// This one.
    Revision(&'a str),
}

/// What a change did.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// `_id`
    pub(crate) id: String,
    /// `_key`
    pub(crate) key: String,
    /// `_rev` of the new document, or of the old one where nothing new is left.
    pub(crate) revision: u64,
    /// `_oldRev`, where there was an old document and a new one came in its place.
    pub(crate) old_revision: Option<u64>,
    /// The new document, if it is wanted.
    pub(crate) new: Option<String>,
    /// The old document, if it is wanted.
    pub(crate) old: Option<String>,
    /// Nothing was changed, as [`Mode::Ignore`] asks.
    pub(crate) ignored: bool,
}

/// The key of a document as a request gives it.
pub(crate) fn given_key(object: &Map<String, Value>) -> Result<Option<&str>, ApiError> {
    match object.get("_key") {
        None => Ok(None),
        Some(Value::String(key)) if names::key(key) => Ok(Some(key)),
        Some(_) => Err(ApiError::bad_key()),
    }
}

/// The attributes of a document that a client sent, or the error that it is no object.
pub(crate) fn attributes(value: Value) -> Result<Map<String, Value>, ApiError> {
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(ApiError::new(400, 1227, "invalid document type")),
    }
}

fn strip(object: &mut Map<String, Value>) {
    for name in ["_key", "_id", "_rev"] {
        object.remove(name);
    }
}

fn body_text(object: Map<String, Value>) -> Box<str> {
    Value::Object(object).to_string().into_boxed_str()
}

fn check_edge(collection: &Collection, object: &Map<String, Value>) -> Result<(), ApiError> {
    let good = |name: &str| {
        object
            .get(name)
            .and_then(Value::as_str)
            .is_some_and(names::handle)
    };
    if collection.meta.is_edge() && !(good("_from") && good("_to")) {
        return Err(ApiError::new(
            400,
            1233,
            "edge attribute missing or invalid",
        ));
    }
    Ok(())
}

/// Merges `patch` into `target` as PATCH does.
fn merge(target: &mut Map<String, Value>, patch: Map<String, Value>, how: &Change) {
    for (name, value) in patch {
        match (value, target.get_mut(&name)) {
            (Value::Null, _) if !how.keep_null => {
                target.remove(&name);
            }
            (Value::Object(patch), Some(Value::Object(inner))) if how.merge_objects => {
                merge(inner, patch, how);
            }
            (Value::Object(patch), _) if !how.keep_null => {
                let mut fresh = Map::new();
                merge(&mut fresh, patch, how);
                target.insert(name, Value::Object(fresh));
            }
            (value, _) => {
                target.insert(name, value);
            }
        }
    }
}

/// Whether a document comes with a version that is not newer than that of the document which is there.
fn is_outdated(old: &Map<String, Value>, new: &Map<String, Value>, how: &Change) -> Option<bool> {
    let attribute = how.version_attribute.as_deref()?;
    let version = |object: &Map<String, Value>| object.get(attribute).and_then(version);
    Some(version(new)? <= version(old)?)
}

/// A version, if this is one: any number that is not negative counts, without its fraction.
fn version(value: &Value) -> Option<u64> {
    let fits = |number: &f64| (0.0..18_446_744_073_709_551_616.0).contains(number);
    let fraction = || value.as_f64().filter(fits).map(|number| number as u64);
    value.as_u64().or_else(fraction)
}

impl Document {
    /// Its attributes, without those of the system.
    fn attributes(&self) -> Result<Map<String, Value>, ApiError> {
        serde_json::from_str(&self.body).map_err(ApiError::storage)
    }

    /// The whole document as JSON, system attributes first.
    pub(crate) fn render(&self, collection: &Collection, key: &str) -> String {
        let rest = self.body.strip_prefix('{').unwrap_or("}");
        let comma = if rest == "}" { "" } else { "," };
        format!(
            "{{\"_key\":{},\"_id\":{},\"_rev\":\"{}\"{comma}{rest}",
            quoted(key),
            quoted(&collection.id_of(key)),
            revision::encode(self.revision),
        )
    }
}

/// A text as JSON.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// What a change did that had nothing to change: the document keeps its revision (`modifyLocalHelper` in `Methods.cpp`).
fn unchanged(found: &Collection, document: &Document, key: &str, how: &Change) -> Outcome {
    let text = |wanted: bool| wanted.then(|| document.render(found, key));
    Outcome {
        id: found.id_of(key),
        key: String::from(key),
        revision: document.revision,
        old_revision: Some(document.revision),
        new: text(how.return_new),
        old: text(how.return_old),
        ignored: false,
    }
}

impl Store {
    fn by_id(&self, collection: u64) -> Result<&Collection, ApiError> {
        self.collection_by_id(collection)
            .ok_or_else(|| ApiError::collection_not_found(&collection.to_string()))
    }

    /// Finds the document and checks its revision.
    fn existing(
        &self,
        collection: u64,
        key: &str,
        expected: Expected<'_>,
    ) -> Result<(&Collection, &Document), ApiError> {
        let collection = self.by_id(collection)?;
        let document = collection
            .documents
            .get(key)
            .ok_or_else(ApiError::document_not_found)?;
        let revision = revision::encode(document.revision);
        match expected {
            Expected::Revision(wanted) if wanted != revision => {
                let id = collection.id_of(key);
                Err(ApiError::conflict(&id, key, &revision))
            }
            _ => Ok((collection, document)),
        }
    }

    fn new_key(&mut self, collection: u64) -> Result<String, ApiError> {
        let found = self.by_id(collection)?;
        let (last, meta) = (found.last_value, found.meta.clone());
        Ok(match meta.keys {
            KeyGenerator::Traditional | KeyGenerator::Padded => {
                self.state.tick = self.state.tick.max(last);
                let tick = self.state.next_tick();
                if meta.keys == KeyGenerator::Padded {
                    format!("{tick:016x}")
                } else {
                    tick.to_string()
                }
            }
            KeyGenerator::Autoincrement => {
                let step = meta.increment.max(1);
                let steps = last.saturating_sub(meta.offset) / step + 1;
                let next = steps
                    .checked_mul(step)
                    .and_then(|length| length.checked_add(meta.offset));
                next.ok_or_else(|| ApiError::new(400, 1224, "out of keys"))?
                    .to_string()
            }
            KeyGenerator::Uuid => crate::system::uuid().map_err(ApiError::storage)?,
        })
    }

    /// Stores a new document.
    pub(crate) fn insert(
        &mut self,
        collection: u64,
        mut object: Map<String, Value>,
        how: &Change,
    ) -> Result<Outcome, ApiError> {
        let found = self.by_id(collection)?;
        let key = given_key(&object)?.map(String::from);
        if let Some(key) = &key {
            if found.documents.contains_key(key.as_str()) {
                return match how.mode {
                    Mode::Conflict => Err(ApiError::unique_violation(key)),
                    Mode::Ignore => self.ignored(collection, key),
                    Mode::Replace => self.replace(collection, key, object, Expected::Any, how),
                    Mode::Update => self.update(collection, key, object, Expected::Any, how),
                };
            }
            if !found.meta.allow_user_keys {
                return Err(ApiError::new(400, 1222, "unexpected document key"));
            }
        }
        check_edge(found, &object)?;
        let key = match key {
            Some(key) => key,
            None => self.new_key(collection)?,
        };
        strip(&mut object);
        self.put(collection, key, object, None, how)
    }

    /// Puts a document in the place of another.
    pub(crate) fn replace(
        &mut self,
        collection: u64,
        key: &str,
        mut object: Map<String, Value>,
        expected: Expected<'_>,
        how: &Change,
    ) -> Result<Outcome, ApiError> {
        let (found, old) = self.existing(collection, key, expected)?;
        if how.version_attribute.is_some()
            && is_outdated(&old.attributes()?, &object, how) == Some(true)
        {
            return Ok(unchanged(found, old, key, how));
        }
        check_edge(found, &object)?;
        let old = (old.revision, how.return_old.then(|| old.render(found, key)));
        strip(&mut object);
        self.put(collection, String::from(key), object, Some(old), how)
    }

    /// Merges attributes into a document.
    pub(crate) fn update(
        &mut self,
        collection: u64,
        key: &str,
        mut patch: Map<String, Value>,
        expected: Expected<'_>,
        how: &Change,
    ) -> Result<Outcome, ApiError> {
        let (found, document) = self.existing(collection, key, expected)?;
        let mut object = document.attributes()?;
        let says_nothing = patch.keys().all(|name| name == "_key");
        if says_nothing || is_outdated(&object, &patch, how) == Some(true) {
            return Ok(unchanged(found, document, key, how));
        }
        strip(&mut patch);
        merge(&mut object, patch, how);
        check_edge(found, &object)?;
        let rendered = how.return_old.then(|| document.render(found, key));
        let old = (document.revision, rendered);
        self.put(collection, String::from(key), object, Some(old), how)
    }

    /// Removes a document.
    pub(crate) fn remove(
        &mut self,
        collection: u64,
        key: &str,
        expected: Expected<'_>,
        return_old: bool,
    ) -> Result<Outcome, ApiError> {
        let (found, document) = self.existing(collection, key, expected)?;
        let outcome = Outcome {
            id: found.id_of(key),
            key: String::from(key),
            revision: document.revision,
            old_revision: None,
            new: None,
            old: return_old.then(|| document.render(found, key)),
            ignored: false,
        };
        let revision = self.state.clock.tick();
        self.written.by_clients += 1;
        self.write(Record::Remove {
            collection,
            revision,
            key: Box::from(key),
        });
        Ok(outcome)
    }

    fn ignored(&self, collection: u64, key: &str) -> Result<Outcome, ApiError> {
        let (found, document) = self.existing(collection, key, Expected::Any)?;
        Ok(Outcome {
            id: found.id_of(key),
            key: String::from(key),
            revision: document.revision,
            old_revision: None,
            new: None,
            old: None,
            ignored: true,
        })
    }

    fn put(
        &mut self,
        collection: u64,
        key: String,
        object: Map<String, Value>,
        old: Option<(u64, Option<String>)>,
        how: &Change,
    ) -> Result<Outcome, ApiError> {
        let revision = self.state.clock.tick();
        self.written.by_clients += 1;
        self.write(Record::Put {
            collection,
            revision,
            key: Box::from(key.as_str()),
            body: body_text(object),
        });
        let (found, document) = self.existing(collection, &key, Expected::Any)?;
        let new = how.return_new.then(|| document.render(found, &key));
        let (old_revision, old) = match old {
            Some((revision, text)) => (Some(revision), text),
            None => (None, None),
        };
        Ok(Outcome {
            id: found.id_of(&key),
            key,
            revision,
            old_revision,
            new,
            old,
            ignored: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn merged(mut target: Value, patch: Value, keep_null: bool, merge_objects: bool) -> Value {
        let how = Change {
            mode: Mode::Conflict,
            keep_null,
            merge_objects,
            version_attribute: None,
            return_new: false,
            return_old: false,
        };
        let object = target.as_object_mut().unwrap();
        merge(object, attributes(patch).unwrap(), &how);
        target
    }

    #[test]
    fn merging_as_recorded() {
        let old = json!({"hello": "world", "numbers": {"one": 1, "empty": null}});
        let patch = json!({"hello": null, "numbers": {"four": 4, "five": null}});
        assert_eq!(
            merged(old.clone(), patch.clone(), false, true),
            json!({"numbers": {"one": 1, "empty": null, "four": 4}})
        );
        assert_eq!(
            merged(old.clone(), patch.clone(), false, false),
            json!({"numbers": {"four": 4}})
        );
        assert_eq!(
            merged(old, patch, true, true),
            json!({"hello": null, "numbers": {"one": 1, "empty": null, "four": 4, "five": null}})
        );
    }
}
